"""The assertions: when they hold, and what the message of each shows when they do not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY, MagicMock

import pytest
from django.contrib.auth.models import User
from django.core.signals import got_request_exception
from django.dispatch import Signal

from signal_inspector.testing import (
    CapturedDispatches,
    capture_dispatches,
    mute,
    sending,
    where,
)
from tests.testing.shop import (
    Checkout,
    Order,
    account_closed,
    award_points,
    book_courier,
    connected,
    log_order,
    order_completed,
    order_placed,
    place,
)


@pytest.fixture
def sent() -> CapturedDispatches:
    """Two orders placed, one completed."""
    with capture_dispatches() as dispatches:
        place(1, channel="web")
        place(2, channel="telephone", password="secret")
        order_completed.send_robust(None)
    return dispatches


def message(assertion: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AssertionError) as raised:
        assertion(*args, **kwargs)
    return str(raised.value)


class TestSent:
    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"times": 2},
            {"sender": Checkout, "times": 2},
            {"payload": {"order": Order(2)}, "times": 1},
            {"payload": {"order": ANY, "channel": "web"}},
            {"payload": {"order": where(lambda order: order.number > 1)}, "times": 1},
            {"method": "send"},
        ],
    )
    def test_holds(self, sent: CapturedDispatches, asked: dict[str, Any]) -> None:
        """What is not asked may be anything; what is asked has to be equal."""
        found = sent.assert_sent(order_placed, **asked)
        assert found in sent
        assert found.signal is order_placed

    def test_by_name(self, sent: CapturedDispatches) -> None:
        """A signal may be given by its dotted name."""
        sent.assert_sent("tests.testing.shop.order_placed", times=2)

    def test_near_misses(self, sent: CapturedDispatches) -> None:
        """The nearest dispatch comes first, each with what differs, and others after them."""
        told = message(
            sent.assert_sent,
            order_placed,
            sender=None,
            payload={"order": Order(2), "channel": "post", "chanel": "post"},
        )
        lines = [line.strip() for line in told.splitlines()]
        name = "tests.testing.shop"
        assert lines[0] == (
            f"Expected {name}.order_placed from None with order=Order object, "
            "channel='post', chanel='post' to be sent; it was not sent."
        )
        assert lines[1] == "Sent instead:"
        assert lines[2].startswith(f"1. {name}.order_placed from {name}.Checkout by send() at ")
        assert lines[3].endswith("channel='telephone', password='secret'")
        assert lines[4:7] == [
            f"but sender is {name}.Checkout, not None",
            "but channel is 'telephone', not 'post'",
            "but has no chanel; it has channel='telephone'",
        ]
        assert lines[7].startswith("2.")
        assert (
            "but order is Order object, not Order object (two objects that are not equal)"
        ) in lines
        assert lines[-2] == "Other signals:"
        assert lines[-1].startswith(f"1. {name}.order_completed from None by send_robust() at ")

    def test_nothing_was_sent(self) -> None:
        """With nothing captured the message says so."""
        with capture_dispatches() as dispatches:
            pass
        told = message(dispatches.assert_sent, order_placed)
        assert told.endswith("Sent instead:\n    nothing was sent")

    def test_another_number_of_times(self, sent: CapturedDispatches) -> None:
        """A wrong number is told with the dispatches that were counted."""
        told = message(sent.assert_sent, order_placed, times=3)
        assert told.startswith(
            "Expected tests.testing.shop.order_placed to be sent 3 times; it was sent twice:"
        )
        assert "order_completed" not in told

    def test_a_comparison_that_raises(self, sent: CapturedDispatches) -> None:
        """An == that raises is a difference, and says what it raised."""
        told = message(
            sent.assert_sent, order_placed, payload={"channel": where(lambda _: 1 / 0, "odd")}
        )
        assert (
            "but channel is 'web', not <where odd> (comparing them raised ZeroDivisionError)"
        ) in told

    def test_many(self) -> None:
        """Of many dispatches only the nearest are shown, and the rest is counted."""
        with capture_dispatches() as dispatches:
            for number in range(30):
                place(number)
                account_closed.send(None)
        told = message(dispatches.assert_sent, order_placed, payload={"order": Order(99)})
        assert "and 25 more of this signal" in told
        assert "and 10 more" in told

    @pytest.mark.django_db
    def test_models_without_queries(self, django_assert_num_queries: Any) -> None:
        """A model instance is told by its key, and telling it asks the database nothing."""
        user = User.objects.create(username="ada")
        with capture_dispatches() as dispatches:
            order_placed.send(None, user=user, users=User.objects.all())
        with django_assert_num_queries(0):
            told = message(dispatches.assert_sent, order_placed, payload={"user": None})
        assert f"but user is auth.User:{user.pk}, not None" in told


class TestNotSent:
    def test_holds(self, sent: CapturedDispatches) -> None:
        """It holds for other signals, senders and arguments."""
        sent.assert_not_sent(account_closed)
        sent.assert_not_sent(order_placed, sender=Order)
        sent.assert_not_sent(order_placed, payload={"channel": "post"})
        sent.assert_not_sent(order_placed, method="asend")

    def test_message(self, sent: CapturedDispatches) -> None:
        """What was sent is shown."""
        told = message(sent.assert_not_sent, order_placed, payload={"channel": "web"})
        assert told.startswith(
            "Expected tests.testing.shop.order_placed with channel='web' not to be sent; "
            "it was sent once:"
        )
        assert "2." not in told

    def test_nothing_at_all(self, sent: CapturedDispatches) -> None:
        """assert_nothing_sent tells of everything there is."""
        told = message(sent.assert_nothing_sent)
        assert told.startswith("Expected nothing to be sent; 3 dispatches were sent:")
        with capture_dispatches() as nothing:
            pass
        nothing.assert_nothing_sent()


class TestOtherThreads:
    """What a thread sends that is not captured is told, and no assertion holds for lack of it."""

    @pytest.fixture
    def sent(self) -> Iterator[CapturedDispatches]:
        with capture_dispatches() as dispatches, connected(order_placed, log_order):
            place()
            thread = threading.Thread(target=place, name="mailer")
            thread.start()
            thread.join(30)
            order_completed.send(None)
            yield dispatches

    TOLD = (
        "tests.testing.shop.order_placed was sent once in the thread mailer, which is not "
        "captured. Use threads=True to capture all threads."
    )

    def test_what_was_not_sent(self, sent: CapturedDispatches) -> None:
        """The message of assert_sent() says that another thread has sent the signal."""
        assert self.TOLD in message(sent.assert_sent, order_placed, payload={"number": 2})
        assert self.TOLD in message(sent.assert_sent, order_placed, times=2)
        assert self.TOLD not in message(sent.assert_sent, account_closed)

    def test_what_was_not_received(self, sent: CapturedDispatches) -> None:
        """So does that of assert_received(), of signals that the receiver is connected to."""
        with connected(order_completed, book_courier):
            assert self.TOLD in message(sent.assert_received, log_order, sender=Order)
            assert self.TOLD not in message(sent.assert_received, book_courier)

    def test_not_sent(self, sent: CapturedDispatches) -> None:
        """assert_not_sent() fails for the signal, whatever it asks, and holds for others."""
        sent.clear()
        sent.assert_not_sent(order_placed)
        thread = threading.Thread(target=place, name="mailer")
        thread.start()
        thread.join(30)
        assert self.TOLD in message(sent.assert_not_sent, order_placed, sender=Order)
        assert self.TOLD in message(sent.assert_nothing_sent)
        assert self.TOLD in message(sent.assert_not_received, log_order)
        sent.assert_not_sent(order_completed)
        sent.assert_not_received(book_courier)

    def test_threads_that_are_captured(self) -> None:
        """With threads=True there is nothing to tell."""
        with capture_dispatches(threads=True) as dispatches:
            thread = threading.Thread(target=place)
            thread.start()
            thread.join(30)
        dispatches.assert_sent(order_placed, times=1)
        assert "thread" not in message(dispatches.assert_not_sent, order_placed)


class TestExpect:
    def test_holds(self, sent: CapturedDispatches) -> None:
        """It is about the block alone, not about what was sent before or after it."""
        with capture_dispatches() as dispatches:
            place()
            with dispatches.expect(order_placed, times=1):
                place()
            with dispatches.expect("tests.testing.shop.order_placed", times=0):
                order_completed.send(None)
            with dispatches.expect(order_completed, sender=Order), dispatches.expect(order_placed):
                order_completed.send(Order)
                place()
                place()

    def test_message(self) -> None:
        """It fails as assert_sent() and assert_not_sent() do, when the block ends."""

        def expects(sent_in_it: int, times: int | None = None) -> None:
            with dispatches.expect(order_placed, times=times):
                for _ in range(sent_in_it):
                    place()

        with capture_dispatches() as dispatches:
            place()
            assert message(expects, 0).startswith("Expected tests.testing.shop.order_placed")
            assert message(expects, 2, times=1).startswith(
                "Expected tests.testing.shop.order_placed to be sent once; it was sent twice:"
            )
            assert message(expects, 1, times=0).startswith(
                "Expected tests.testing.shop.order_placed not to be sent; it was sent"
            )

    def test_a_block_that_raises(self) -> None:
        """The exception of the block is raised, and no assertion hides it."""
        with (
            capture_dispatches() as dispatches,
            pytest.raises(ZeroDivisionError),
            dispatches.expect(order_placed),
        ):
            raise ZeroDivisionError

    def test_a_signal_that_is_not_captured(self) -> None:
        """It is refused before the block runs."""
        with capture_dispatches() as dispatches, pytest.raises(ValueError, match="not captured"):
            dispatches.expect(got_request_exception)


class TestWhatCannotFail:
    """An assertion that could say nothing is refused: it would hold whatever happens."""

    def test_a_signal_that_is_not_captured(self, sent: CapturedDispatches) -> None:
        """Of a signal that settings leave out nothing can be said, in no assertion."""
        for assertion in (sent.assert_sent, sent.assert_not_sent, sent.assert_no_failures):
            with pytest.raises(ValueError, match="got_request_exception is not captured here"):
                assertion(got_request_exception)
        with pytest.raises(ValueError, match="is not captured here"):
            sent.assert_sent_in_order([order_placed, got_request_exception])

    def test_a_signal_outside_of_the_filter(self) -> None:
        """Nor of one that the capture was not told of."""
        with capture_dispatches(order_completed) as dispatches:
            place()
        with pytest.raises(ValueError, match="order_placed is not captured here"):
            dispatches.assert_not_sent(order_placed)

    def test_a_receiver_of_such_signals_alone(self, sent: CapturedDispatches) -> None:
        """Nor of a receiver that hears only what is not captured."""
        with (
            connected(got_request_exception, log_order),
            pytest.raises(ValueError, match=r"log_order .* is not captured here"),
        ):
            sent.assert_not_received(log_order)

    def test_names_without_a_signal(self, sent: CapturedDispatches) -> None:
        """A name that nobody has is an error."""
        with pytest.raises(ValueError, match=r"No loaded module has a signal 'shop\.placed'"):
            sent.assert_not_sent("shop.placed")
        with pytest.raises(TypeError, match="not function"):
            sent.assert_not_sent(log_order)  # type: ignore[arg-type]

    def test_never(self, sent: CapturedDispatches) -> None:
        """times=0 has assertions of its own."""
        with pytest.raises(ValueError, match="assert_not_sent"):
            sent.assert_sent(order_placed, times=0)
        with pytest.raises(ValueError, match="assert_not_received"):
            sent.assert_received(log_order, times=0)

    def test_what_is_no_receiver(self, sent: CapturedDispatches) -> None:
        """A signal or a name in the place of a receiver is refused."""
        with pytest.raises(TypeError, match="is a signal"):
            sent.assert_received(order_placed)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="is not callable"):
            sent.assert_not_received("log_order")  # type: ignore[arg-type]


class TestOrder:
    def test_holds(self, sent: CapturedDispatches) -> None:
        """Others may be in between; exact means that there are none."""
        second = sending(order_placed, payload={"order": Order(2)})
        sent.assert_sent_in_order([order_placed, order_completed])
        sent.assert_sent_in_order([second, "tests.testing.shop.order_completed"])
        sent.assert_sent_in_order([order_placed, second, order_completed], exact=True)

    def test_message(self, sent: CapturedDispatches) -> None:
        """The first that is out of order is pointed at, and why."""
        told = message(sent.assert_sent_in_order, [order_completed, order_placed])
        assert "2. tests.testing.shop.order_placed   <-- was sent earlier only" in told
        told = message(sent.assert_sent_in_order, [order_placed, account_closed])
        assert "2. tests.testing.shop.account_closed   <-- was not sent" in told
        assert "What was sent:" in told

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            ([order_placed, order_completed], "<-- here tests.testing.shop.order_placed was sent"),
            ([order_placed, order_placed], "and 1 dispatch more"),
            (
                [order_placed, order_placed, order_completed, account_closed],
                "4. tests.testing.shop.account_closed   <-- was not sent",
            ),
            (
                [sending(order_placed, payload={"channel": "post"})],
                "was sent, but channel is 'web', not 'post'",
            ),
        ],
    )
    def test_exact(self, sent: CapturedDispatches, asked: list[Any], why: str) -> None:
        """With exact, what is missing, too much, or not as asked is told."""
        assert why in message(sent.assert_sent_in_order, asked, exact=True)


class TestReceived:
    def test_holds(self) -> None:
        """By receiver, signal, sender, payload and number; raising does not matter."""
        with connected(order_placed, log_order, award_points), capture_dispatches() as dispatches:
            order_placed.send_robust(Checkout, order=Order(1))
            order_completed.send(None)
        call = dispatches.assert_received(
            log_order, signal=order_placed, sender=Checkout, times=1, payload={"order": Order(1)}
        )
        assert call.response == "logged"
        dispatches.assert_received(award_points)
        dispatches.assert_not_received(log_order, signal=order_completed)
        dispatches.assert_not_received(log_order, payload={"order": Order(2)})

    def test_mocks_are_told_apart(self) -> None:
        """Two mocks have one name, and are two receivers."""
        one, other = MagicMock(), MagicMock()
        with connected(order_placed, one), capture_dispatches() as dispatches:
            place()
        dispatches.assert_received(one)
        dispatches.assert_not_received(other)

    def test_called_otherwise(self) -> None:
        """A call that is not as asked is shown with what differs."""
        with connected(order_placed, log_order), capture_dispatches() as dispatches:
            place(1)
        told = message(dispatches.assert_received, log_order, payload={"order": 7}, sender=None)
        assert told.startswith(
            "Expected tests.testing.shop.log_order to be called; it was not called.\n"
            "  Called instead:"
        )
        assert "but sender is tests.testing.shop.Checkout, not None" in told
        assert "but order is Order object, not 7" in told

    def test_another_number_of_times(self) -> None:
        """So is a wrong number of calls, and a call that was not to be."""
        with connected(order_placed, log_order), capture_dispatches() as dispatches:
            place()
        told = message(dispatches.assert_received, log_order, times=2)
        assert told.startswith(
            "Expected tests.testing.shop.log_order to be called twice; it was called once."
        )
        told = message(dispatches.assert_not_received, log_order)
        assert told.startswith(
            "Expected tests.testing.shop.log_order not to be called; it was called once."
        )

    def test_why_it_was_skipped(self) -> None:
        """A receiver after one that raised is told to be skipped."""
        with (
            connected(order_placed, award_points, log_order),
            capture_dispatches() as dispatches,
            pytest.raises(KeyError),
        ):
            place()
        told = message(dispatches.assert_received, log_order)
        assert (
            "it was skipped, because an earlier receiver (tests.testing.shop.award_points) raised."
        ) in told

    def test_why_it_was_muted(self) -> None:
        """A muted one to be muted, though it is no longer."""
        with (
            connected(order_placed, log_order),
            capture_dispatches() as dispatches,
            mute(log_order),
        ):
            place()
        assert "order_placed: it was muted." in message(dispatches.assert_received, log_order)

    def test_why_another_sender(self) -> None:
        """One that listens to another sender, that it does."""
        with (
            connected(order_placed, log_order, sender=Order),
            capture_dispatches() as dispatches,
        ):
            place()
        told = message(dispatches.assert_received, log_order)
        assert "it was connected, but listens only to sender tests.testing.shop.Order." in told

    def test_why_not_connected(self) -> None:
        """One that was never connected, or only afterwards, that it was not."""
        with capture_dispatches() as dispatches:
            place()
        told = message(dispatches.assert_received, log_order)
        assert "It is not connected to any of the signals that were sent." in told
        with connected(order_placed, log_order):
            told = message(dispatches.assert_received, log_order)
        assert "it is connected now, but was not connected when the signal was sent." in told


class TestFailures:
    @pytest.fixture
    def failed(self) -> CapturedDispatches:
        with connected(order_placed, award_points, log_order), capture_dispatches() as dispatches:
            order_placed.send_robust(Checkout)
            order_completed.send(None)
        return dispatches

    def test_none(self, failed: CapturedDispatches) -> None:
        """Signals whose receivers did not raise have no failures."""
        failed.assert_no_failures(order_completed)

    def test_some(self, failed: CapturedDispatches) -> None:
        """Each failure is shown with its traceback, swallowed or not."""
        told = message(failed.assert_no_failures)
        assert told.startswith("1 receiver raised:\n  1. tests.testing.shop.award_points, of ")
        assert "in award_points" in told
        assert "KeyError: 'no account'" in told

    def test_asserted(self, failed: CapturedDispatches) -> None:
        """assert_failed gives the exception, and tells if there was none or another."""
        assert failed.assert_failed(award_points, (KeyError, OSError)).args == ("no account",)
        told = message(failed.assert_failed, award_points, OSError)
        assert told.startswith(
            "Expected tests.testing.shop.award_points to raise OSError; it did not."
        )
        assert "(raised, swallowed: KeyError)" in told
        assert "it was not called" in message(failed.assert_failed, place)


@pytest.mark.django_db
class TestQueries:
    def test_holds_and_fails(self) -> None:
        """Each call is counted for itself; the message has the statements with their numbers."""

        def asks(times: int, **kwargs: Any) -> None:
            for _ in range(times):
                User.objects.count()

        with connected(order_placed, asks), capture_dispatches() as dispatches:
            order_placed.send(None, times=1)
            order_placed.send(None, times=3)
        dispatches.assert_max_queries_per_receiver(3)
        dispatches.assert_max_queries_per_receiver(0, order_completed)
        told = message(dispatches.assert_max_queries_per_receiver, 2)
        assert told.startswith("More than 2 queries in one call of a receiver:")
        assert "asks (tests/testing/test_assertions.py:" in told
        assert ", of tests.testing.shop.order_placed: 3 queries" in told
        assert '3 × SELECT COUNT(*) AS "__count" FROM "auth_user"' in told
        assert "1 query" not in told


def test_anonymous_signals(sent: CapturedDispatches) -> None:
    """A signal that no module holds is called after the place where it was made."""
    signal = Signal()
    told = message(sent.assert_sent, signal)
    assert told.startswith(f"Expected {__name__}:")
