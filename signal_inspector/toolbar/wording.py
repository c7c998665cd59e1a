"""Numbers and names as the panel writes them. None of it follows the locale of the request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from signal_inspector.records import ReceiverCall, Summary
from signal_inspector.toolbar.parts import ErrorLine, Name, Segment

_ONE_LINE = 160  # characters of a payload's line


def integer(number: int) -> str:
    """``5212`` as "5,212"."""
    return f"{number:,}"


def ms(nanoseconds: int) -> str:
    """A duration: "18.3 ms", "< 0.1 ms" for what is not nothing, "0 ms"."""
    return "0 ms" if nanoseconds <= 0 else f"{bare_ms(nanoseconds)} ms"


def bare_ms(nanoseconds: int) -> str:
    """The same without its unit."""
    if 0 < nanoseconds < 50_000:
        return "< 0.1"
    return f"{nanoseconds / 1e6:,.1f}"


def raw_ms(nanoseconds: int) -> str:
    """Milliseconds for a script: "18.312"."""
    return f"{nanoseconds / 1e6:.3f}"


def plural(number: int, one: str, many: str = "") -> str:
    """ "1 query", "5,212 queries"; ``many`` where an s is not enough."""
    return f"{integer(number)} {one if number == 1 else many or one + 's'}"


def sql(count: int, nanoseconds: int) -> str:
    """The SQL column: "24 in 9.6 ms", "" without a query."""
    return f"{integer(count)} in {ms(nanoseconds)}" if count else ""


def listing(words: Sequence[str], limit: int = 4) -> str:
    """ "a, b and c"; what is beyond the limit is counted: "a, b and 3 more"."""
    shown = list(words[:limit])
    if len(words) > limit:
        shown.append(f"{len(words) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def strong_listing(names: Sequence[str], limit: int = 4) -> list[Segment]:
    """The same of names, each emphasised."""
    shown = [Segment(text=last(name), style="strong") for name in names[:limit]]
    if len(names) > limit:
        shown.append(Segment(text=f"{len(names) - limit} more"))
    segments: list[Segment] = []
    for index, segment in enumerate(shown):
        if index:
            segments.append(Segment(text=" and " if index == len(shown) - 1 else ", "))
        segments.append(segment)
    return segments


def name(dotted: str) -> Name:
    """A dotted name in its parts. Dots inside brackets separate nothing."""
    head, _, tail = _split_last(dotted)
    parts = tuple(f"{part}." for part in head.split(".")) if head else ()
    return Name(parts=parts, last=tail, full=dotted)


def last(dotted: str) -> str:
    """The last part of a dotted name."""
    return _split_last(dotted)[2]


def _split_last(dotted: str) -> tuple[str, str, str]:
    # "shop.apps.ready.<locals>.<lambda>" and "shop.f(a.b)" keep what is in brackets together.
    end = min((i for i in (dotted.find("("), dotted.find(" ")) if i >= 0), default=len(dotted))
    head, dot, tail = dotted[:end].rpartition(".")
    return head, dot, tail + dotted[end:]


def error_line(call: ReceiverCall) -> ErrorLine | None:
    """What a receiver raised, in one line."""
    if call.failure is None:
        return None
    message = " ".join(call.failure.message.split())
    return ErrorLine(name=exception_name(call.failure.exception_class), message=message)


def exception_name(dotted: str) -> str:
    """An exception class without its module: "LoyaltyAccount.DoesNotExist"."""
    parts = dotted.split(".")
    for index, part in enumerate(parts):
        if part[:1].isupper():
            return ".".join(parts[index:])
    return parts[-1]


def payload_line(payload: dict[str, Summary]) -> str:
    """All arguments in one line, cut where it gets long."""
    line = ", ".join(f"{key}={summary.text}" for key, summary in payload.items())
    return line if len(line) <= _ONE_LINE else f"{line[: _ONE_LINE - 1]}…"


def about(payload: dict[str, Summary] | None) -> str:
    """What tells a dispatch from its siblings: its model instances, else its plain values."""
    if not payload:
        return ""
    for kind in ("model", "plain"):
        found = {k: v for k, v in payload.items() if v.kind == kind}
        if kind == "model" and found:
            return ", ".join(summary.text for summary in list(found.values())[:3])
        if found:
            return payload_line(dict(list(found.items())[:3]))
    return payload_line(payload)


def unique(words: Iterable[str]) -> list[str]:
    """Without repetitions, in the order of first appearance."""
    return list(dict.fromkeys(words))
