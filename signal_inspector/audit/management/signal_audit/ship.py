"""``signal_audit ship``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.delivery.spooled import ship
from signal_inspector.audit.destinations.database.statements import Unavailable
from signal_inspector.audit.settings import get_settings
from signal_inspector.display.numbers import dispatch_count, integer
from signal_inspector.subcommands import OK, PROBLEM, Subcommand, usage


class Ship(Subcommand):
    """Writes what dead processes left in their spool files."""

    name = "ship"
    help = "write the spool files of ended processes to the database"
    description = (
        "For DELIVERY 'spooled'. Each process ships its own file and those of dead processes on "
        "its machine; use this command where no process runs any more. It is safe to use while "
        "processes run, and safe to repeat: dispatches that are already in the log are not "
        "written twice."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument(
            "--directory", metavar="DIR", help="where the files are (AUDIT['SPOOL_DIR'])"
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def run(self, options: dict[str, Any]) -> int:
        audit = get_settings()
        name = options["directory"] or audit.spool_dir
        if not name:
            raise usage("AUDIT['SPOOL_DIR'] is not set. Use --directory.")
        directory = Path(name)
        if not directory.is_dir():
            raise CommandError(f"{directory} is not a directory.")
        before = losses.total
        try:
            count = ship(directory, audit.database, audit.batch_size)
        except Unavailable as error:
            raise CommandError(
                f"The database is unavailable, so the files were kept: {error}"
            ) from error
        lost = losses.total - before
        if options["json"]:
            self.print_json({"dispatches": count, "lost": lost})
        else:
            self.stdout.write(f"{dispatch_count(count)} shipped from {directory}")
            if lost:
                self.say(f"{integer(lost)} could not be shipped; the gaps of the log say why.")
        return PROBLEM if lost else OK
