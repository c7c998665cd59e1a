"""What a test sees of a dispatch: the record, and beside it the objects themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.dispatch import Signal

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Outcome, ReceiverCall, SendMethod


class CapturedCall:
    """One receiver's part in a dispatch, with what it returned or raised."""

    __slots__ = ("exception", "receiver", "record", "response")

    def __init__(
        self, record: ReceiverCall, receiver: Any, response: Any, exception: BaseException | None
    ) -> None:
        self.record = record  # times, queries, the failure in words
        self.receiver = receiver  # None where it was not told: an override that raised
        self.response = response
        self.exception = exception

    @property
    def name(self) -> str:
        """``module.qualname`` of the receiver."""
        return self.record.receiver

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self.record.outcome

    @property
    def ran(self) -> bool:
        """Whether it was called: it is skipped if an earlier receiver raised."""
        return self.outcome is not Outcome.SKIPPED

    def __repr__(self) -> str:
        return f"<CapturedCall {self.name}: {self.outcome.value}>"


class CapturedDispatch:
    """One send, with the objects that were sent: nothing in it is copied, cut or redacted."""

    def __init__(
        self, record: Dispatch, signal: Signal, sender: Any, payload: dict[str, Any]
    ) -> None:
        self.record = record  # names, times, the caller, receiver calls in words
        self.signal = signal
        self.sender = sender
        self.payload = payload  # the arguments but the sender
        self.muted: tuple[Any, ...] = ()  # receivers that ``mute`` or ``only`` kept from it
        self.receivers: Sequence[Any] = ()
        self._responses: dict[int, Any] = {}
        self._exceptions: dict[int, BaseException] = {}

    @property
    def name(self) -> str:
        """The dotted name of the signal."""
        return self.record.signal

    @property
    def method(self) -> SendMethod:
        """The method of the signal that was called."""
        return self.record.method

    @property
    def outcome(self) -> Outcome:
        """How the send ended for its sender."""
        return self.record.outcome

    @property
    def calls(self) -> list[CapturedCall]:
        """The receiver calls in the order of Django's responses: sync, then async ones."""
        return [self._call(index, record) for index, record in enumerate(self.record.calls)]

    @property
    def failures(self) -> list[CapturedCall]:
        """The receiver calls that raised."""
        return [call for call in self.calls if call.outcome is Outcome.RAISED]

    def note_receivers(self, receivers: Sequence[Any]) -> None:
        """Note whom Django calls, in order."""
        self.receivers = receivers

    def note_response(self, index: int, response: Any) -> None:
        """Note what a receiver returned."""
        self._responses[index] = response

    def note_exception(self, index: int, error: BaseException) -> None:
        """Note what a receiver raised."""
        self._exceptions[index] = error

    def _call(self, index: int, record: ReceiverCall) -> CapturedCall:
        return CapturedCall(
            record,
            self.receivers[index] if index < len(self.receivers) else None,
            self._responses.get(index),
            self._exceptions.get(index),
        )

    def __repr__(self) -> str:
        # Names only: whoever shows more of a payload has to do it with care (see ``wording``).
        arguments = ", ".join(self.payload)
        return f"<CapturedDispatch {self.name} from {self.record.sender} ({arguments})>"
