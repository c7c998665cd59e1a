"""``signal_audit retry``."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from signal_inspector.audit.lookups import calls
from signal_inspector.audit.management.signal_audit.base import is_terminal, person
from signal_inspector.audit.models import AuditedCall, Ending, Retry, RetryOutcome
from signal_inspector.audit.operations.retry import RefusedError, run_again, will_run_in
from signal_inspector.audit.operations.retry_conditions import Examined, State, examine, find_call
from signal_inspector.audit.sanitize import clean
from signal_inspector.audit.search.selection import read_id
from signal_inspector.display.text import exception_line, printable
from signal_inspector.names import ends_with
from signal_inspector.subcommands import OK, PROBLEM, Subcommand, usage

#: The exit status if the receiver ran and raised.
RAISED: Final = 3
_LONGEST: Final = 2_000  # characters
_MARKS: Final = {State.MET: "ok", State.FAILED: "NO", State.NOTE: "!"}


class RetryPart(Subcommand):
    """Runs a failed receiver again."""

    name = "retry"
    help = "run a failed receiver again from its record"
    description = (
        "Runs a failed receiver of a dispatch again, with the recorded arguments and in its own "
        "transaction, if the same conditions are met as in the admin. It shows what "
        "will run and asks first. The attempt is recorded with its reason. Exit status: 0 if it "
        "returned, 1 if nothing ran, 2 if the command line is wrong, 3 if it raised."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("dispatch", metavar="DISPATCH_ID", help="the id of the dispatch")
        parser.add_argument(
            "--receiver",
            metavar="NAME",
            help="the receiver, if several failed: its dotted name, or the end of it",
        )
        parser.add_argument(
            "--reason", metavar="TEXT", help="the reason (required), kept with the attempt"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show the conditions and what would run, and stop",
        )

    def run(self, options: dict[str, Any]) -> int:
        reason = (options["reason"] or "").strip()
        if not reason and not options["dry_run"]:
            raise usage("Give a reason with --reason TEXT.")
        call = _chosen(options["dispatch"], options["receiver"])
        examined = examine(call)
        self._tell(examined)
        if not examined.may_run:
            self.stdout.write("Nothing was run: a condition is not met.")
            return PROBLEM
        if options["dry_run"]:
            self.stdout.write("Nothing was run: this is a dry run.")
            return OK
        if not options["yes"]:
            self._ask(call)
        return self._run(examined, reason)

    def _run(self, examined: Examined, reason: str) -> int:
        _, who = person()
        try:
            retry = run_again(
                examined.call, reason=reason, actor=who, expected=examined.next_attempt
            )
        except RefusedError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(printable(_ended(retry)))
        if retry.outcome == RetryOutcome.RAISED:
            return RAISED
        return OK if retry.outcome == RetryOutcome.RETURNED else PROBLEM

    def _tell(self, examined: Examined) -> None:
        """The conditions, and what would run."""
        for condition in examined.conditions:
            text = clean(condition.text, _LONGEST)  # safe for a terminal
            self.stdout.write(f"{_MARKS[condition.state]:>3}  {text}")
        call = examined.call
        if not examined.may_run:
            return
        self.stdout.write("\nWhat will run, and no other receiver:")
        arguments = [f"{each.name}={each.text}" for each in examined.arguments.each]
        dispatch = call.dispatch
        named = [call.receiver.text, f"signal={dispatch.signal.text}"]
        for text in (*named, f"sender={dispatch.sender.text}", *arguments):
            self.stdout.write(f"  {printable(text)}")
        databases = ", ".join(will_run_in(examined)) or "no database"
        self.stdout.write(f"in its own transaction on {databases}.\n")

    def _ask(self, call: AuditedCall) -> None:
        if not is_terminal(self.stderr):
            raise usage("Cannot ask for confirmation without a terminal. Use --yes.")
        self.stderr.write(f"Run {printable(call.receiver.text)} again? [yes/no] ", ending="")
        try:
            answer = input()
        except EOFError:
            answer = ""
        if answer.strip().lower() != "yes":
            raise CommandError("Nothing was run.")


def _chosen(text: str, name: str | None) -> AuditedCall:
    """The failed call to run again. ``CommandError`` if there is none, or more than one."""
    id_ = read_id(text)
    if id_ is None:
        raise usage(f"{text!r} is not the id of a dispatch.")
    found = list(calls().filter(dispatch_id=id_).select_related("receiver").order_by("index"))
    if not found:
        raise CommandError(f"The log has no receiver call of a dispatch {id_}.")
    failed = [call for call in found if call.outcome == Ending.RAISED]
    if name is not None:
        named = [call for call in found if ends_with(call.receiver.text, name)]
        # A call that did not fail is chosen as well, to show why it cannot run again.
        failed = [call for call in named if call in failed] or named
    return _only(failed, found, id_)


def _only(chosen: list[AuditedCall], found: list[AuditedCall], id_: UUID) -> AuditedCall:
    if len(chosen) == 1:
        return find_call(id_, chosen[0].index)
    names = "".join(f"\n  {clean(call.receiver.text, _LONGEST)}" for call in chosen or found)
    if chosen:
        raise usage(f"Several receivers match. Choose one with --receiver NAME:{names}")
    raise CommandError(f"No failed receiver has this name. The receivers of this dispatch:{names}")


def _ended(retry: Retry) -> str:
    if retry.outcome == RetryOutcome.RETURNED:
        after = f" An on_commit() callback raised: {retry.message}" if retry.message else ""
        return f"It returned, and its transaction was committed (attempt {retry.attempt}).{after}"
    if retry.outcome == RetryOutcome.RAISED:
        what = exception_line(retry.exception_class, retry.message)
        return f"It raised {what} (attempt {retry.attempt}). Its transaction was rolled back."
    return f"Nothing was run: {retry.message}"
