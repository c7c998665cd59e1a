"""The names of signals, senders and receivers: stable strings, cached.

Nothing in here runs the user's code or keeps the user's objects alive.
"""

from __future__ import annotations

from signal_inspector.core import process_state
from signal_inspector.names.receivers import (
    Untold,
    forget_receiver_names,
    noted_name,
    receiver_name,
    receiver_names,
    told_name,
    untold_name,
)
from signal_inspector.names.safe import IdentityMap, class_path, class_paths
from signal_inspector.names.senders import (
    ends_with,
    instance_names,
    matches,
    sender_name,
    unmarked,
)
from signal_inspector.names.signals import (
    anonymous_signals,
    creation_place,
    forget_signal_names,
    is_item,
    loaded_signals,
    note_creation,
    signal_name,
    signal_names,
)

__all__ = [
    "IdentityMap",
    "Untold",
    "anonymous_signals",
    "class_path",
    "creation_place",
    "ends_with",
    "forget_names",
    "is_item",
    "loaded_signals",
    "matches",
    "note_creation",
    "noted_name",
    "receiver_name",
    "receiver_names",
    "sender_name",
    "signal_name",
    "signal_names",
    "told_name",
    "unmarked",
    "untold_name",
]


@process_state.at_reset
def forget_names() -> None:
    """Forget every name, but not where signals were created (for tests)."""
    forget_signal_names()
    forget_receiver_names()
    class_paths.clear()
    instance_names.clear()
