"""Which dispatches a watcher shows."""

from __future__ import annotations

from dataclasses import dataclass

from signal_inspector.names import name_matches, unmarked
from signal_inspector.watching.seen import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is given has to hold together. Globs match whole dotted names, or their last part."""

    signals: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    failures: bool = False  # a receiver failed, or the send did not return
    slower_than_ns: int = -1  # the dispatch, or one of its receivers

    def take(self, seen: Seen) -> bool:
        """Whether to show it."""
        return (
            _matches(self.signals, seen.signal)
            and _matches(self.senders, seen.sender)
            and (
                not self.receivers
                or any(_matches(self.receivers, call.receiver) for call in seen.calls)
            )
            and (not self.failures or seen.has_failed)
            and seen.duration_ns > self.slower_than_ns
        )


def _matches(globs: tuple[str, ...], name: str) -> bool:
    if not globs:
        return True
    names = {name, unmarked(name)}
    names |= {each.rpartition(".")[2] for each in names}
    return any(name_matches(each, glob) for each in names for glob in globs)
