"""What the subcommands have in common, and what they say if nothing is found."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string

from signal_inspector import payload
from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.catalog.finding import Wanted, in_order, select
from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.display.text import did_you_mean, exception_line, printable
from signal_inspector.subcommands import Subcommand


def add_loading(parser: CommandParser) -> None:
    """Add the option of all subcommands that look at what is connected."""
    parser.add_argument(
        "--bare",
        action="store_true",
        help=(
            "import only what django.setup() imports, as in a task or a command; by default the "
            "URLconf and the middleware are imported too, as in a server"
        ),
    )


def load(part: Subcommand, options: dict[str, Any]) -> None:
    """Import what a server imports, and say what could not be imported."""
    if options["bare"]:
        return
    with contextlib.redirect_stdout(sys.stderr):  # what modules print is not part of the output
        problems = load_as_server()
    for problem in problems:
        part.stderr.write(printable(problem), style_func=part.style.WARNING)


def installed_app(name: str) -> AppConfig:
    """The app that ``--app`` names by its label or its dotted name."""
    configs = list(apps.get_app_configs())
    for config in configs:
        if name in (config.label, config.name):
            return config
    known = {each for config in configs for each in (config.label, config.name)}
    raise CommandError(f"--app: no installed app is called {name!r}.{did_you_mean(name, known)}")


def nothing_found(
    wanted: Wanted, entries: Sequence[SignalEntry], everything: Sequence[SignalEntry]
) -> Iterator[str]:
    """Say why there is nothing to list, and what may have been meant."""
    asked = [
        f"--{name} {printable(text)}"
        for name in ("app", "signal", "receiver", "sender")
        if (text := getattr(wanted, name))
    ]
    if not asked:
        yield "No signal is inspected. Use --builtin to list those that are not."
        return
    yield f"Nothing was found for {' '.join(asked)}."
    beyond = len(list(select(everything, wanted)))
    if beyond and len(entries) < len(everything):
        yield (
            f"{beyond:,} would be found among the signals that are not inspected: add --builtin."
        )
        return
    yield from filter(None, (_advice(name, wanted, everything) for name in _KNOWN))


def _advice(name: str, wanted: Wanted, everything: Sequence[SignalEntry]) -> str:
    """A suggestion for one of the filters; "" if this filter on its own finds something."""
    text = getattr(wanted, name)
    if not text or any(True for _ in select(everything, Wanted(**{name: text}))):
        return ""
    known = sorted(set(_KNOWN[name](everything)))
    perhaps = did_you_mean(text, known)
    return perhaps and f"--{name}:{perhaps}"


def _receivers(everything: Sequence[SignalEntry]) -> Iterator[ReceiverEntry]:
    for entry in everything:
        yield from (receiver for _, receiver in in_order(entry))


_KNOWN: Final[dict[str, Any]] = {
    "signal": lambda all_: [entry.signal for entry in all_],
    "receiver": lambda all_: [receiver.receiver for receiver in _receivers(all_)],
    "sender": lambda all_: [each.sender for each in _receivers(all_) if each.sender],
}


def load_as_server() -> list[str]:
    """Import the URLconf with its views, and the middleware; return messages about failures.

    A process that runs a command or a task has not imported them, and may know fewer receivers.
    """
    urlconf = getattr(settings, "ROOT_URLCONF", None)
    wanted: list[tuple[str, Callable[[str], object]]] = []
    if isinstance(urlconf, str):
        wanted.append((urlconf, import_module))
    wanted += [(path, import_string) for path in getattr(settings, "MIDDLEWARE", None) or ()]
    problems = []
    for name, load_it in wanted:
        try:
            load_it(name)
        except Exception as error:
            internal_errors.let_through(error)
            problems.append(_problem(name, error))
    return problems


def _problem(name: str, error: Exception) -> str:
    failure = payload.summarize_exception(error, get_config().limits, with_traceback=False)
    why = exception_line(failure.exception_class, failure.message)
    return (
        f"{name} cannot be imported ({why}), so everything that is connected there, or in "
        "modules that it imports, is missing here."
    )
