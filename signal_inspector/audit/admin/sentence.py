"""A dispatch in a sentence or two, as a person would tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signal_inspector.audit.admin.waterfall import CallRow
from signal_inspector.audit.models import AuditedDispatch, Ending, Unseen
from signal_inspector.audit.wording import is_robust, number, plural

_NAMED = 3  # receivers that are named; more are counted


@dataclass(frozen=True, slots=True)
class Words:
    """A part of the sentence."""

    text: str
    style: str = ""  # "strong" or "bad"
    url: str = ""


def sentence(
    dispatch: AuditedDispatch,
    rows: Sequence[CallRow],
    raised: Sequence[tuple[str, str]],
    objects: Sequence[tuple[str, str]],
) -> list[Words]:
    """Who caused it, where, with what; then what became of its receivers.

    ``raised`` are receivers with the class of their exceptions, also of those that are not among
    the rows; ``objects`` are keys with their links.
    """
    return [*_cause(dispatch, objects), *_course(dispatch, rows, raised)]


def _cause(dispatch: AuditedDispatch, objects: Sequence[tuple[str, str]]) -> Iterator[Words]:
    yield Words("Sent")
    if dispatch.origin_name:
        yield Words(" in ")
        yield Words(dispatch.origin_name, "strong")
    if dispatch.actor:
        yield Words(" on behalf of " if dispatch.origin_name else " by ")
        yield Words(dispatch.actor_label or dispatch.actor, "strong")
    if objects:
        others = [each for each in objects if each[0] != dispatch.actor]
        objects = others or objects
        yield Words(" with ")
        for place, (key, url) in enumerate(objects[:_NAMED]):
            yield from _joint(place, min(len(objects), _NAMED), len(objects) <= _NAMED)
            yield Words(key, "", url)
        if len(objects) > _NAMED:
            yield Words(" and others")
    yield Words(". ")


def _course(
    dispatch: AuditedDispatch, rows: Sequence[CallRow], raised: Sequence[tuple[str, str]]
) -> Iterator[Words]:
    if dispatch.unseen == Unseen.PUT_OFF:
        yield Words(f"{dispatch.method_name} put it off: it called no receiver.")
        return
    if dispatch.unseen == Unseen.UNTOLD and not dispatch.failed_count:
        yield Words(f"{dispatch.method_name} called receivers itself: which ones, is not known.")
        return
    if not dispatch.receiver_count:
        yield Words("Nobody received it.")
        return
    returned = dispatch.receiver_count - dispatch.failed_count - dispatch.skipped_count
    failed = [f"{receiver} raised {exception}" for receiver, exception in raised]
    cancelled = [row.receiver.last for row in rows if row.outcome.glyph == "cancelled"]
    failed += [f"{receiver} was cancelled" for receiver in cancelled]
    if not failed:
        yield from _others(dispatch, rows, returned)
        return
    if returned > 0:
        yield from _others(dispatch, rows, returned, end="; ")
    for place, words in enumerate(failed[:_NAMED]):
        yield Words("; " if place else "")
        yield Words(words, "bad")
    if dispatch.failed_count > _NAMED:
        yield Words(f"; {number(dispatch.failed_count - _NAMED)} more failed", "bad")
    yield Words(_consequence(dispatch) if raised else ".")


def _others(
    dispatch: AuditedDispatch, rows: Sequence[CallRow], returned: int, end: str = "."
) -> Iterator[Words]:
    names = [row.receiver.last for row in rows if row.outcome.glyph == "ok"]
    if dispatch.outcome == Ending.CANCELLED and not names:
        yield Words("It was cancelled.")
        return
    if returned <= _NAMED and len(names) == returned and names:
        for place, name in enumerate(names):
            yield from _joint(place, len(names), True)
            yield Words(name, "strong")
        yield Words(f" returned{end}")
    else:
        yield Words(f"{plural(returned, 'receiver')} returned{end}")


def _joint(place: int, length: int, is_all: bool) -> Iterator[Words]:
    if place:
        yield Words(" and " if is_all and place == length - 1 else ", ")


def _consequence(dispatch: AuditedDispatch) -> str:
    method = dispatch.method_name
    if is_robust(dispatch):
        what = "the exception" if dispatch.failed_count == 1 else "the exceptions"
        return f". {method} handed {what} to the sender and went on."
    if dispatch.skipped_count:
        skipped = plural(dispatch.skipped_count, "receiver")
        return f", which {method} passed on to the sender: {skipped} never ran."
    return f", which {method} passed on to the sender."
