"""What a reader asks the log for: read from a query string, and written as one again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from signal_inspector.audit.models import Method, Origin, TransactionOutcome
from signal_inspector.audit.reading.periods import Period, read_period

#: Values of ``outcome``, with words for them.
OUTCOMES: Final = {
    "failed": "something failed",
    "swallowed": "failed, swallowed",
    "raised": "raised to the sender",
    "skipped": "receivers skipped",
    "cancelled": "cancelled",
    "orphan": "nobody received it",
    "put-off": "put off",
    "returned": "nothing failed",
}
METHODS: Final = {method.label: method for method in Method}
ENDINGS: Final = {
    "committed": TransactionOutcome.COMMITTED,
    "rolled-back": TransactionOutcome.ROLLED_BACK,
    "none": TransactionOutcome.NONE,
    "unknown": TransactionOutcome.UNKNOWN,
}
NO_RETRY: Final = "no retry"  # what figures count
ORIGINS: Final = {origin.label: origin for origin in Origin} | {NO_RETRY: None}
_CHOICES: Final[dict[str, Mapping[str, object]]] = {
    "outcome": OUTCOMES,
    "method": METHODS,
    "transaction": ENDINGS,
    "origin": ORIGINS,
}
_IDS: Final = ("id", "parent", "in_transaction")
_LONGEST: Final = 1_000  # characters of a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dispatches: all that is given has to hold. "" and None: no matter."""

    id: UUID | None = None
    signal: str = ""  # dotted name
    receiver: str = ""  # dotted name
    exception: str = ""  # dotted name of the class
    line: str = ""  # "shop/services.py:131 place_order": it sent, or led to it; has no index
    object: str = ""  # "shop.Order:42": it was among the arguments
    actor: str = ""  # "auth.User:7"
    label: str = ""  # of the actor; has no index
    request: str = ""  # the request's id
    trace: str = ""  # the trace's id
    parent: UUID | None = None  # the dispatch in whose receiver it was sent
    in_transaction: UUID | None = None  # the transaction's id
    outcome: str = ""  # one of OUTCOMES; with a receiver "failed" is said of that receiver
    method: str = ""  # one of METHODS
    transaction: str = ""  # one of ENDINGS
    origin: str = ""  # one of ORIGINS
    period: Period = field(default_factory=Period)

    def params(self) -> dict[str, str]:
        """The query string that asks for it, as a dict."""
        found = {
            each.name: str(getattr(self, each.name))
            for each in fields(self)
            if each.name != "period" and getattr(self, each.name)
        }
        return found | dict(self.period.params)

    def query(self, **more: str) -> str:
        """``?signal=…``, with other parameters; "?" for everything."""
        return f"?{urlencode(self.params() | {key: text for key, text in more.items() if text})}"

    def but(self, **changes: Any) -> Selection:
        """The same with some of it changed."""
        return replace(self, **changes)

    @property
    def is_everything(self) -> bool:
        return not self.params()


def read_selection(params: Mapping[str, str]) -> Selection:
    """The selection of a query string. What cannot be read is as if it were not there."""
    values: dict[str, Any] = {}
    for each in fields(Selection):
        text = params.get(each.name, "").replace("\0", "").strip()[:_LONGEST]
        known = _CHOICES.get(each.name)
        if each.name in _IDS:
            values[each.name] = read_id(text)
        elif each.name != "period" and (known is None or text in known):
            values[each.name] = text
    return Selection(**values, period=read_period(params))


def read_id(text: str) -> UUID | None:
    """A UUID in any of its forms, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
