"""What the head of a dispatch's page says: badges, and a table of facts."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from signal_inspector.audit.admin.around import trace_url
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.admin.linking import object_url
from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.models import AuditedDispatch, TransactionOutcome
from signal_inspector.audit.reading.selection import Selection
from signal_inspector.audit.wording import (
    OutcomeWords,
    clock,
    dispatch_outcome,
    is_robust,
    ms,
    plural,
    sql,
    transaction_words,
)

_ENDED = (TransactionOutcome.COMMITTED, TransactionOutcome.ROLLED_BACK)


def badges_of(dispatch: AuditedDispatch) -> list[OutcomeWords]:
    """How it ended, and its transaction where there was one."""
    ended = dispatch_outcome(dispatch)
    text = ended.text
    if dispatch.failed_count:
        failed = f"{dispatch.failed_count:,} of {plural(dispatch.receiver_count, 'receiver')}"
        how = "swallowed" if is_robust(dispatch) else "raised to the sender"
        text = f"{failed} failed, {how}"
    badges = [OutcomeWords(ended.tone, ended.glyph, text)]
    if dispatch.transaction_outcome in _ENDED:
        words = transaction_words(dispatch.transaction_outcome)
        badges.append(OutcomeWords(words.tone, words.glyph, f"transaction {words.text}"))
    return badges


def facts_of(
    dispatch: AuditedDispatch, texts: Texts, request: HttpRequest, site: AdminSite
) -> dict[str, str]:
    """Words and links for the facts, by what the template calls them."""
    place, function = _place(texts[dispatch.caller_id])
    line = texts[dispatch.project_caller_id]
    led_by = _place(line) if dispatch.project_caller_id != dispatch.caller_id else ("", "")
    wait = (dispatch.written_at - dispatch.started_at).total_seconds()
    wait -= dispatch.duration_ns / 1e9
    queries = sql(dispatch.query_count, dispatch.query_ns)
    noun = "query" if dispatch.query_count == 1 else "queries"
    actor = dispatch.actor or ""
    return {
        "sent": clock(dispatch.started_at),
        "took": ms(dispatch.duration_ns),
        "queries": queries.replace(" in ", f" {noun} in ", 1),
        "sender": texts[dispatch.sender_id],
        "place": place,
        "function": function,
        "project_place": led_by[0],
        "project_function": led_by[1],
        "line_url": changelist_url(site, Selection(line=line)) if line else "",
        "actor_url": object_url(actor, request, site),
        "actor_list_url": changelist_url(site, Selection(actor=actor)) if actor else "",
        "request_url": changelist_url(site, Selection(request=dispatch.request_id or "")),
        "transaction_url": changelist_url(site, Selection(in_transaction=dispatch.transaction_id)),
        "transaction": transaction_words(dispatch.transaction_outcome).text,
        "trace_url": trace_url(dispatch),
        "process": texts[dispatch.process_id],
        "delivery": texts[dispatch.delivery_id],
        "wait": f"{max(wait, 0):.1f} s later",
    }


def _place(line: str) -> tuple[str, str]:
    """File with line, and function, of "shop/services.py:131 place_order"."""
    at, _, function = line.rpartition(" ")
    return (at, function) if at else (function, "")
