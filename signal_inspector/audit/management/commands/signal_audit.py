"""``manage.py signal_audit``."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from signal_inspector.audit.attribution.processes import ending_in_order
from signal_inspector.audit.delivery import current
from signal_inspector.audit.management.signal_audit.base import Subcommand, require_tables
from signal_inspector.audit.management.signal_audit.export import Export
from signal_inspector.audit.management.signal_audit.prune import Prune, Purge
from signal_inspector.audit.management.signal_audit.retry import RetryPart
from signal_inspector.audit.management.signal_audit.ship import Ship
from signal_inspector.audit.management.signal_audit.stats import Stats
from signal_inspector.audit.management.signal_audit.tail import Tail
from signal_inspector.audit.operations.export import let_go

SUBCOMMANDS: Final[dict[str, type[Subcommand]]] = {
    each.name: each for each in (Export, Prune, Purge, RetryPart, Ship, Stats, Tail)
}
_INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells have it


class Command(BaseCommand):
    """Keeps the signal audit in order, and takes things out of it."""

    help = "Export, follow, measure and prune the signal audit. Each part has its own --help."
    # A mistake elsewhere in the project is no reason not to prune; prune checks its own rules.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="subcommand", required=True, metavar="PART")
        for name, part in SUBCOMMANDS.items():
            # The percent sign is argparse's own.
            text = part.help.replace("%", "%%")
            own = parts.add_parser(
                name, help=text, description=part.description.replace("%", "%%") or text
            )
            part.add_arguments(own)
            _add_common(own)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            # SIGTERM ends it like sys.exit, so that what waits for the log's writer is written.
            with ending_in_order():
                require_tables()
                part = SUBCOMMANDS[options["subcommand"]](self, options["verbosity"])
                status = part.run(options)
        except KeyboardInterrupt:
            status = _INTERRUPTED
        except BrokenPipeError:  # `| head` has seen enough
            let_go(self.stdout)
            status = 0
        except (DatabaseError, InterfaceError) as error:
            if options["traceback"]:
                raise
            raise CommandError(f"The database says: {str(error).strip()}") from error
        finally:
            current.flush()
        if status:
            sys.exit(status)


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Django's own options, which people write behind the part, too."""
    hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument("-v", "--verbosity", type=int, choices=[0, 1, 2, 3], **hidden)
    for name in ("--settings", "--pythonpath"):
        parser.add_argument(name, **hidden)
    for name in ("--traceback", "--no-color", "--force-color"):
        parser.add_argument(name, action="store_true", **hidden)
