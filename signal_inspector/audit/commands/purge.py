"""``signal_audit purge``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from signal_inspector.audit.acts import Acting
from signal_inspector.audit.commands.base import OK, Subcommand, usage
from signal_inspector.audit.commands.person import person
from signal_inspector.audit.commands.progress import is_terminal
from signal_inspector.audit.commands.stopping import Stop
from signal_inspector.audit.models import ActKind
from signal_inspector.audit.pruning.purging import purge
from signal_inspector.audit.reading.entries import Reader, Wanted
from signal_inspector.audit.reading.selection import Selection, read_selection


class Purge(Subcommand):
    """Deletes all of one object, actor or request."""

    name = "purge"
    help = "delete every dispatch that carried an object, or was caused by an actor"
    description = (
        "For the erasure of personal data: deletes every dispatch that carried an object "
        "(--object shop.Order:42), or that an actor caused (--actor auth.User:7), with its "
        "receiver calls and retries. With both, those that both hold for. The purge is noted in "
        "the log by that key. Exports and retries that the actor made stay noted."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--object", metavar="KEY", help="such as shop.Order:42")
        parser.add_argument("--actor", metavar="KEY", help="such as auth.User:7")
        parser.add_argument("--request", metavar="ID", help="the id of a request")
        parser.add_argument(
            "--dry-run", action="store_true", help="count what would go, and delete nothing"
        )
        parser.add_argument(
            "--no-input", "--noinput", action="store_true", help="do not ask whether it is meant"
        )
        parser.add_argument("--json", action="store_true", help="tell the count as JSON")

    def run(self, options: dict[str, Any]) -> int:
        selection = _selection(options)
        keys = ", ".join(f"{key} {text}" for key, text in selection.params().items())
        if options["dry_run"]:
            reader = Reader(Wanted(selection=selection, payloads=False))
            count = sum(len(ids) for ids in reader.ids())
            self._tell(count, f"{count:,} dispatches of {keys} would be deleted.", options)
            return OK
        if not options["no_input"]:
            self._ask(keys)
        with Stop() as stop, Acting(ActKind.PURGE, keys, *person()) as acting:
            for count in purge(selection):
                acting.count(count)
                if stop.asked:
                    acting.end(f"Not complete: stopped by {stop.asked.name}.")
                    break
        ended = f" Stopped by {stop.asked.name}: run it again to go on." if stop.asked else ""
        self._tell(acting.rows, f"{acting.rows:,} dispatches of {keys} deleted.{ended}", options)
        return stop.status

    def _tell(self, count: int, words: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json({"dispatches": count})
        else:
            self.stdout.write(words)

    def _ask(self, keys: str) -> None:
        if not is_terminal(self.stderr):
            raise usage("Nobody is there to be asked: use --no-input.")
        self.stderr.write(f"Delete every dispatch of {keys}? [yes/no] ", ending="")
        try:
            answer = input()
        except EOFError:
            answer = ""
        if answer.strip().lower() != "yes":
            raise CommandError("Nothing was deleted.")


def _selection(options: dict[str, Any]) -> Selection:
    params = {
        key: (options[key] or "").strip()
        for key in ("object", "actor", "request")
        if options[key] is not None
    }
    if not params:
        raise usage("Say what is to go: --object, --actor or --request.")
    selection = read_selection(params)
    if selection.params().keys() != params.keys():
        raise usage("A key is empty.")
    return selection
