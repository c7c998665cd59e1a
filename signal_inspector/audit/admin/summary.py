"""The head of a dispatch's page: a short summary of what happened, badges, a table of facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from signal_inspector.audit.admin.base import dispatch_outcome, object_url, transaction_words
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.admin.timeline import TimelineRow
from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.models import AuditedDispatch, Ending, TransactionOutcome, Unseen
from signal_inspector.audit.models.choices import OUTCOMES
from signal_inspector.audit.rows import read_caller
from signal_inspector.audit.search.selection import Selection
from signal_inspector.display.numbers import clock, integer, plural, queries_in, took
from signal_inspector.display.outcomes import OutcomeWords, is_swallowed
from signal_inspector.display.text import place

_NAMED = 3  # receivers that are named; further ones are counted

_ENDED = (TransactionOutcome.COMMITTED, TransactionOutcome.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Words:
    """A part of a sentence."""

    text: str
    style: str = ""  # "strong" or "bad"
    url: str = ""


def summary(
    dispatch: AuditedDispatch,
    rows: Sequence[TimelineRow],
    raised: Sequence[tuple[str, str]],
    objects: Sequence[tuple[str, str]],
) -> list[Words]:
    """Who caused the dispatch, where, and with what; then what became of its receivers.

    ``raised`` are receivers with the classes of their exceptions, including receivers that are not
    in ``rows``; ``objects`` are keys with their links.
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
    dispatch: AuditedDispatch, rows: Sequence[TimelineRow], raised: Sequence[tuple[str, str]]
) -> Iterator[Words]:
    if dispatch.unseen == Unseen.PUT_OFF:
        yield Words(f"{dispatch.method_name} put it off and called no receiver.")
        return
    if dispatch.unseen == Unseen.UNTOLD and not dispatch.failed_count:
        yield Words(f"{dispatch.method_name} called receivers itself; which ones is not known.")
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
    for index, words in enumerate(failed[:_NAMED]):
        yield Words("; " if index else "")
        yield Words(words, "bad")
    if dispatch.failed_count > _NAMED:
        yield Words(f"; {integer(dispatch.failed_count - _NAMED)} more failed", "bad")
    yield Words(_consequence(dispatch) if raised else ".")


def _others(
    dispatch: AuditedDispatch, rows: Sequence[TimelineRow], returned: int, end: str = "."
) -> Iterator[Words]:
    names = [row.receiver.last for row in rows if row.outcome.glyph == "ok"]
    if dispatch.outcome == Ending.CANCELLED and not names:
        yield Words("It was cancelled.")
        return
    if returned <= _NAMED and len(names) == returned and names:
        for index, name in enumerate(names):
            yield from _joint(index, len(names), True)
            yield Words(name, "strong")
        yield Words(f" returned{end}")
    else:
        yield Words(f"{plural(returned, 'receiver')} returned{end}")


def _joint(index: int, length: int, is_all: bool) -> Iterator[Words]:
    if index:
        yield Words(" and " if is_all and index == length - 1 else ", ")


def _consequence(dispatch: AuditedDispatch) -> str:
    method = dispatch.method_name
    if is_swallowed(method, OUTCOMES[dispatch.outcome]):
        what = "the exception" if dispatch.failed_count == 1 else "the exceptions"
        return f". {method} returned {what} to the sender and continued."
    if dispatch.skipped_count:
        skipped = plural(dispatch.skipped_count, "receiver")
        return f", and {method} raised it to the sender: {skipped} skipped."
    return f", and {method} raised it to the sender."


def badges_of(dispatch: AuditedDispatch) -> list[OutcomeWords]:
    """How the dispatch ended, and how its transaction ended if there was one."""
    badges = [replace(dispatch_outcome(dispatch), note="")]
    if dispatch.transaction_outcome in _ENDED:
        words = transaction_words(dispatch.transaction_outcome)
        badges.append(OutcomeWords(words.tone, words.glyph, f"transaction {words.text}"))
    return badges


def facts_of(
    dispatch: AuditedDispatch, texts: Texts, request: HttpRequest, site: AdminSite
) -> dict[str, str]:
    """Words and links for the facts, by their names in the template."""
    caller = read_caller(texts[dispatch.caller_id])
    line = texts[dispatch.project_caller_id]
    is_another = dispatch.project_caller_id != dispatch.caller_id
    led_by = read_caller(line if is_another else "")
    wait = (dispatch.written_at - dispatch.started_at).total_seconds()
    wait -= dispatch.duration_ns / 1e9
    actor = dispatch.actor or ""
    return {
        "sent": clock(dispatch.started_at),
        "took": took(dispatch.duration_ns),
        "queries": queries_in(dispatch.query_count, dispatch.query_ns),
        "sender": texts[dispatch.sender_id],
        "place": place(caller.path, caller.line),
        "function": caller.function,
        "project_place": place(led_by.path, led_by.line),
        "project_function": led_by.function,
        "line_url": changelist_url(site, Selection(line=line)) if line else "",
        "actor_url": object_url(actor, request, site),
        "actor_list_url": changelist_url(site, Selection(actor=actor)) if actor else "",
        "request_url": changelist_url(site, Selection(request=dispatch.request_id or "")),
        "transaction_url": changelist_url(site, Selection(in_transaction=dispatch.transaction_id)),
        "transaction": transaction_words(dispatch.transaction_outcome).text,
        "process": texts[dispatch.process_id],
        "delivery": texts[dispatch.delivery_id],
        "wait": f"{max(wait, 0):.1f} s later",
    }
