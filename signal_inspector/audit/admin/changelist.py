"""The list of dispatches: filtered, found and counted, with names, by a few short queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from django.contrib.admin import AdminSite
from django.urls import reverse

from signal_inspector.audit.admin.base import (
    Link,
    Option,
    detail_url,
    dispatch_outcome,
    transaction_words,
    zone,
)
from signal_inspector.audit.lookups import OFFERED, Texts, dispatches, gaps_in, offered, time_of
from signal_inspector.audit.models import AuditedDispatch, NameKind
from signal_inspector.audit.search.conditions import Meaning, Understood, by_label, understand
from signal_inspector.audit.search.finding import Counted, FoundPage, count, find
from signal_inspector.audit.search.selection import (
    ENDINGS,
    METHODS,
    ORIGINS,
    OUTCOMES,
    PARAMETERS,
    PRESETS,
    Period,
    Selection,
    read_id,
    read_selection,
)
from signal_inspector.display.numbers import clock, dispatch_count, integer, local, took
from signal_inspector.display.outcomes import OutcomeWords
from signal_inspector.display.text import DottedName, dotted

_FEW: Final = 40  # the most names that are offered as a list
_LABELS: Final = {
    "id": "id",
    "signal": "signal",
    "receiver": "receiver",
    "exception": "exception",
    "line": "line of code",
    "object": "carried",
    "actor": "actor",
    "label": "actor's label",
    "request": "request",
    "trace": "trace",
    "parent": "sent in a receiver of",
    "in_transaction": "transaction",
    "outcome": "outcome",
    "method": "method",
    "transaction": "transaction",
    "origin": "origin",
}
_FIELDS: Final = ("signal", "receiver", "outcome", "transaction", "method", "origin")

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
    "is_failed",
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
class Field:
    """A field of the form: a list to choose from, or a text field with suggestions."""

    name: str
    label: str
    value: str
    options: list[Option]
    is_list: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters, for the template."""

    presets: list[Link]
    fields: list[Field]
    day: str
    start: str
    end: str
    hidden: list[tuple[str, str]]  # filters that are set, but have no field
    chips: list[Link]  # filters that are set; each link removes one

    @property
    def is_open(self) -> bool:
        """Whether a field in the collapsed part of the form is set."""
        return bool(self.day or self.start or self.end) or any(each.value for each in self.fields)


def filters_for(selection: Selection) -> Filters:
    """The filters with their current values; one query for the names."""
    period = selection.period
    asked = dict(period.params)
    kept = {*_FIELDS, "from", "to", "day"}
    return Filters(
        presets=_presets(selection),
        fields=[*_names(selection), *_choices(selection)],
        day=asked.get("day", ""),
        start=f"{local(period.start):%Y-%m-%dT%H:%M}" if "from" in asked and period.start else "",
        end=_shown_end(asked),
        hidden=[(key, text) for key, text in selection.params().items() if key not in kept],
        chips=list(_chips(selection)),
    )


def _presets(selection: Selection) -> list[Link]:
    chosen = selection.period.preset
    rest = selection.but(period=Period())
    links = [Link("Any time", rest.query(), not selection.period.is_bounded)]
    return links + [
        Link(words, rest.query(when=key), key == chosen) for key, (words, _) in PRESETS.items()
    ]


def _shown_end(asked: Mapping[str, str]) -> str:
    text = asked.get("to", "")
    return f"{text}T23:59" if text and ":" not in text else text[:16].replace(" ", "T")


def _names(selection: Selection) -> Iterable[Field]:
    names = offered(NameKind.SIGNAL, NameKind.RECEIVER)
    for kind, texts in names.items():
        value = getattr(selection, kind.label)
        shown = sorted({*texts, value} - {""})
        yield Field(
            name=kind.label,
            label=kind.label.capitalize(),
            value=value,
            options=[Option(text, text) for text in shown],
            is_list=len(shown) <= _FEW,
            note=f"only {OFFERED} of them are listed" if len(texts) >= OFFERED else "",
        )


def _choices(selection: Selection) -> Iterable[Field]:
    words = {key: key.replace("-", " ") for key in ENDINGS} | {"none": "no transaction"}
    known: dict[str, Mapping[str, str]] = {
        "outcome": OUTCOMES,
        "transaction": words,
        "method": {key: key for key in METHODS},
        "origin": {key: key for key in ORIGINS},
    }
    for name, texts in known.items():
        yield Field(
            name=name,
            label=name.capitalize(),
            value=getattr(selection, name),
            options=[Option(key, text) for key, text in texts.items()],
        )


