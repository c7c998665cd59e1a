"""What is known of signals without sending one: who is connected, and what the source says."""

from __future__ import annotations

from signal_inspector.catalog.entries import (
    ReceiverEntry,
    SignalEntry,
    State,
    describe,
    receivers_of,
)
from signal_inspector.catalog.explaining import ExplainedReceiver, Explanation, Standing, explain
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
