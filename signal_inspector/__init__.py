"""See what Django's custom signals do: receivers, order, times, queries, failures.

Add ``"signal_inspector"`` as the first of ``INSTALLED_APPS``; see the README for the panel.
"""

from __future__ import annotations

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Details, Failure, Outcome, ReceiverCall
from signal_inspector.scopes import capture, suppress
from signal_inspector.sinks import Sink

__all__ = [
    "Details",
    "Dispatch",
    "Failure",
    "Outcome",
    "ReceiverCall",
    "Sink",
    "capture",
    "suppress",
]

__version__ = "0.1.0"
