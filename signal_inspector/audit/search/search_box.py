"""What a text in the search box means. It is looked up exactly, and but for a line by an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth import get_user_model

from signal_inspector.audit.lookups import ending_in, named, object_key
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.search.conditions import conditions_of
from signal_inspector.audit.search.selection import Selection, read_id

_KINDS: Final = (NameKind.SIGNAL, NameKind.RECEIVER, NameKind.EXCEPTION)
_FIELDS: Final = {kind: str(kind.label) for kind in _KINDS}
_OBJECT: Final = re.compile(r"[^\W\d]\w*(\.\w+)*\.\w+:.+", re.DOTALL)
_NAME: Final = re.compile(r"[\w.<>:'\"\[\]() -]+")
_LINE: Final = re.compile(r".+:\d+ \S.*", re.DOTALL)
_TRACE: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """One way to take a text: in words, and as part of a selection."""

    words: str  # "the signal", "the object"
    text: str  # what it is the name or key of
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Understood:
    """What the log has under a text."""

    text: str
    meaning: Meaning | None = None
    others: list[Meaning] = field(default_factory=list)  # that the log has as well, or names alike

    def applied_to(self, selection: Selection) -> Selection:
        """The selection with what was understood."""
        return selection.but(**self.meaning.changes) if self.meaning else selection


def understand(text: str) -> Understood:
    """Look a text up as an id, an object, a name, an actor, a request and a trace.

    The first that the log has is taken; the others that it has are told.
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
    """A text as an actor's label: dispatch by dispatch, for there is no index of labels."""
    return Meaning("the label of an actor", text, {"label": text})


def _exact(text: str) -> Iterator[Meaning]:
    id_ = read_id(text)
    if id_ is not None:
        yield Meaning("the id of a dispatch", str(id_), {"id": id_})
        yield Meaning("the id of a transaction", str(id_), {"in_transaction": id_})
    if _TRACE.fullmatch(text):
        yield Meaning("the id of a trace", text.lower(), {"trace": text.lower()})
    if _OBJECT.fullmatch(text):
        yield Meaning("an object that was carried", text, {"object": text})
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
    """Whether the log has any dispatch of it. Names it has by being there."""
    if meaning.changes.keys() <= {*_FIELDS.values(), "line"}:
        return True
    (condition,) = conditions_of(Selection(**meaning.changes))
    # A list of one, not exists(): an order keeps the planner at the index.
    return condition.source is not None and bool(list(condition.source.rows.values("pk")[:1]))


def _user(text: str) -> Meaning | None:
    """The user who logs in by this name."""
    model = get_user_model()
    users = model._default_manager.filter(**{model.USERNAME_FIELD: text})
    user = users.only("pk").first()
    if user is None:
        return None
    key = object_key(user)
    return Meaning("an actor, by the name to log in with,", key, {"actor": key})
