"""capture_dispatches: what belongs to a capture, what it gives, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import time
import unittest
import weakref
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.signals import got_request_exception
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector import Sink, capture, suppress
from signal_inspector.core import internal_errors
from signal_inspector.core.record import queries
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import instrument
from signal_inspector.testing import CapturedDispatches, capture_dispatches
from tests.listening import ROOT, listening, unknown_django
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


def names(dispatches: CapturedDispatches) -> list[str]:
    return [sent.name.rpartition(".")[2] for sent in dispatches]


def in_thread(function: Any, *args: Any) -> None:
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join(30)


class TestWhatItGives:
    def test_the_objects_themselves(self) -> None:
        """Signal, sender, arguments, receivers, responses: each is the user's own object."""
        order, secret = Order(1), {"password": "secret"}
        with connected(order_placed, log_order), capture_dispatches() as dispatches:
            order_placed.send(Checkout, order=order, secret=secret)
        [sent] = dispatches
        assert sent.signal is order_placed
        assert sent.sender is Checkout
        assert sent.payload["order"] is order
        assert sent.payload["secret"] is secret
        [call] = sent.calls
        assert (call.receiver, call.response, call.exception) == (log_order, "logged", None)
        assert sent.method is SendMethod.SEND
        assert sent.record.caller is not None
        assert sent.record.caller.path == __file__

    def test_exceptions(self) -> None:
        """The exception of a receiver is at hand, raised or swallowed; who was skipped is told."""
        with connected(order_placed, award_points, log_order), capture_dispatches() as dispatches:
            with pytest.raises(KeyError) as raised:
                place()
            [(_, swallowed), _] = order_placed.send_robust(Checkout)
        first, second = dispatches
        assert [call.exception for call in first.calls] == [raised.value, None]
        assert [call.ran for call in first.calls] == [True, False]
        assert first.calls[1].receiver is log_order
        assert [call.exception for call in second.calls] == [swallowed, None]
        assert [call.response for call in second.calls] == [None, "logged"]
        assert second.failures[0].name.endswith("award_points")

    def test_async_receivers(self) -> None:
        """On the async path as on the fast one, sync receivers first."""
        with connected(order_placed, book_courier, log_order), capture_dispatches() as dispatches:
            place()
            asyncio.run(order_placed.asend_robust(Checkout))
        for sent in dispatches:
            found = [(call.receiver, call.response) for call in sent.calls]
            assert found == [(log_order, "logged"), (book_courier, "booked")]

    def test_an_unknown_django(self) -> None:
        """Where our own loop is not used, the same objects are given."""
        with (
            unknown_django(),
            connected(order_placed, log_order, award_points),
            capture_dispatches() as dispatches,
        ):
            order_placed.send_robust(Checkout)
        found = [(call.receiver, call.response) for call in dispatches[0].calls]
        assert found == [(log_order, "logged"), (award_points, None)]
        assert isinstance(dispatches[0].calls[1].exception, KeyError)

    @pytest.mark.parametrize("calls_super", [True, False])
    def test_overriding_subclasses(self, calls_super: bool) -> None:
        """A subclass with a send() of its own is captured once, with its receivers."""

        class Own(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                if calls_super:
                    return super().send(sender, **named)
                receivers, _ = self._live_receivers(sender)
                return [(each, each(signal=self, sender=sender, **named)) for each in receivers]

        own = Own()
        own.connect(log_order)
        with capture_dispatches() as dispatches:
            own.send(Checkout, number=1)
        [sent] = dispatches
        assert sent.payload == {"number": 1}
        assert [(call.receiver, call.response) for call in sent.calls] == [(log_order, "logged")]

    def test_the_order_is_that_of_the_starts(self) -> None:
        """A nested dispatch comes after the one in whose receiver it was sent."""

        def completes(**kwargs: Any) -> None:
            order_completed.send(None)

        with connected(order_placed, completes), capture_dispatches() as dispatches:
            place()
            account_closed.send(None)
        assert names(dispatches) == ["order_placed", "order_completed", "account_closed"]


class TestWhichSignals:
    def test_settings_decide(self) -> None:
        """Without a word, what INCLUDE and EXCLUDE let through is captured."""
        with capture_dispatches() as dispatches:
            place()
            got_request_exception.send(None)
        assert names(dispatches) == ["order_placed"]

    @pytest.mark.parametrize(
        "signal",
        [got_request_exception, "django.core.signals.got_request_exception", "django.*.got_*"],
    )
    def test_named_outright(self, signal: Signal | str) -> None:
        """A signal that is named, by itself or by its name, is captured whatever settings say."""
        with capture_dispatches(signal) as dispatches:
            place()
            got_request_exception.send(None)
        assert names(dispatches) == ["got_request_exception"]

    def test_also(self) -> None:
        """also= adds to what settings let through, and so does also() later."""
        with capture_dispatches(also=[got_request_exception]) as dispatches:
            place()
            got_request_exception.send(None)
        assert names(dispatches) == ["order_placed", "got_request_exception"]
        with capture_dispatches() as dispatches:
            got_request_exception.send(None)
            dispatches.also(got_request_exception)
            got_request_exception.send(None)
        assert names(dispatches) == ["got_request_exception"]

    @pytest.mark.django_db
    def test_a_model_signal(self) -> None:
        """post_save, which caches its receivers, with the instance itself."""
        with capture_dispatches(post_save) as dispatches:
            user = User.objects.create(username="ada")
        dispatches.assert_sent(post_save, sender=User, payload={"instance": user, "created": True})
        assert dispatches[0].payload["instance"] is user

    def test_unknown_names(self) -> None:
        """A name that no signal has is an error, with the one that was probably meant."""
        with (
            pytest.raises(ValueError, match=r"Did you mean 'tests\.testing\.shop\.order_placed'"),
            capture_dispatches("tests.testing.shop.order_plced"),
        ):
            pass

    @override_settings(SIGNAL_INSPECTOR={"EXCLUDE": ["tests.testing.*"]})
    def test_excluded_ones(self) -> None:
        """What the project excludes is left out, and captured where it is named."""
        with capture_dispatches() as dispatches, capture_dispatches(order_placed) as named:
            place()
        assert (names(dispatches), names(named)) == ([], ["order_placed"])

    def test_nobody_else_hears_of_it(self) -> None:
        """Sinks and captures of others hear nothing of a signal that one capture asked for."""
        heard: list[str] = []

        class Hears(Sink):
            def dispatch_finished(self, dispatch: Dispatch) -> None:
                heard.append(dispatch.signal.rpartition(".")[2])

        def places(**kwargs: Any) -> None:
            with capture() as inner:
                place()
            recorded.append(len(inner))

        recorded: list[int] = []
        with (
            listening(Hears()),
            capture() as outer,
            connected(got_request_exception, places),
            capture_dispatches(got_request_exception) as dispatches,
        ):
            got_request_exception.send(None)
        assert names(dispatches) == ["got_request_exception"]
        # What its receiver sent is heard by all as ever.
        assert heard == ["order_placed"]
        assert [each.signal.rpartition(".")[2] for each in outer] == ["order_placed"]
        assert recorded == [1]


class TestWhere:
    def test_tasks_and_threads_of_asgiref(self) -> None:
        """What the context starts by asyncio or asgiref belongs to it."""

        async def main() -> None:
            await asyncio.gather(sync_to_async(place)(1), asyncio.to_thread(place, 2))
            await asyncio.create_task(order_completed.asend(None))

        with capture_dispatches() as dispatches:
            asyncio.run(main())
        assert sorted(names(dispatches)) == ["order_completed", "order_placed", "order_placed"]

    @pytest.mark.parametrize("threads", [True, False])
    def test_plain_threads(self, threads: bool) -> None:
        """What plain threads send belongs to it if that is asked for."""
        with capture_dispatches(threads=threads) as dispatches:
            in_thread(place)
            place(2)
        assert [sent.payload["order"].number for sent in dispatches] == [1, 2] if threads else [2]

    def test_a_thread_with_a_capture_of_its_own(self) -> None:
        """A thread that captures is heard by itself, and by those who hear all threads."""

        def captures() -> None:
            with capture_dispatches() as inner:
                place()
            found.append(names(inner))

        found: list[list[str]] = []
        with capture_dispatches(threads=True) as outer, capture_dispatches() as mine:
            in_thread(captures)
        assert found == [["order_placed"]]
        assert (names(outer), names(mine)) == (["order_placed"], [])

    def test_a_context_from_before(self) -> None:
        """Code of the same thread belongs to it, also in a context that was made before."""
        import contextvars

        before = contextvars.copy_context()
        with capture_dispatches() as dispatches:
            before.run(place)
        assert names(dispatches) == ["order_placed"]

    def test_they_nest(self) -> None:
        """An inner capture takes nothing from an outer one."""
        with capture_dispatches() as outer:
            with capture_dispatches() as inner:
                place()
            order_completed.send(None)
        assert (names(outer), names(inner)) == (
            ["order_placed", "order_completed"],
            ["order_placed"],
        )

    def test_suppressed(self) -> None:
        """What suppress() keeps from being recorded is not captured."""
        with capture_dispatches() as dispatches, suppress():
            place()
        assert names(dispatches) == []


@capture_dispatches()
def decorated(value: int, dispatches: CapturedDispatches) -> tuple[int, list[str]]:
    place()
    return value, names(dispatches)


@capture_dispatches(order_completed)
async def decorated_async(dispatches: CapturedDispatches) -> list[str]:
    place()
    await order_completed.asend(None)
    return names(dispatches)


class TestDecorating:
    def test_a_function(self) -> None:
        """It gets a capture of its own at each call."""
        assert decorated(7) == (7, ["order_placed"])  # type: ignore[call-arg]
        assert decorated(7) == (7, ["order_placed"])  # type: ignore[call-arg]

    def test_a_coroutine_function(self) -> None:
        """So does a coroutine function, which stays one."""
        assert asyncio.iscoroutinefunction(decorated_async)
        assert asyncio.run(decorated_async()) == ["order_completed"]  # type: ignore[call-arg]

    def test_a_class(self) -> None:
        """Each test of a class has one as self.dispatches, sync and async, inherited or not."""
        seen: list[list[str]] = []

        class Base(unittest.IsolatedAsyncioTestCase):
            dispatches: CapturedDispatches

            async def test_async(self) -> None:
                await order_placed.asend(None)
                seen.append(names(self.dispatches))

        @capture_dispatches()
        class ShopTest(Base):
            def test_sync(self) -> None:
                place()
                place()
                seen.append(names(self.dispatches))

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(ShopTest).run(result)
        assert result.wasSuccessful(), result.errors
        assert seen == [["order_placed"], ["order_placed", "order_placed"]]

    def test_a_class_from_its_set_up_on(self) -> None:
        """Of a test case what set-up and clean-ups send belongs to it, in subclasses too."""
        seen: list[list[str]] = []

        @capture_dispatches()
        class Base(unittest.TestCase):
            dispatches: CapturedDispatches

            def setUp(self) -> None:
                order_completed.send(None)
                self.addCleanup(lambda: seen.append(names(self.dispatches)))

        class ShopTest(Base):
            def test_places(self) -> None:
                place()

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(ShopTest).run(result)
        assert result.wasSuccessful(), result.errors
        assert seen == [["order_completed", "order_placed"]]

    def test_a_generator(self) -> None:
        """A generator would run outside of it, and is refused."""
        with pytest.raises(TypeError, match="cannot decorate the generator"):

            @capture_dispatches()
            def generates(dispatches: CapturedDispatches) -> Any:
                yield

    def test_without_the_argument(self) -> None:
        """A function that has no room for it is refused when it is decorated."""
        with pytest.raises(TypeError, match="no argument `dispatches`"):

            @capture_dispatches()
            def test_something() -> None: ...


class TestLettingGo:
    def test_nothing_lives_on(self) -> None:
        """When the list is gone, so is all that it held: arguments, senders, exceptions."""

        class Thing:
            pass

        def fails(sender: Any, **kwargs: Any) -> None:
            raise LookupError(sender)

        thing = Thing()
        reference = weakref.ref(thing)
        with connected(order_placed, fails), capture_dispatches(threads=True) as dispatches:
            with contextlib.suppress(LookupError):
                order_placed.send(thing, thing=thing)
            with contextlib.suppress(LookupError):
                asyncio.run(order_placed.asend(thing, thing=thing))
        assert isinstance(dispatches[0].calls[0].exception, LookupError)
        assert dispatches[1].sender is thing
        del thing
        dispatches.clear()
        # The thread of asend()'s sync receivers may be about to let go of its last call.
        deadline = time.monotonic() + 60
        while reference() is not None and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.01)
        assert reference() is None

    def test_a_context_that_lives_on(self) -> None:
        """A context that was copied inside, and outlives it, holds nothing of it."""
        import contextvars

        class Thing:
            pass

        thing = Thing()
        reference = weakref.ref(thing)
        with capture_dispatches() as dispatches:
            order_placed.send(None, thing=thing)
            copied = contextvars.copy_context()
        del dispatches, thing
        gc.collect()
        assert reference() is None
        copied.run(place)  # and nobody listens there any more

    def test_records_hold_nothing(self) -> None:
        """The plain record of a captured dispatch keeps no object for others who hold it."""

        class Thing:
            pass

        thing = Thing()
        reference = weakref.ref(thing)
        with capture() as records, capture_dispatches():
            order_placed.send(None, thing=thing)
        del thing
        gc.collect()
        assert reference() is None
        assert len(records) == 1

    def test_the_wrapper_comes_and_goes(self) -> None:
        """Where nothing is installed it is for that while, and Signal is as it was afterwards."""
        source = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models.signals import post_save
