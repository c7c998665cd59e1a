"""Some of the signals, and some of their receivers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.apps import apps

from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry
from signal_inspector.catalog.matching import matches, sender_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for; an empty text is no condition."""

    app: str = ""  # label or name of an installed app that defines the signal or a receiver
    signal: str = ""
    receiver: str = ""
    sender: str = ""  # the one that a receiver is limited to

    def has_signal(self, entry: SignalEntry) -> bool:
        """Whether the signal is one of those asked for, its receivers aside."""
        return not self.signal or matches(self.signal, entry.signal)

    def has_receiver(self, signal: SignalEntry, receiver: ReceiverEntry) -> bool:
        """Whether this receiver of a signal that is asked for is, too."""
        if self.receiver and not matches(self.receiver, receiver.receiver):
            return False
        if self.sender and not self._has_sender(receiver):
            return False
        return not self.app or self._is_of_app(signal.signal) or self._is_of_app(receiver.receiver)

    def has_bare(self, entry: SignalEntry) -> bool:
        """Whether the signal is asked for even if none of its receivers are."""
        if self.receiver or self.sender:
            return False
        return not self.app or self._is_of_app(entry.signal)

    def _is_of_app(self, name: str) -> bool:
        config = apps.get_containing_app_config(name)
        return config is not None and self.app in (config.label, config.name)

    def _has_sender(self, receiver: ReceiverEntry) -> bool:
        if receiver.sender is None:
            return False
        if receiver.sender in sender_names(self.sender):
            return True
        return not receiver.is_pending and matches(self.sender, receiver.sender)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A signal, and which of its receivers are asked for."""

    entry: SignalEntry
    #: With the place in the order of execution, from 1 on; None of what is not called.
    receivers: tuple[tuple[int | None, ReceiverEntry], ...]
    left_out: int  # receivers that are not asked for


def select(entries: Sequence[SignalEntry], wanted: Wanted) -> Iterator[Selected]:
    """The signals that are asked for, with those of their receivers that are."""
    for entry in entries:
        if not wanted.has_signal(entry):
            continue
        everyone = list(in_order(entry))
        receivers = tuple(pair for pair in everyone if wanted.has_receiver(entry, pair[1]))
        if receivers or wanted.has_bare(entry):
            yield Selected(
                entry=entry, receivers=receivers, left_out=len(everyone) - len(receivers)
            )


def in_order(entry: SignalEntry) -> Iterator[tuple[int | None, ReceiverEntry]]:
    """All receivers of a signal, those that are called first, with their places."""
    place = 0
    for receiver in entry.receivers:
        place += not receiver.is_dead
        yield (None if receiver.is_dead else place), receiver
    for receiver in (*entry.senderless, *entry.taken_out, *entry.pending):
        yield None, receiver
