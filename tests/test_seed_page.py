"""The page on custom signals that this project grew from: all that it shows, under the wrapper."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.dispatch import Signal, receiver
from django.test import TestCase

from signal_inspector import Dispatch, Outcome, capture
from signal_inspector.core import internal_errors

# Definitions, as in somebody's signals.py.
order_placed = Signal()
order_completed = Signal()
user_verified = Signal()
comment_flagged = Signal()
payment_failed = Signal()
my_signal = Signal()

SIGNALS = (
    order_placed,
    order_completed,
    user_verified,
    comment_flagged,
    payment_failed,
    my_signal,
)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Nothing of ours failed in silence, and no receiver of one test meets another."""
    before = {signal: list(signal.receivers) for signal in SIGNALS}
    yield
    for signal, receivers in before.items():
        signal.receivers = receivers
    assert internal_errors.counts() == {}


@dataclass
class Order:
    id: int


@dataclass
class User:
    email: str


# A receiver, as in somebody's receivers.py.
@receiver(order_completed)
def send_invoice_email(sender: Any, order: Order, user: User, **kwargs: Any) -> None:
    print(f"Invoice sent to {user.email} for order #{order.id}")


class CheckoutView:
    """Some view or service."""

    def place(self) -> Any:
        return order_placed.send(sender=self.__class__)

    def complete(self, order: Order, user: User) -> Any:
        return order_completed.send(sender=self.__class__, order=order, user=user)


def receivers_of(dispatch: Dispatch) -> list[str]:
    return [call.receiver.rpartition(".")[2] for call in dispatch.calls]


class TestDefining:
    def test_a_signal_without_arguments(self) -> None:
        """Signal() defines a signal, which is known by its module and name."""
        with capture() as dispatches:
            CheckoutView().place()
        assert dispatches[0].signal == f"{__name__}.order_placed"

    def test_the_old_providing_args_are_refused_as_in_django(self) -> None:
        """Signal(providing_args=[...]), of Django before 4.0, raises Django's own TypeError."""
        with pytest.raises(TypeError, match=r"Signal\.__init__\(\).*'providing_args'"):
            Signal(providing_args=["order", "user"])  # type: ignore[call-arg]


class TestSending:
    def test_from_a_service_by_its_class(self) -> None:
        """send(sender=self.__class__) is recorded with that class as the sender."""
        with capture() as dispatches:
            assert CheckoutView().place() == []
        [dispatch] = dispatches
        assert dispatch.sender == f"{__name__}.CheckoutView"
        assert dispatch.caller is not None
        assert dispatch.caller.function == "CheckoutView.place"

    def test_with_arguments(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Order and user reach the receiver, and are in the record."""
        with capture() as dispatches:
            CheckoutView().complete(Order(7), User("ada@example.com"))
        assert capsys.readouterr().out == "Invoice sent to ada@example.com for order #7\n"
        assert list(dispatches[0].payload or {}) == ["order", "user"]

    def test_a_decorated_receiver_is_recorded(self) -> None:
        """A receiver that @receiver connected is named as its module names it."""
        with capture() as dispatches:
            CheckoutView().complete(Order(7), User("ada@example.com"))
        assert receivers_of(dispatches[0]) == ["send_invoice_email"]
        assert dispatches[0].calls[0].outcome is Outcome.RETURNED


class TestSendAndSendRobust:
    @pytest.fixture(autouse=True)
    def _receivers(self) -> None:
        self.ran = ran = list[str]()

        def breaks(**kwargs: Any) -> None:
            raise RuntimeError("no printer")

        def goes_on(**kwargs: Any) -> None:
            ran.append("goes_on")

        order_placed.connect(breaks)
        order_placed.connect(goes_on)
        self.alive = breaks, goes_on  # Django refers to receivers weakly

    def test_send_raises_the_error_of_any_receiver(self) -> None:
        """send() raises, the next receiver does not run, and the record says both."""
        with capture() as dispatches, pytest.raises(RuntimeError, match="no printer"):
            order_placed.send(sender=None)
        assert self.ran == []
        outcomes = [call.outcome for call in dispatches[0].calls]
        assert outcomes == [Outcome.RAISED, Outcome.SKIPPED]

    def test_send_robust_catches_logs_and_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        """send_robust() returns and logs the error and runs the next receiver, as recorded."""
        with capture() as dispatches, caplog.at_level(logging.ERROR, "django.dispatch"):
            responses = order_placed.send_robust(sender=None)
        assert self.ran == ["goes_on"]
        assert type(responses[0][1]) is RuntimeError
        assert len(caplog.records) == 1
        outcomes = [call.outcome for call in dispatches[0].calls]
        assert outcomes == [Outcome.RAISED, Outcome.RETURNED]


class CustomSignalTest(TestCase):
    """The page's own test."""

    def test_custom_signal(self) -> None:
        """A MagicMock, connected weakly and sent to once, was called once."""
        mock_handler = MagicMock()
        my_signal.connect(mock_handler)

        my_signal.send(sender=self.__class__, data="test")
        mock_handler.assert_called_once()

    def test_custom_signal_recorded(self) -> None:
        """The same while it is recorded; the mock has seen nothing but its call."""
        mock_handler = MagicMock()
        my_signal.connect(mock_handler)

        with capture() as dispatches:
            my_signal.send(sender=self.__class__, data="test")
        mock_handler.assert_called_once_with(signal=my_signal, sender=self.__class__, data="test")
        assert len(mock_handler.mock_calls) == 1
        [dispatch] = dispatches
        assert dispatch.sender == f"{__name__}.CustomSignalTest"
        assert (dispatch.payload or {})["data"].value == "test"
        assert dispatch.calls[0].receiver.startswith("unittest.mock.MagicMock")


class TestUseCases:
    @pytest.mark.parametrize(
        ("signal", "name"),
        [
            (user_verified, "user_verified"),
            (comment_flagged, "comment_flagged"),
            (payment_failed, "payment_failed"),
        ],
    )
    def test_several_receivers_of_one_signal(self, signal: Signal, name: str) -> None:
        """Each receiver of a use case runs, in the order connected, and is in the record."""
        ran: list[str] = []

        def first(**kwargs: Any) -> None:
            ran.append("first")

        def second(**kwargs: Any) -> None:
            ran.append("second")

        signal.connect(first)
        signal.connect(second)
        with capture() as dispatches:
            signal.send_robust(sender=User, user=User("ada@example.com"))
        assert ran == ["first", "second"]
        assert dispatches[0].signal == f"{__name__}.{name}"
        assert receivers_of(dispatches[0]) == ["first", "second"]