from django.dispatch import Signal
from signal_inspector.testing import capture_dispatches
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
before = dict(vars(Signal)), list(connection.execute_wrappers), len(connection_created.receivers)
signal = Signal()
def asks(**kwargs):
    User.objects.count()
signal.connect(asks)
with capture_dispatches(also=[post_save]) as outer:
    with capture_dispatches() as inner:
        signal.send(None)
    User.objects.create(username="ada")
assert (len(outer), len(inner)) == (2, 1)
assert inner[0].calls[0].record.query_count == 1
try:
    inner.assert_max_queries_per_receiver(0)
except AssertionError as error:
    assert "1 query" in str(error) and "SELECT COUNT" in str(error), error
after = dict(vars(Signal)), list(connection.execute_wrappers), len(connection_created.receivers)
assert before == after
assert "signal_inspector.apps" not in __import__("sys").modules
"""
        finished = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr

    def test_what_is_installed_stays(self) -> None:
        """With the app installed, nothing is taken off at the end."""
        methods = dict(vars(Signal))
        with capture_dispatches():
            pass
        assert instrument.is_installed()
        assert queries.is_installed()
        assert dict(vars(Signal)) == methods

    def test_nothing_of_ours_failed(self) -> None:
        """A capture under load of all kinds leaves no failure of ours behind."""
        with connected(order_placed, award_points, book_courier), capture_dispatches():
            order_placed.send_robust(Checkout)
        assert internal_errors.counts() == {}
