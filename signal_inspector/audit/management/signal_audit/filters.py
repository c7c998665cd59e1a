"""Which dispatches: the options that ``export`` and ``tail`` share with the admin's search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from signal_inspector.audit.lookups import ending_in, named
from signal_inspector.audit.management.signal_audit.base import length_of_time
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.search.entries import Wanted
from signal_inspector.audit.search.selection import (
    ENDINGS,
    METHODS,
    ORIGINS,
    OUTCOMES,
    Period,
    Selection,
    read_selection,
)
from signal_inspector.subcommands import usage

_PERIOD: Final = ("day", "from", "to")
_OPTIONS: Final = (
    ("id", "ID", "the dispatch of this id"),
    ("signal", "NAME", "its dotted name, the last part of it, or a glob such as 'shop.*'"),
    ("receiver", "NAME", "a receiver, by its dotted name or the last part of it"),
    ("exception", "NAME", "the class of an exception that a receiver raised"),
    ("line", "LINE", "a line of code that sent it, or led to it: 'shop/views.py:41 checkout'"),
    ("object", "KEY", "an object among the arguments, such as shop.Order:42"),
    ("actor", "KEY", "who caused it, such as auth.User:7"),
    ("request", "ID", "all of one request"),
    ("trace", "ID", "all of one trace"),
    ("parent", "ID", "those that were sent in a receiver of this dispatch"),
    ("in-transaction", "ID", "all of one transaction"),
)
_CHOICES: Final[dict[str, Mapping[str, object]]] = {
    "outcome": OUTCOMES,
    "method": METHODS,
    "transaction": ENDINGS,
    "origin": ORIGINS,
}
_NAMED: Final = {
    "signal": NameKind.SIGNAL,
    "receiver": NameKind.RECEIVER,
    "exception": NameKind.EXCEPTION,
}


def add_filters(parser: CommandParser, *, periods: bool = True) -> None:
    """Add the options; all that are given have to hold together."""
    group = parser.add_argument_group("which dispatches", "What is given has to hold together.")
    for name, kind, text in _OPTIONS:
        group.add_argument(f"--{name}", metavar=kind, help=text)
    for name, choices in _CHOICES.items():
        group.add_argument(f"--{name}", choices=sorted(choices), help=f"by {name}")
    group.add_argument("--failed", action="store_true", help="the same as --outcome failed")
    group.add_argument(
        "--search", metavar="TEXT", help="any of these names, keys and ids, as the admin's search"
    )
    if periods:
        _add_periods(parser)


def _add_periods(parser: CommandParser) -> None:
    group = parser.add_argument_group("when", "In the time zone of the project, if none is given.")
    group.add_argument("--from", metavar="TIME", help="2026-11-22, or 2026-11-22T14:03")
    group.add_argument("--to", metavar="TIME", help="to the end of this day or minute")
    group.add_argument("--day", metavar="DATE", help="that day")
    group.add_argument(
        "--last", metavar="TIME", type=length_of_time, help="90d, 36h, 15m: up to now"
    )


def read_filters(options: dict[str, Any], *, payloads: bool = True) -> Wanted:
    """What the options ask for; unlike in a query string, what cannot be read is an error."""
    names = [name.replace("-", "_") for name, _, _ in _OPTIONS]
    params = {
        name: options[name].strip()
        for name in (*names, *_CHOICES, *_PERIOD)
        if options.get(name) is not None
    }
    if options.get("failed") and params.setdefault("outcome", "failed") != "failed":
        raise usage(f"--failed and --outcome {params['outcome']} do not go together.")
    glob = params.get("signal", "")
    if _is_glob(glob) and not named(glob, NameKind.SIGNAL):
        del params["signal"]
    else:
        glob = ""
    for name, kind in _NAMED.items():
        if params.get(name):
            params[name] = _full_name(params[name], kind)
    selection = _selection(params)
    if options.get("search"):
        selection = _searched(selection, options["search"])
    if options.get("last") is not None:
        selection = _since(selection, options["last"])
    return Wanted(selection=selection, signal_glob=glob, payloads=payloads)


def _selection(params: dict[str, str]) -> Selection:
    selection = read_selection(params)
    understood = selection.params()
    for name, text in params.items():
        if name not in understood:
            raise usage(f"--{name.replace('_', '-')}: {text!r} cannot be read.")
    return selection


def _searched(selection: Selection, text: str) -> Selection:
    from signal_inspector.audit.search.search_box import understand  # noqa: PLC0415 - needs users

    understood = understand(text)
    if understood.meaning is None:
        if understood.others:
            alike = ", ".join(sorted({each.text for each in understood.others}))
            raise usage(f"--search: {text!r} may be any of {alike}.")
        raise CommandError(f"The log has nothing under {text!r}.")
    return understood.applied_to(selection)


def _since(selection: Selection, length: timedelta) -> Selection:
    if selection.period.is_bounded:
        raise usage("--last does not go together with --from, --to and --day.")
    try:
        start = datetime.now(UTC) - length
    except OverflowError:
        raise usage("--last: that is before any time.") from None
    period = Period(start=start, params=(("from", start.isoformat()),))
    return dataclasses.replace(selection, period=period)


def _full_name(text: str, kind: NameKind) -> str:
    """The name that ends so, where the log has just one; else as it was given."""
    if named(text, kind):
        return text
    alike = [full for _, full in ending_in(text, kind)]
    if len(alike) > 1:
        raise usage(f"--{kind.label}: {text!r} may be any of {', '.join(alike)}.")
    return alike[0] if alike else text


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")
