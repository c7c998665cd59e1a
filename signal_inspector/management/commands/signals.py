"""``manage.py signals``."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser, OutputWrapper

from signal_inspector.management.signals import explain, graph, list_signals, snapshot, watch
from signal_inspector.management.signals.base import Subcommand, add_common

#: The subcommands by name, in the order in which --help lists them.
SUBCOMMANDS: Final[dict[str, Subcommand]] = {
    "list": list_signals,
    "explain": explain,
    "snapshot": snapshot,
    "graph": graph,
    "watch": watch,
}
_INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells have it


class Command(BaseCommand):
    """Tells of the signals of this project, before they are sent."""

    help = "See which signals there are, and who receives them. Each part has its own --help."
    # Whoever looks for a mistake has one, and a mistake elsewhere is no reason not to look.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="subcommand", required=True, metavar="PART")
        for name, part in SUBCOMMANDS.items():
            # The percent sign is argparse's own.
            own = parts.add_parser(
                name,
                help=part.HELP.replace("%", "%%"),
                description=part.DESCRIPTION.replace("%", "%%"),
            )
            part.add_arguments(own)
            add_common(own)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            status = SUBCOMMANDS[options["subcommand"]].run(self, options)
        except KeyboardInterrupt:
            status = _INTERRUPTED
        except BrokenPipeError:  # `| head` has seen enough
            _let_go(self.stdout)
            status = 0
        if status:
            sys.exit(status)


def _let_go(stdout: OutputWrapper) -> None:
    """Have Python not fail on a closed pipe once more when it ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    except (AttributeError, OSError, ValueError):  # not a file of the system's
        return
