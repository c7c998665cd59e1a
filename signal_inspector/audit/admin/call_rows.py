"""Rows of the table of receivers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib.admin import AdminSite

from signal_inspector.audit.admin import waterfall
from signal_inspector.audit.admin.arguments import response_words
from signal_inspector.audit.admin.changelist import changelist_url, detail_url
from signal_inspector.audit.admin.waterfall import CallRow, NestedRow, Scale
from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Ending
from signal_inspector.audit.reading.selection import Selection
from signal_inspector.audit.wording import (
    call_outcome,
    dispatch_outcome,
    dotted,
    is_robust,
    ms,
    sql,
)


class CallRows:
    """Makes the rows of one dispatch."""

    def __init__(
        self, dispatch: AuditedDispatch, texts: Texts, site: AdminSite, *, may_see: bool
    ) -> None:
        self.scale = Scale(dispatch)
        self._robust = is_robust(dispatch)
        self._texts, self._site, self._may_see = texts, site, may_see

    def rows(
        self, calls: Iterable[AuditedCall], nested: Sequence[AuditedDispatch]
    ) -> list[CallRow]:
        """Receiver calls, each with what it sent."""
        sent = waterfall.by_call(nested)
        return [self._row(call, sent.get(call.index, [])) for call in calls]

    def _row(self, call: AuditedCall, nested: list[AuditedDispatch]) -> CallRow:
        name = dotted(self._texts[call.receiver_id])
        outcome = call_outcome(call, self._robust)
        return CallRow(
            index=call.index,
            order=call.index + 1,
            receiver=name,
            url=changelist_url(self._site, Selection(receiver=name.full)),
            location=self._texts[call.location_id],
            is_async=call.is_async,
            exception=waterfall.exception_words(self._texts[call.exception_id]),
            outcome=outcome,
            response=response_words(call.response) if self._may_see else "",
            took="" if call.outcome == Ending.SKIPPED else ms(call.duration_ns),
            self_time=waterfall.self_time(call),
            sql=sql(call.query_count, call.query_ns),
            lane=waterfall.lane_words(call, name.last, outcome, self.scale),
            bars=waterfall.bars_of(call, nested, self.scale),
            nested=[self.nested(each) for each in nested],
        )

    def nested(self, each: AuditedDispatch) -> NestedRow:
        """A dispatch that a receiver sent."""
        name = dotted(self._texts[each.signal_id])
        outcome = dispatch_outcome(each)
        when = self.scale.words(self.scale.offset(each), each.duration_ns)
        return NestedRow(
            url=detail_url(self._site, each.id),
            signal=name,
            method=each.method_name,
            caller=self._texts[each.caller_id],
            outcome=outcome,
            took=ms(each.duration_ns),
            sql=sql(each.query_count, each.query_ns),
            lane=f"{name.last}, {outcome.text}, {when}",
            bars=waterfall.nested_bars(each, self.scale),
        )
