"""``manage.py signals``."""

from __future__ import annotations

from signal_inspector.management.signals.explain import Explain
from signal_inspector.management.signals.graph import Draw
from signal_inspector.management.signals.list_signals import List
from signal_inspector.management.signals.snapshot import TakeSnapshot
from signal_inspector.management.signals.watch import Watch
from signal_inspector.subcommands import SubcommandsCommand


class Command(SubcommandsCommand):
    """Show the signals of this project, before they are sent."""

    help = "Show the signals and who receives them. Each subcommand has its own --help."
    subcommands = (List, Explain, TakeSnapshot, Draw, Watch)
