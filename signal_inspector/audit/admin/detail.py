"""The page of one dispatch, and the document that its Copy as JSON fetches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.urls import reverse

from signal_inspector.audit.admin.base import may_see_payloads, object_url, zone
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.admin.related import (
    Carried,
    FailureRow,
    Related,
    RelatedLine,
    carried_by,
    failures_of,
    trace_of,
)
from signal_inspector.audit.admin.summary import Words, badges_of, facts_of, summary
from signal_inspector.audit.admin.timeline import NESTED, CallRows, NestedRow, TimelineRow
from signal_inspector.audit.lookups import Texts, calls, dispatches
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Ending
from signal_inspector.audit.payloads import read_payload
from signal_inspector.audit.search.entries import Reader, Wanted, as_document
from signal_inspector.audit.search.selection import Selection
from signal_inspector.core.record.values import Summary
from signal_inspector.display.numbers import clock, more_arguments, plural
from signal_inspector.display.outcomes import OutcomeWords
from signal_inspector.display.parts import Argument, TraceLink, arguments
from signal_inspector.display.text import DottedName, dotted
from signal_inspector.display.timeline import Axis

CALLS: Final = 200  # receiver calls on a page
_FAILURES: Final = 20  # failures that are shown in full
_PRIVATE: Final = ("message", "traceback", "response")
_ROWS: Final = 300  # rows of arguments and their items


def load(id_: UUID) -> AuditedDispatch | None:
    """A dispatch of the log; None if the log does not have it."""
    return dispatches().filter(id=id_).first()


def document_of(id_: UUID, *, payloads: bool) -> dict[str, Any] | None:
    """The same JSON as in an export; None if the log does not have the dispatch."""
    found = Reader(Wanted(selection=Selection(), payloads=payloads)).fetch([id_])
    return as_document(found[0]) if found else None


class Detail:
    """What the page of a dispatch shows, by a bounded number of short queries."""

    def __init__(self, dispatch: AuditedDispatch, request: HttpRequest, site: AdminSite) -> None:
        self.dispatch = dispatch
        self.may_see = may_see_payloads(request)
        self.zone = zone()
        self.first_call = _whole(request.GET.get("first_call", ""))
        self._request, self._site = request, site

    # -- What is read ------------------------------------------------------------------------

    @cached_property
    def calls(self) -> list[AuditedCall]:
        """The receiver calls of this page; columns that the user may not see are not read."""
        found = calls().filter(dispatch_id=self.dispatch.id, index__gte=self.first_call)
        if not self.may_see:
            found = found.defer(*_PRIVATE)
        return list(found.order_by("index")[:CALLS])

    @cached_property
    def _failed(self) -> list[AuditedCall]:
        """The first calls that raised, on any page."""
        if not self.dispatch.failed_count:
            return []
        if self.dispatch.receiver_count <= len(self.calls):
            found = [call for call in self.calls if call.outcome == Ending.RAISED]
            return found[:_FAILURES]
        rows = calls().filter(dispatch_id=self.dispatch.id, outcome=Ending.RAISED)
        if not self.may_see:
            rows = rows.defer(*_PRIVATE)
        return list(rows.order_by("index")[:_FAILURES])

    @cached_property
    def _nested(self) -> list[AuditedDispatch]:
        """The dispatches that the receivers of this page sent, up to one more than are shown."""
        found = dispatches().filter(parent_id=self.dispatch.id).defer("payload")
        if self.dispatch.receiver_count > CALLS:
            shown = (self.first_call, self.first_call + CALLS)
            found = found.filter(parent_call__gte=shown[0], parent_call__lt=shown[1])
        return list(found.order_by("id")[: NESTED + 1])

    @cached_property
    def _parent(self) -> AuditedDispatch | None:
        id_ = self.dispatch.parent_id
        return None if id_ is None else dispatches().filter(id=id_).defer("payload").first()

    @cached_property
    def _objects(self) -> tuple[list[Any], bool]:
        return carried_by(self.dispatch)

    @cached_property
    def _payload(self) -> dict[str, Summary] | None:
        """What was kept of the arguments; None if it cannot be read."""
        try:
            return read_payload(self.dispatch.payload)
        except ValueError:
            return None

    @cached_property
    def texts(self) -> Texts:
        """All names of the page, in one query."""
        near = [self.dispatch, *self._nested, *([self._parent] if self._parent else [])]
        numbers: list[int | None] = [each.model_id for each in self._objects[0]]
        for each in near:
            numbers += [each.signal_id, each.sender_id, each.caller_id, each.project_caller_id]
        for call in [*self.calls, *self._failed]:
            numbers += [call.receiver_id, call.location_id, call.exception_id]
        return Texts([*numbers, self.dispatch.process_id, self.dispatch.delivery_id])

    # -- The head, and the facts ---------------------------------------------------------------

    @property
    def signal(self) -> DottedName:
        return dotted(self.texts[self.dispatch.signal_id])

    @property
    def title(self) -> str:
        return f"{self.signal.last}, {clock(self.dispatch.started_at)[:-4]}"

    @property
    def badges(self) -> list[OutcomeWords]:
        return badges_of(self.dispatch)

    @property
    def summary(self) -> list[Words]:
        objects = [(key, self._list(Selection(object=key))) for key in self.carried.keys]
        raised = [(each.receiver, each.short) for each in self.failures]
        return summary(self.dispatch, self.rows, raised, objects)

    @property
    def carried(self) -> Carried:
        found, has_more = self._objects
        keys = [f"{self.texts[each.model_id]}:{each.object_pk}" for each in found]
        # What the dispatch is about comes first: the arguments themselves. Users come last.
        own = {each.text for each in (self._payload or {}).values() if each.kind == "model"}
        user = f"{get_user_model()._meta.label}:"
        return Carried(
            sorted(keys, key=lambda key: (key.startswith(user), key not in own, key)), has_more
        )

    @cached_property
    def facts(self) -> dict[str, str]:
        return facts_of(self.dispatch, self.texts, self._request, self._site)

    @property
    def trace(self) -> TraceLink | None:
        return trace_of(self.dispatch)

    # -- Receivers -------------------------------------------------------------------------------

    @cached_property
    def _table(self) -> CallRows:
        return CallRows(self.dispatch, self.texts, self._site, may_see=self.may_see)

    @property
    def axis(self) -> Axis:
        return self._table.axis

    @cached_property
    def rows(self) -> list[TimelineRow]:
        return self._table.rows(self.calls, self._nested[:NESTED])

    @cached_property
    def loose(self) -> list[NestedRow]:
        """Nested dispatches whose receiver call is not known."""
        known = {call.index for call in self.calls}
        loose = [each for each in self._nested[:NESTED] if each.parent_call not in known]
        return [self._table.nested(each) for each in loose]

    @property
    def has_more_nested(self) -> bool:
        return len(self._nested) > NESTED

    @property
    def nested_url(self) -> str:
        return self._list(Selection(parent=self.dispatch.id))

    @property
    def calls_before(self) -> str:
        """The link to the previous page of receivers; "" on the first page."""
        return f"?first_call={max(self.first_call - CALLS, 0)}" if self.first_call else ""

    @property
    def calls_after(self) -> str:
        end = self.first_call + CALLS
        return f"?first_call={end}" if end < self.dispatch.receiver_count else ""

    # -- What failed, the payload, what is related -----------------------------------------------

    @cached_property
    def failures(self) -> list[FailureRow]:
        return failures_of(self._failed, self.texts, self._site, may_see=self.may_see)

    @property
    def untold_failures(self) -> int:
        return max(self.dispatch.failed_count - len(self.failures), 0)

    @cached_property
    def arguments(self) -> ArgumentsTable:
        """The arguments: their number for all users, and rows for users who may see payloads."""
        if self._payload is None:
            return ArgumentsTable([], 0, is_readable=False)
        count = len(self._payload)
        if not self.may_see:
            return ArgumentsTable([], count)
        found = arguments(
            self._payload.items(), lambda key: object_url(key, self._request, self._site)
        )
        rows = list(islice(found, _ROWS + 1))
        return ArgumentsTable(rows[:_ROWS], count, has_more=len(rows) > _ROWS)

    @property
    def argument_count(self) -> str:
        return plural(self.arguments.count + self.dispatch.payload_dropped, "argument")

    @property
    def not_kept(self) -> str:
        """How many arguments are missing; "" if none is, or if the payload may not be seen."""
        dropped = self.dispatch.payload_dropped if self.may_see else 0
        return more_arguments(dropped) if dropped else ""

    @cached_property
    def related(self) -> list[RelatedLine]:
        related = Related(self.dispatch, self._parent, self._site)
        return related.lines(self.texts, self.carried, len(self._nested))

    @property
    def json_url(self) -> str:
        """Where Copy as JSON finds what it copies."""
        name = "admin:signal_audit_auditeddispatch_json"
        return reverse(name, args=[self.dispatch.id], current_app=self._site.name)

    def _list(self, asked: Selection) -> str:
        return changelist_url(self._site, asked)


def _whole(text: str) -> int:
    return min(int(text), 32_767) if text.isascii() and text.isdigit() and len(text) < 6 else 0


@dataclass(frozen=True, slots=True)
class ArgumentsTable:
    """What was kept of the arguments."""

    rows: list[Argument]
    count: int  # arguments that were kept
    is_readable: bool = True
    has_more: bool = False  # whether there are more rows than are shown
