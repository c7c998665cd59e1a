"""The payload of a dispatch as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from signal_inspector.audit.payloads import WITHHELD, read_payload, read_response
from signal_inspector.core.record.values import Summary

_ROWS: Final = 300
_DEEPEST: Final = 4  # levels that are set in
ObjectUrl = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentRow:
    """One argument, or one item of a collection among them."""

    name: str
    depth: int
    text: str
    type: str
    url: str = ""  # of an object's admin page
    is_redacted: bool = False
    is_withheld: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was kept of the arguments."""

    rows: list[ArgumentRow]
    count: int  # arguments that were kept
    is_readable: bool = True
    has_more: bool = False  # rows than are shown


def arguments_of(text: str, object_url: ObjectUrl) -> Arguments:
    """The rows of a payload as it is stored; unreadable ones say so."""
    try:
        payload = read_payload(text)
    except (ValueError, RecursionError):
        return Arguments([], 0, is_readable=False)
    rows = list(islice(_rows(payload.items(), 0, object_url), _ROWS + 1))
    return Arguments(rows[:_ROWS], len(payload), has_more=len(rows) > _ROWS)


def top_objects(text: str) -> set[str]:
    """Objects that are arguments themselves, not items of one."""
    try:
        payload = read_payload(text)
    except (ValueError, RecursionError):
        return set()
    return {summary.text for summary in payload.values() if summary.kind == "model"}


def response_words(text: str) -> str:
    """What a receiver returned, in one line; "" where it was not kept."""
    try:
        summary = read_response(text)
    except (ValueError, RecursionError):
        return "(cannot be read)"
    return "" if summary is None else summary.text or summary.type


def _rows(
    items: Iterable[tuple[str, Summary]], depth: int, object_url: ObjectUrl
) -> Iterator[ArgumentRow]:
    for name, summary in items:
        yield ArgumentRow(
            name=str(name),
            depth=min(depth, _DEEPEST),
            text=str(summary.text),
            type=str(summary.type),
            url=object_url(summary.text) if summary.kind == "model" else "",
            is_redacted=summary.kind == "redacted",
            is_withheld=summary.kind == WITHHELD,
            is_cut=bool(summary.truncated),
        )
        yield from _rows(summary.items, depth + 1, object_url)
