"""What is known about signals without sending them: their receivers, and what the source says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.core import lazy_names

if TYPE_CHECKING:
    from signal_inspector.catalog.entries import (
        ReceiverEntry,
        SignalEntry,
        State,
        describe,
        receivers_of,
    )
    from signal_inspector.catalog.explaining import (
        ExplainedReceiver,
        Explanation,
        Standing,
        explain,
    )
    from signal_inspector.catalog.finding import NotFoundError

__all__ = [
    "ExplainedReceiver",
    "Explanation",
    "NotFoundError",
    "ReceiverEntry",
    "SignalEntry",
    "Standing",
    "State",
    "describe",
    "explain",
    "receivers_of",
]

_HOMES: Final = {
    "ExplainedReceiver": "explaining",
    "Explanation": "explaining",
    "NotFoundError": "finding",
    "ReceiverEntry": "entries",
    "SignalEntry": "entries",
    "Standing": "explaining",
    "State": "entries",
    "describe": "entries",
    "explain": "explaining",
    "receivers_of": "entries",
}

if not TYPE_CHECKING:  # a type checker would accept every name
    __getattr__ = lazy_names(__name__, _HOMES)
