"""Signals and senders of a world."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from django.dispatch import Signal

from tests.differential.describe import Unhashable
from tests.differential.spec import Method, SignalKind, SignalSpec


def _super_class() -> type[Signal]:
    class Super(Signal):
        """Overrides everything, and hands it on."""

        def send(self, sender: Any, **named: Any) -> Any:
            return super().send(sender, **named)

        def send_robust(self, sender: Any, **named: Any) -> Any:
            return super().send_robust(sender=sender, **named)

        async def asend(self, sender: Any, **named: Any) -> Any:
            return await super().asend(sender, **named)

        async def asend_robust(self, sender: Any, **named: Any) -> Any:
            return await super().asend_robust(sender, **named)

    return Super


Super = _super_class()


class Alone(Signal):
    """Does on its own what it needs of a send."""

    def send(self, sender: Any, **named: Any) -> Any:
        receivers, _ = self._live_receivers(sender)
        return [
            (receiver, receiver(signal=self, sender=sender, **named)) for receiver in receivers
        ]

    def send_robust(self, sender: Any, **named: Any) -> Any:
        responses = []
        for receiver in self._live_receivers(sender)[0]:
            try:
                responses.append((receiver, receiver(signal=self, sender=sender, **named)))
            except Exception as error:
                responses.append((receiver, error))
        return responses

    async def asend(self, sender: Any, **named: Any) -> Any:
        receivers, async_receivers = self._live_receivers(sender)
        responses = [
            (receiver, receiver(signal=self, sender=sender, **named)) for receiver in receivers
        ]
        for receiver in async_receivers:
            response = await receiver(signal=self, sender=sender, **named)
            responses.append((receiver, response))
        return responses


class Asend(Signal):
    """Overrides the async methods."""

    async def asend(self, sender: Any, **named: Any) -> Any:
        return await super().asend(sender, **named)

    async def asend_robust(self, sender: Any, **named: Any) -> Any:
        responses = await super().asend_robust(sender, **named)
        return list(responses)


class Renamed(Signal):
    """Must be sent by another name."""

    def send(self, sender: Any, **named: Any) -> Any:
        raise NotImplementedError("send_by_name() is what to call")

    def send_by_name(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, **named)


_CLASSES: dict[SignalKind, Callable[[], type[Signal]]] = {
    SignalKind.PLAIN: lambda: Signal,
    SignalKind.SUPER: lambda: Super,
    SignalKind.FRESH: _super_class,
    SignalKind.ALONE: lambda: Alone,
    SignalKind.ASEND: lambda: Asend,
    SignalKind.RENAMED: lambda: Renamed,
}


def make(spec: SignalSpec) -> Signal:
    return _CLASSES[spec.kind]()(use_caching=spec.caching)


class _Sender:
    """A sender, by class or by instance."""


class _Equal:
    """Equal to all others, and hashed like them: only identity tells them apart."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Equal)

    def __hash__(self) -> int:
        return 1


SENDERS = 7


def make_senders() -> list[Any]:
    """None, a class, instances, a string, and what cannot be hashed or weakly referenced."""
    return [None, _Sender, _Sender(), "checkout", Unhashable("sender"), _Equal(), _Equal()]


def method_of(signal: Signal, method: Method) -> Any:
    """The method to call."""
    is_renamed = isinstance(signal, Renamed) and method is Method.SEND
    return signal.send_by_name if is_renamed else getattr(signal, method)


def can_be_recorded(signal: Signal, method: Method, sender: Any) -> bool:
    """Whether a send gets as far as where the inspector stands.

    Signal's own methods stumble before that over a sender that their cache cannot take.
    """
    overrides = any(
        method in kind.__dict__ for kind in type(signal).__mro__[: -len(Signal.__mro__)]
    )
    if overrides and not isinstance(signal, Renamed):
        return True
    try:
        signal.receivers and signal.sender_receivers_cache.get(sender)
    except TypeError:
        return False
    return True


def warn_about_sender() -> None:
    """Warn in the name of whoever called send() for the receiver that calls this."""
    warnings.warn("sent", UserWarning, stacklevel=7)
