"""``signal_audit export``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from signal_inspector.audit.management.signal_audit.base import (
    Stop,
    add_filters,
    person,
    read_filters,
)
from signal_inspector.audit.models import OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.export import (
    FORMATS,
    Csv,
    Format,
    Write,
    chunks,
    described,
    to_stream,
    whole_file,
)
from signal_inspector.audit.search.entries import Wanted
from signal_inspector.display.numbers import dispatch_count
from signal_inspector.subcommands import OK, PROBLEM, Subcommand, let_go, usage


class Export(Subcommand):
    """Exports dispatches as JSON Lines or CSV."""

    name = "export"
    help = "write dispatches as JSON Lines or CSV, to a file or to stdout"
    description = (
        "Writes dispatches in chronological order. JSON Lines has one dispatch per line. CSV "
        "has one receiver call per line, and an apostrophe before every text that a spreadsheet "
        "might read as a formula (one that begins with = + - @, a tab, a line end or an "
        "apostrophe). The export is logged, with its filters and the number of dispatches."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument(
            "--format",
            choices=list(FORMATS),
            help="default: by the name of the file; jsonl for stdout",
        )
        parser.add_argument(
            "-o",
            "--output",
            metavar="FILE",
            help=(
                "readable by its owner only, and created once the export is complete; "
                "compressed if the name ends in .gz"
            ),
        )
        parser.add_argument("--force", action="store_true", help="replace an existing file")
        parser.add_argument(
            "--no-payloads",
            action="store_true",
            help="leave out arguments, responses, messages and tracebacks",
        )
        parser.add_argument(
            "--bom",
            action="store_true",
            help="begin CSV with a byte order mark, so that Excel reads it as UTF-8",
        )
        add_filters(parser)

    def run(self, options: dict[str, Any]) -> int:
        wanted = read_filters(options, payloads=not options["no_payloads"])
        path = Path(options["output"]) if options["output"] not in (None, "-") else None
        form = self._format(options, path)
        operation = RunningOperation(OperationKind.EXPORT, described(wanted, form), *person())
        if path is None:
            return self._to_stdout(wanted, form, operation)
        try:
            with whole_file(path, replace=options["force"]) as write:
                self._write(wanted, form, operation, write)
        except FileExistsError as error:
            raise CommandError(f"{error} Use --force to replace it.") from None
        except OSError as error:
            raise CommandError(f"Cannot write {path}: {error.strerror or error}.") from error
        self.say(f"{dispatch_count(operation.rows)} in {path}")
        return OK

    def _to_stdout(self, wanted: Wanted, form: Format, operation: RunningOperation) -> int:
        try:
            self._write(wanted, form, operation, to_stream(self.stdout))
        except BrokenPipeError:
            let_go(self.stdout)
            return PROBLEM
        self.say(dispatch_count(operation.rows))
        return OK

    def _write(
        self, wanted: Wanted, form: Format, operation: RunningOperation, write: Write
    ) -> None:
        # A signal in the middle of a query would leave the connections of some drivers unusable,
        # so that the end of the operation could not be written. But if a signal comes while a pipe
        # is full, it must not wait for the pipe.
        with Stop() as stop, operation, closing(chunks(wanted, form, operation)) as parts:
            for part in parts:
                with stop.allowed():
                    write(part)

    def _format(self, options: dict[str, Any], path: Path | None) -> Format:
        name = options["format"]
        if name is None and path is not None:
            suffixes = [each for each in path.suffixes[-2:] if each != ".gz"]
            names = [each for each in FORMATS if suffixes[-1:] == [FORMATS[each].suffix]]
            if not names:
                known = ", ".join(FORMATS)
                raise usage(
                    f"The name {path.name} does not tell the format. Use --format with one of "
                    f"{known}."
                )
            name = names[0]
        payloads = not options["no_payloads"]
        form = FORMATS[name or "jsonl"]
        if options["bom"] and form is not Csv:
            raise usage("--bom is for CSV only.")
        return (
            Csv(payloads=payloads, mark=options["bom"]) if form is Csv else form(payloads=payloads)
        )
