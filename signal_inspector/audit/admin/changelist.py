"""The list of dispatches: found, counted and named by a fixed number of short queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from uuid import UUID

from django.contrib.admin import AdminSite
from django.urls import reverse

from signal_inspector.audit.admin.filters import Filters, filters_for
from signal_inspector.audit.lookups import Texts, dispatches, gaps_in, time_of
from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.reading.counting import Counted, count
from signal_inspector.audit.reading.finding import Found, find
from signal_inspector.audit.reading.selection import Selection, read_id, read_selection
from signal_inspector.audit.reading.words import Meaning, Understood, by_label, understand
from signal_inspector.audit.wording import (
    DottedName,
    OutcomeWords,
    clock,
    dispatch_outcome,
    dotted,
    ms,
    transaction_words,
    zone,
)

PAGE: Final = 50
_SHOWN: Final = (
    "started_at",
    "duration_ns",
    "signal_id",
    "method",
    "own_method",
    "outcome",
    "unseen",
    "receiver_count",
    "failed_count",
    "skipped_count",
    "transaction_outcome",
    "actor",
    "actor_label",
    "request_id",
    "origin",
    "origin_name",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A dispatch in the list."""

    url: str
    time: str
    signal: DottedName
    outcome: OutcomeWords
    receivers: int
    failed: int
    skipped: int
    duration: str
    actor: str
    actor_url: str
    origin: str
    request_url: str
    transaction: OutcomeWords

    @property
    def is_failed(self) -> bool:
        return self.outcome.tone == "bad"


class Changelist:
    """One page of the list, as a query string asks for it."""

    def __init__(self, params: Mapping[str, str], site: AdminSite) -> None:
        self.asked = read_selection(params)
        self.text = params.get("q", "").replace("\0", "").strip()[:1_000]
        self.before = read_id(params.get("before", ""))
        self.after = None if self.before else read_id(params.get("after", ""))
        self._site = site
        self.zone = zone()

    @cached_property
    def understood(self) -> Understood | None:
        """What the text in the search box was taken for; None where it is empty."""
        return understand(self.text) if self.text else None

    @property
    def is_unknown(self) -> bool:
        """Whether there is a text that stands for nothing in the log."""
        return self.understood is not None and self.understood.meaning is None

    @cached_property
    def selection(self) -> Selection:
        """What is asked for, with what the text means."""
        return self.understood.applied_to(self.asked) if self.understood else self.asked

    @cached_property
    def count(self) -> Counted | None:
        return None if self.is_unknown else count(self.selection)

    @cached_property
    def filters(self) -> Filters:
        return filters_for(self.asked)

    @cached_property
    def gaps(self) -> int:
        """Gaps in the time that is looked at, that nobody has dealt with."""
        period = self.selection.period
        return gaps_in(period.start, period.end).filter(closed_at=None).count()

    @cached_property
    def _newer(self) -> Found | None:
        """The page that was searched for from older to newer; None where that was not asked for.

        Near the newest it would be a short one: the first page holds these and more.
        """
        if self.after is None or self.is_unknown:
            return None
        found = find(self.selection, PAGE, after=self.after)
        return None if found.go_on is None else found

    @cached_property
    def found(self) -> Found:
        if self.is_unknown:
            return Found([], None)
        return self._newer or find(self.selection, PAGE, before=self.before)

    @property
    def is_whole(self) -> bool:
        """Whether this page holds all that there is."""
        return self.found.go_on is None and self.before is None

    @property
    def newest_url(self) -> str:
        """The first page; "" on it."""
        return self._url() if self.before is not None or self._newer else ""

    @property
    def newer_url(self) -> str:
        if self._newer is not None:
            return self._url(after=str(self._newer.go_on))
        if self.before is None or not self.found.ids:
            return ""
        return self._url(after=str(self.found.ids[0]))

    @property
    def older_url(self) -> str:
        """The next page; "" at the end, and where the search has only come so far."""
        if self._newer is not None:
            ids = self._newer.ids
            return self._url(before=str(ids[-1] if ids else self.after))
        if self.found.go_on is None or self.found.stopped_after:
            return ""
        return self._url(before=str(self.found.go_on))

    @property
    def search_on_url(self) -> str:
        """Where the search goes on that stopped before its page was full."""
        if not self.found.stopped_after:
            return ""
        return self.newer_url if self._newer else self._url(before=str(self.found.go_on))

    @property
    def searched_to(self) -> str:
        """The time that the search came to."""
        return "" if self.found.go_on is None else clock(time_of(self.found.go_on))

    @property
    def others(self) -> list[tuple[Meaning, str]]:
        """What else the text may mean, with links."""
        if self.understood is None:
            return []
        return [(each, self.asked.but(**each.changes).query()) for each in self.understood.others]

    @property
    def label_url(self) -> str:
        """Looks for the text as an actor's label."""
        return self.asked.but(**by_label(self.text).changes).query()

    @cached_property
    def rows(self) -> list[Row]:
        found = dispatches().filter(id__in=self.found.ids).only(*_SHOWN) if self.found.ids else []
        by_id = {each.id: each for each in found}
        texts = Texts(each.signal_id for each in by_id.values())
        return [self._row(by_id[id_], texts) for id_ in self.found.ids if id_ in by_id]

    def _row(self, each: AuditedDispatch, texts: Texts) -> Row:
        return Row(
            url=detail_url(self._site, each.id),
            time=clock(each.started_at),
            signal=dotted(texts[each.signal_id]),
            outcome=dispatch_outcome(each),
            receivers=each.receiver_count,
            failed=each.failed_count,
            skipped=each.skipped_count,
            duration=ms(each.duration_ns),
            actor=each.actor_label or each.actor or "",
            actor_url=Selection(actor=each.actor).query() if each.actor else "",
            origin=each.origin_name or each.get_origin_display(),
            request_url=Selection(request=each.request_id).query() if each.request_id else "",
            transaction=transaction_words(each.transaction_outcome),
        )

    def _url(self, **more: str) -> str:
        return self.asked.query(q=self.text, **more)


def changelist_url(site: AdminSite, selection: Selection | None = None) -> str:
    """The list of dispatches, of a selection."""
    path = reverse("admin:signal_audit_auditeddispatch_changelist", current_app=site.name)
    return path + (selection.query() if selection else "")


def detail_url(site: AdminSite, id_: UUID) -> str:
    """The page of one dispatch."""
    name = "admin:signal_audit_auditeddispatch_change"
    return reverse(name, args=[id_], current_app=site.name)
