"""A selection as conditions.

Each condition is a test of single dispatches. If there is an index for it, the condition is also a
source, which yields the ids of its dispatches in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q, QuerySet

from signal_inspector.audit.lookups import (
    as_logged,
    calls,
    carriers_of,
    dispatches,
    ending_in,
    first_id_at,
    named,
    number_of,
    object_key,
)
from signal_inspector.audit.models import Ending, NameKind, Origin, Unseen
from signal_inspector.audit.search.selection import (
    ENDINGS,
    METHODS,
    NO_RETRY,
    ORIGINS,
    Selection,
    read_id,
)

_FAILED: Final = ("failed", "swallowed", "raised", "skipped", "cancelled")
_OUTCOME_TESTS: Final = {
    "swallowed": Q(outcome=Ending.RETURNED),
    "raised": Q(outcome=Ending.RAISED),
    "skipped": Q(skipped_count__gt=0),
    "cancelled": Q(outcome=Ending.CANCELLED),
    "orphan": Q(receiver_count=0, unseen__isnull=True),
    "put-off": Q(unseen=Unseen.PUT_OFF),
    "returned": Q(is_failed__isnull=True),
}

_KINDS: Final = (NameKind.SIGNAL, NameKind.RECEIVER, NameKind.EXCEPTION)
_FIELDS: Final = {kind: str(kind.label) for kind in _KINDS}
_OBJECT: Final = re.compile(r"[^\W\d]\w*(\.\w+)*\.\w+:.+", re.DOTALL)
_NAME: Final = re.compile(r"[\w.<>:'\"\[\]() -]+")
_LINE: Final = re.compile(r".+:\d+ \S.*", re.DOTALL)
_TRACE: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range of ids: from ``first`` on, after ``after``, and before ``before``."""

    first: UUID | None = None
    after: UUID | None = None
    before: UUID | None = None


@dataclass(frozen=True, slots=True)
class IdSource:
    """Rows of an index that holds the ids of dispatches in order."""

    rows: QuerySet[Any]
    field: str = "id"  # the field with the id of the dispatch

    def ids(self, bounds: Bounds, *, newest_first: bool = True) -> QuerySet[Any]:
        """The ids in these bounds, in order; an index of calls may yield an id several times."""
        limits = {"gte": bounds.first, "gt": bounds.after, "lt": bounds.before}
        found = self.rows.filter(
            **{f"{self.field}__{key}": id_ for key, id_ in limits.items() if id_ is not None}
        )
        order = f"-{self.field}" if newest_first else self.field
        # Only the id is selected, so the database needs to read only the index.
        return found.order_by(order).values_list(self.field, flat=True)


@dataclass(frozen=True, slots=True)
class Condition:
    """One part of what a selection asks for."""

    test: Q | None = None  # a test of a dispatch; None: another condition tests it
    source: IdSource | None = None  # yields exactly the dispatches that pass the test


def bounds_of(selection: Selection) -> Bounds:
    """The range of ids for the period of a selection."""
    start, end = selection.period.start, selection.period.end
    return Bounds(
        first=None if start is None else first_id_at(start),
        before=None if end is None else first_id_at(end),
    )


def conditions_of(selection: Selection) -> list[Condition]:
    """The conditions of a selection, without its period."""
    parts = (_signal, _keys, _call, _outcome, _others)
    return [condition for part in parts for condition in part(selection)]


def everything() -> IdSource:
    """The source of all dispatches."""
    return IdSource(dispatches())


def _signal(asked: Selection) -> Iterator[Condition]:
    """The signal, and whether something failed: one index has both."""
    wanted: dict[str, object] = {}
    if asked.signal:
        wanted["signal_id"] = number_of(NameKind.SIGNAL, asked.signal)
    if asked.outcome in _FAILED:
        wanted["is_failed"] = 1
    if wanted:
        yield Condition(Q(**wanted), IdSource(dispatches().filter(**wanted)))


def _keys(asked: Selection) -> Iterator[Condition]:
    """What is in an indexed column of the dispatch, or in the table of objects."""
    columns: dict[str, object] = {
        "id": asked.id,
        "parent_id": asked.parent,
        "transaction_id": asked.in_transaction,
        "request_id": asked.request,
        "trace_id": asked.trace,
        "actor": asked.actor and as_logged(asked.actor),
    }
    for column, value in columns.items():
        if value not in (None, ""):
            test = Q(**{column: value})
            yield Condition(test, IdSource(dispatches().filter(test)))
    if asked.object:
        rows = carriers_of(asked.object).order_by()
        carried = Exists(rows.filter(dispatch_id=OuterRef("id")))
        yield Condition(Q(carried), IdSource(rows, "dispatch_id"))


