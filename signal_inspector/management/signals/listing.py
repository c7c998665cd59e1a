"""``signals list``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from signal_inspector.catalog import State, describe
from signal_inspector.catalog.selection import Selected, Wanted, select
from signal_inspector.management.signals.base import (
    OK,
    add_loading,
    load,
    plural,
    print_json,
    say,
)
from signal_inspector.management.signals.listing_json import as_json
from signal_inspector.management.signals.listing_text import signal_lines
from signal_inspector.management.signals.suggesting import did_you_mean, nothing_found

HELP: Final = "the signals, and who receives them, in the order of execution"
DESCRIPTION: Final = (
    "Lists every inspected signal with its receivers, in the order in which Django calls them. "
    "Names may be whole (shop.signals.order_placed), end parts (order_placed) or globs "
    "('order_*')."
)


def add_arguments(parser: CommandParser) -> None:
    """Add the filters."""
    parser.add_argument(
        "--app", default="", metavar="APP", help="signals and receivers that this app defines"
    )
    parser.add_argument("--signal", default="", metavar="NAME", help="signals of this name")
    parser.add_argument("--receiver", default="", metavar="NAME", help="receivers of this name")
    parser.add_argument(
        "--sender",
        default="",
        metavar="NAME",
        help="receivers that listen to this sender only: shop.models.Order, or shop.Order",
    )
    parser.add_argument(
        "--builtin",
        "--all",
        action="store_true",
        help="signals that are not inspected, too: Django's own, and what EXCLUDE names",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_loading(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write the list."""
    load(command, options)
    wanted = Wanted(**{key: options[key] for key in ("app", "signal", "receiver", "sender")})
    _check_app(wanted.app)
    everything = describe(everything=True)
    entries = [each for each in everything if each.is_inspected or options["builtin"]]
    selected = list(select(entries, wanted))
    others = sum(not each.entry.is_inspected for each in select(everything, wanted))
    others = 0 if options["builtin"] else others
    if options["json"]:
        print_json(command, as_json(selected, others))
    else:
        _write(command, selected, others)
    if not selected:
        for line in nothing_found(wanted, entries, everything):
            say(command, line)
    elif wanted.sender:
        say(command, "Receivers of any sender are called, too: see manage.py signals explain.")
    return OK


def _write(command: BaseCommand, selected: Sequence[Selected], others: int) -> None:
    for each in selected:
        for line in signal_lines(each, command.style):
            command.stdout.write(line)
        command.stdout.write("")
    if selected:
        command.stdout.write(_summary(selected, others))


def _check_app(app: str) -> None:
    configs = list(apps.get_app_configs())
    known = {name for config in configs for name in (config.label, config.name)}
    if app and app not in known:
        raise CommandError(f"--app: no installed app is called {app!r}.{did_you_mean(app, known)}")


def _summary(selected: Sequence[Selected], others: int) -> str:
    states = Counter(receiver.state for each in selected for _, receiver in each.receivers)
    parts = [plural(len(selected), "signal"), plural(states.total(), "receiver")]
    parts += [
        f"{number} of them {state}"
        for state in State
        if state is not State.CONNECTED and (number := states[state])
    ]
    text = ", ".join(parts) + "."
    if others:
        left = f"{plural(others, 'signal')} that {'is' if others == 1 else 'are'} not inspected"
        text += f"\nLeft out: {left}, such as Django's own. --builtin shows them."
    return text
