"""What is known of signals without sending one: who is connected, and what the source says."""

from __future__ import annotations

from signal_inspector.catalog.entries import (
    ReceiverEntry,
    SignalEntry,
    State,
    describe,
    receivers_of,
)

__all__ = ["ReceiverEntry", "SignalEntry", "State", "describe", "receivers_of"]
