"""The payload of a dispatch as rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from signal_inspector.audit.payloads import read_payload, read_response
from signal_inspector.display.parts import Argument, arguments

_ROWS: Final = 300
ObjectUrl = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was kept of the arguments."""

    rows: list[Argument]
    count: int  # arguments that were kept
    is_readable: bool = True
    has_more: bool = False  # rows than are shown


def arguments_of(text: str, object_url: ObjectUrl) -> Arguments:
    """The rows of a payload as it is stored; unreadable ones say so."""
    try:
        payload = read_payload(text)
    except (ValueError, RecursionError):
        return Arguments([], 0, is_readable=False)
    rows = list(islice(arguments(payload.items(), object_url), _ROWS + 1))
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