def _call(asked: Selection) -> Iterator[Condition]:
    """The receiver and the exception, which have to be in the same call."""
    wanted: dict[str, Any] = {}
    if asked.receiver:
        wanted["receiver_id"] = number_of(NameKind.RECEIVER, asked.receiver)
    if asked.exception:
        wanted["exception_id"] = number_of(NameKind.EXCEPTION, asked.exception)
    sources = [IdSource(calls().filter(**{key: wanted[key]}), "dispatch_id") for key in wanted]
    if asked.receiver and asked.outcome == "failed":
        wanted["outcome"] = Ending.RAISED
    if len(wanted) == 1:
        yield Condition(_in_a_call(wanted), sources[0])
        return
    yield from (Condition(source=source) for source in sources)
    if wanted:
        yield Condition(_in_a_call(wanted))


def _in_a_call(wanted: dict[str, Any]) -> Q:
    return Q(Exists(calls().filter(dispatch_id=OuterRef("id"), **wanted)))


def _outcome(asked: Selection) -> Iterator[Condition]:
    if asked.outcome in _OUTCOME_TESTS:
        yield Condition(_OUTCOME_TESTS[asked.outcome])


def _others(asked: Selection) -> Iterator[Condition]:
    """What has no index, and can only be tested."""
    if asked.line:
        number = number_of(NameKind.CALLER, asked.line)
        yield Condition(Q(project_caller_id=number) | Q(caller_id=number))
    if asked.label:
        yield Condition(Q(actor_label=asked.label))
    if asked.method:
        yield Condition(Q(method=METHODS[asked.method]))
    if asked.transaction:
        yield Condition(Q(transaction_outcome=ENDINGS[asked.transaction]))
    if asked.origin == NO_RETRY:
        yield Condition(~Q(origin=Origin.RETRY))
    elif asked.origin:
        yield Condition(Q(origin=ORIGINS[asked.origin]))


@dataclass(frozen=True, slots=True)
class Meaning:
    """One interpretation of a text: in words, and as part of a selection."""

    words: str  # "a signal", "an object that was carried"
    text: str  # the name, key or id that was understood
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Understood:
    """What a text that somebody searched for means in the log."""

    text: str
    meaning: Meaning | None = None
    others: list[Meaning] = field(default_factory=list)  # also in the log, or similar names

    def applied_to(self, selection: Selection) -> Selection:
        """The selection, narrowed to what was understood."""
        return selection.but(**self.meaning.changes) if self.meaning else selection


def understand(text: str) -> Understood:
    """Look a text up as an id, a trace, an object, a name, a line, an actor and a request.

    The first meaning that the log has is used; the other ones that it has are returned with it.
    """
    text = text.strip()
    known = [meaning for meaning in _exact(text) if _has(meaning)]
    if known:
        return Understood(text, known[0], known[1:])
    alike = (
        [_name(kind, full) for kind, full in ending_in(text, *_KINDS)] if _is_name(text) else []
    )
    if len(alike) == 1:
        return Understood(text, alike[0])
    by_login = None if alike else _user(text)
    if by_login is not None and _has(by_login):
        return Understood(text, by_login)
    return Understood(text, None, alike)


def by_label(text: str) -> Meaning:
    """A text as an actor's label. Each dispatch has to be tested, as labels have no index."""
    return Meaning("the name of an actor", text, {"label": text})


def _exact(text: str) -> Iterator[Meaning]:
    id_ = read_id(text)
    if id_ is not None:
        yield Meaning("the id of a dispatch", str(id_), {"id": id_})
        yield Meaning("the id of a transaction", str(id_), {"in_transaction": id_})
    if _TRACE.fullmatch(text):
        yield Meaning("the id of a trace", text.lower(), {"trace": text.lower()})
    if _OBJECT.fullmatch(text):
        yield Meaning("an object among the arguments", text, {"object": text})
    if _is_name(text):
        yield from (_name(kind, text) for kind in named(text, *_KINDS))
    if _LINE.fullmatch(text) and named(text, NameKind.CALLER):
        yield Meaning("a line of code", text, {"line": text})
    yield Meaning("an actor", text, {"actor": text})
    yield Meaning("the id of a request", text, {"request": text})


def _name(kind: NameKind, text: str) -> Meaning:
    article = "an" if kind is NameKind.EXCEPTION else "a"
    return Meaning(f"{article} {kind.label}", text, {_FIELDS[kind]: text})


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _has(meaning: Meaning) -> bool:
    """Whether the log has any dispatch with this meaning. Names are in the log if they exist."""
    if meaning.changes.keys() <= {*_FIELDS.values(), "line"}:
        return True
    (condition,) = conditions_of(Selection(**meaning.changes))
    # A list of one row, not exists(), which would drop the order that makes the planner use the
    # index.
    return condition.source is not None and bool(list(condition.source.rows.values("pk")[:1]))


def _user(text: str) -> Meaning | None:
    """The user who logs in with this name."""
    model = get_user_model()
    users = model._default_manager.filter(**{model.USERNAME_FIELD: text})
    user = users.only("pk").first()
    if user is None:
        return None
    key = object_key(user)
    return Meaning("an actor, by username,", key, {"actor": key})