def _chips(selection: Selection) -> Iterable[Link]:
    params = selection.params()
    for key, label in _LABELS.items():
        if key in params:
            text = OUTCOMES[params[key]] if key == "outcome" else params[key]
            without = selection.but(**{key: None if key in ("id", "parent") else ""})
            if key == "in_transaction":
                without = selection.but(in_transaction=None)
            yield Link(f"{label}: {text}", without.query())
    if any(key in params for key in PARAMETERS):
        yield Link(selection.period.words, selection.but(period=Period()).query())


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
    is_failed: bool


class Changelist:
    """The page of the list that a query string asks for."""

    def __init__(self, params: Mapping[str, str], site: AdminSite) -> None:
        self.asked = read_selection(params)
        self.text = params.get("q", "").replace("\0", "").strip()[:1_000]
        self.before = read_id(params.get("before", ""))
        self.after = None if self.before else read_id(params.get("after", ""))
        self._site = site
        self.zone = zone()

    @cached_property
    def understood(self) -> Understood | None:
        """What the text in the search box means; None if the box is empty."""
        return understand(self.text) if self.text else None

    @property
    def is_unknown(self) -> bool:
        """Whether there is a search text that means nothing in the log."""
        return self.understood is not None and self.understood.meaning is None

    @cached_property
    def selection(self) -> Selection:
        """What the query string asks for, narrowed to the meaning of the search text."""
        return self.understood.applied_to(self.asked) if self.understood else self.asked

    @cached_property
    def count(self) -> Counted | None:
        return None if self.is_unknown else count(self.selection)

    @property
    def how_many(self) -> str:
        """The number of dispatches, as far as it is known: "12 dispatches", "50 on this page"."""
        if self.count is not None:
            return self.count.words
        shown = len(self.rows)
        return dispatch_count(shown) if self.is_whole else f"{integer(shown)} on this page"

    @cached_property
    def filters(self) -> Filters:
        return filters_for(self.asked)

    @cached_property
    def gaps(self) -> int:
        """The number of gaps in the period that nobody has marked as resolved."""
        period = self.selection.period
        return gaps_in(period.start, period.end).filter(closed_at=None).count()

    @cached_property
    def _newer(self) -> FoundPage | None:
        """The page after an older one, searched from older to newer; None if not asked for.

        Also None if nothing newer is left: that page would be short, and the first page contains
        the same dispatches and more.
        """
        if self.after is None or self.is_unknown:
            return None
        found = find(self.selection, PAGE, after=self.after)
        return None if found.go_on is None else found

    @cached_property
    def found(self) -> FoundPage:
        if self.is_unknown:
            return FoundPage([], None)
        return self._newer or find(self.selection, PAGE, before=self.before)

    @property
    def is_whole(self) -> bool:
        """Whether this page contains all dispatches of the selection."""
        return self.found.go_on is None and self.before is None

    @property
    def newest_url(self) -> str:
        """The URL of the first page; "" on that page."""
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
        """The URL of the next page; "" at the end, and if the search stopped early."""
        if self._newer is not None:
            ids = self._newer.ids
            return self._url(before=str(ids[-1] if ids else self.after))
        if self.found.go_on is None or self.found.stopped_after:
            return ""
        return self._url(before=str(self.found.go_on))

    @property
    def search_on_url(self) -> str:
        """The URL that continues a search which stopped before its page was full."""
        if not self.found.stopped_after:
            return ""
        return self.newer_url if self._newer else self._url(before=str(self.found.go_on))

    @property
    def searched_to(self) -> str:
        """The time up to which was searched."""
        return "" if self.found.go_on is None else clock(time_of(self.found.go_on))

    @property
    def others(self) -> list[tuple[Meaning, str]]:
        """What else the search text may mean, with links."""
        if self.understood is None:
            return []
        return [(each, self.asked.but(**each.changes).query()) for each in self.understood.others]

    @property
    def label_url(self) -> str:
        """The URL that searches for the text as an actor's label."""
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
            duration=took(each.duration_ns),
            actor=each.actor_label or each.actor or "",
            actor_url=Selection(actor=each.actor).query() if each.actor else "",
            origin=each.origin_name or each.get_origin_display(),
            request_url=Selection(request=each.request_id).query() if each.request_id else "",
            transaction=transaction_words(each.transaction_outcome),
            is_failed=each.is_failed is not None,
        )

    def _url(self, **more: str) -> str:
        return self.asked.query(q=self.text, **more)


def changelist_url(site: AdminSite, selection: Selection | None = None) -> str:
    """The URL of the list of dispatches, narrowed to a selection."""
    path = reverse("admin:signal_audit_auditeddispatch_changelist", current_app=site.name)
    return path + (selection.query() if selection else "")
