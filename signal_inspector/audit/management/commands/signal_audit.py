"""``manage.py signal_audit``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from signal_inspector.audit.attribution.processes import ending_in_order
from signal_inspector.audit.delivery import current
from signal_inspector.audit.management.signal_audit.base import require_tables
from signal_inspector.audit.management.signal_audit.export import Export
from signal_inspector.audit.management.signal_audit.prune import Prune, Purge
from signal_inspector.audit.management.signal_audit.retry import RetryPart
from signal_inspector.audit.management.signal_audit.ship import Ship
from signal_inspector.audit.management.signal_audit.stats import Stats
from signal_inspector.audit.management.signal_audit.tail import Tail
from signal_inspector.subcommands import SubcommandsCommand


class Command(SubcommandsCommand):
    """Maintains the signal audit, and exports from it."""

    help = (
        "Export, follow, measure and prune the signal audit. Each subcommand has its own --help."
    )
    subcommands = (Export, Prune, Purge, RetryPart, Ship, Stats, Tail)

    def run_subcommand(self, options: dict[str, Any]) -> int:
        try:
            # SIGTERM ends the command like sys.exit, so that the writer can write what waits.
            with ending_in_order():
                require_tables()
                return super().run_subcommand(options)
        except (DatabaseError, InterfaceError) as error:
            if options["traceback"]:
                raise
            raise CommandError(f"Database error: {str(error).strip()}") from error
        finally:
            current.flush()
