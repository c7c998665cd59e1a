"""What was connected to a signal, remembered past what the signal itself remembers."""

from __future__ import annotations

import _thread
import functools
import gc
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock

import django
import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db.models.signals import ModelSignal
from django.dispatch import Signal, receiver
from django.test import override_settings

from signal_inspector import Details, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import NotCalled, NotCalledReason
from signal_inspector.core.wrapper import connection_log, django_entries, instrument
from signal_inspector.core.wrapper.connection_log import DEAD_KEPT, GONE_KEPT, known_connections
from signal_inspector.names import receiver_name
from tests.listening import OwnName

pytestmark = pytest.mark.usefixtures("nothing_failed")


@pytest.fixture
def signal() -> Signal:
    return Signal()


class Web:
    """A sender."""


class Till:
    """Another sender."""


class Branch(Till):
    """A class of senders that are no tills to Django."""


def on_order(**kwargs: Any) -> None: ...


def on_order_too(**kwargs: Any) -> None: ...


def here() -> int:
    """The line of the caller."""
    return sys._getframe(1).f_lineno


def missed(signal: Signal, sender: object = None) -> list[NotCalled]:
    """What a recorded dispatch says of receivers that were not called."""
    with capture(details=Details.NOT_CALLED) as dispatches:
        signal.send(sender)
    return list(dispatches[0].not_called)


def names(signal: Signal) -> list[str]:
    """Last parts of the names of noted connections."""
    known = known_connections(signal).values()
    return [connection.receiver.name.rpartition(".")[2] for connection in known]


@contextmanager
def muted(signal: Signal) -> Iterator[None]:
    """What Factory Boy's mute_signals does to a signal."""
    paused, signal.receivers = signal.receivers, []
    try:
        yield
    finally:
        signal.receivers = paused + signal.receivers
        signal.sender_receivers_cache.clear()


class TestNotCalled:
    def test_a_dead_lambda_is_named_with_its_place(self, signal: Signal) -> None:
        """A lambda that nothing kept alive is named with file and line, and says why."""
        signal.connect(lambda **kwargs: None)
        line = here() - 1
        gc.collect()
        [gone] = missed(signal)
        assert gone.receiver.endswith("<lambda>")
        assert (gone.path, gone.line, gone.reason) == (__file__, line, NotCalledReason.DEAD)
        assert (
            gone.detail == "its weak reference is dead, because nothing else kept the lambda alive"
        )

    def test_each_dead_lambda_is_named(self, signal: Signal) -> None:
        """Lambdas that die one after the other, at one address, are all named."""
        signal.connect(lambda **kwargs: 1)
        signal.connect(lambda **kwargs: 2)
        signal.connect(lambda **kwargs: 3)
        line = here()
        gc.collect()
        assert [gone.line for gone in missed(signal)] == [line - 3, line - 2, line - 1]

    def test_one_line_that_connects_often_is_named_once(self, signal: Signal) -> None:
        """A lambda connected in a loop is one explanation, not one per round."""
        for _ in range(5):
            signal.connect(lambda **kwargs: None)
        gc.collect()
        assert len(missed(signal)) == 1

    def test_a_dead_method_is_named(self, signal: Signal) -> None:
        """A method whose instance is gone is named as the class defines it."""

        class Mailer:
            def on_order(self, **kwargs: Any) -> None: ...

        mailer = Mailer()
        signal.connect(mailer.on_order)
        del mailer
        gc.collect()
        [gone] = missed(signal)
        assert gone.receiver.endswith("Mailer.on_order")
        assert gone.detail == "its weak reference is dead, because nothing else kept it alive"

    def test_a_dead_partial_is_named_after_its_function(self, signal: Signal) -> None:
        """A partial that nothing kept alive is named after the function inside it."""
        signal.connect(functools.partial(on_order, extra=1))
        gc.collect()
        assert [gone.receiver for gone in missed(signal)] == [f"{__name__}.on_order (partial)"]

    def test_a_receiver_of_another_sender_is_named(self, signal: Signal) -> None:
        """A receiver that listens to another sender says to which one, on every Django."""
        signal.connect(on_order, sender=Till)
        [other] = missed(signal, Web)
        assert (other.receiver, other.reason) == (
            f"{__name__}.on_order",
            NotCalledReason.OTHER_SENDER,
        )
        assert other.detail == f"listens only to sender {__name__}.Till"

    def test_a_class_is_not_its_instance(self, signal: Signal) -> None:
        """A receiver of a class does not hear an instance of it, and is told so."""
        signal.connect(on_order, sender=Till)
        for sender in (Till(), Branch()):
            assert missed(signal, sender)[0].detail == (
                f"listens only to the class {__name__}.Till, but an instance of it was the sender"
            )

    def test_an_instance_is_not_its_class(self, signal: Signal) -> None:
        """A receiver of one particular object does not hear the class."""
        till = Till()
        signal.connect(on_order, sender=till)
        assert missed(signal, Till)[0].detail == (
            f"listens only to one {__name__}.Till instance, but the class was the sender"
        )

    def test_another_instance_is_another_sender(self, signal: Signal) -> None:
        """Two instances of one class have one name, so they are called two."""
        till = Till()
        signal.connect(on_order, sender=till)
        assert missed(signal, Till())[0].detail == (
            f"listens only to another {__name__}.Till instance"
        )

    def test_a_subclass_is_another_sender(self, signal: Signal) -> None:
        """What is asked for years: why does the receiver of the base class not run?"""
        signal.connect(on_order, sender=Till)
        assert missed(signal, Branch)[0].detail == (
            f"listens only to sender {__name__}.Till, and "
            f"its subclass {__name__}.Branch is another sender"
        )

    def test_two_objects_of_one_name(self, signal: Signal) -> None:
        """A class that was made anew, and a text that is only equal, are other senders."""
        again = type("Till", (), {"__module__": __name__})
        signal.connect(on_order, sender=Till)
        assert missed(signal, again)[0].detail == (
            f"listens only to another class that is also called {__name__}.Till"
        )
        signal.disconnect(on_order, sender=Till)
        text = "check{}".format("out")
        signal.connect(on_order, sender=text)
        assert missed(signal, "checkout")[0].detail == (
            "listens only to another object that is called 'checkout'"
        )

    def test_what_was_taken_out_by_hand_is_told(self, signal: Signal) -> None:
        """factory_boy's mute_signals() empties the list: nobody disconnected the receivers."""
        signal.connect(on_order)
        signal.connect(on_order_too, sender=Till)
        kept, signal.receivers = signal.receivers, []
        signal.sender_receivers_cache.clear()
        told = [(each.reason, each.detail) for each in missed(signal, Web)]
        signal.receivers = kept
        assert told == [
            (
                NotCalledReason.TAKEN_OUT,
                "it was removed from signal.receivers without disconnect()",
            ),
            (NotCalledReason.OTHER_SENDER, f"listens only to sender {__name__}.Till"),
        ]
        assert [each.receiver for each in missed(signal, Web)] == [f"{__name__}.on_order_too"]

    def test_an_unseen_connection_is_still_told(self, signal: Signal) -> None:
        """A receiver connected before the wrapper was installed is told, without its sender."""
        instrument.uninstall()
        signal.connect(on_order, sender=Till)
        instrument.install()
        [other] = missed(signal, Web)
        assert (other.receiver, other.detail) == (
            f"{__name__}.on_order",
            "listens only to another sender",
        )

    def test_what_was_called_is_not_told(self, signal: Signal) -> None:
        """Receivers of any sender, and of this one, are not among those not called."""
        signal.connect(on_order)
        signal.connect(on_order_too, sender=Web)
        assert missed(signal, Web) == []

    def test_what_was_disconnected_is_not_told(self, signal: Signal) -> None:
        """A receiver that was disconnected on purpose is forgotten."""
        signal.connect(on_order, sender=Till)
        signal.disconnect(on_order, sender=Till)
        assert missed(signal, Web) == []

    def test_what_was_disconnected_and_then_died_is_not_told(self, signal: Signal) -> None:
        """The death of a receiver that was disconnected before explains nothing."""

        def local(**kwargs: Any) -> None: ...

        signal.connect(local)
        signal.disconnect(local)
        del local
        gc.collect()
        assert missed(signal) == []

    def test_a_successor_stands_for_a_dead_one(self, signal: Signal) -> None:
        """A receiver that the same code connected again after it died is not told."""

        def make() -> Callable[..., None]:
            def local(**kwargs: Any) -> None: ...

            return local

        signal.connect(make())
        gc.collect()
        kept = make()
        signal.connect(kept)
        assert missed(signal) == []

    def test_a_successor_from_before_it_died_does_not(self, signal: Signal) -> None:
        """Of two that the same code connected, one is told when it dies while the other lives."""
        first, second = local(), local()
        signal.connect(first)
        signal.connect(second)
        del first
        gc.collect()
        assert [each.reason for each in missed(signal)] == [NotCalledReason.DEAD]
        third = local()
        signal.connect(third)
        assert missed(signal) == []
        assert second is not third

    def test_connecting_twice_is_one_connection(self, signal: Signal) -> None:
        """The note of the first call stands, also where nobody read it before the second."""
        signal.connect(on_order)
        line = here() - 1
        signal.connect(on_order)
        [connection] = known_connections(signal).values()
        assert connection.connected_at is not None
        assert connection.connected_at.line == line

    def test_what_died_before_anybody_read_is_told(self, signal: Signal) -> None:
        """Also where it was connected and died between two others, and an id came back."""
        for number in range(5):
            namespace: dict[str, Any] = {}
            exec(f"def passing_{number}(**kwargs): ...", namespace)
            signal.connect(namespace.pop(f"passing_{number}"))
            del namespace
            gc.collect()
        signal.connect(on_order)
        told = [each.receiver.rpartition(".")[2] for each in missed(signal)]
        assert sorted(told) == [f"passing_{number}" for number in range(5)]

    def test_threads_may_connect_at_once(self, signal: Signal) -> None:
        """Every connection is noted, whoever else connects and reads at the same time."""
        kept = [local() for _ in range(400)]
        with ThreadPoolExecutor(4) as pool:
            for each in kept:
                pool.submit(signal.connect, each)
                pool.submit(known_connections, signal)
        assert len(known_connections(signal)) == len(signal.receivers) == 400

    def test_nothing_is_gathered_unless_asked_for(self, signal: Signal) -> None:
        """Without Details.NOT_CALLED a record says nothing of receivers not called."""
        signal.connect(on_order, sender=Till)
        with capture(details=Details.ALL & ~Details.NOT_CALLED) as dispatches:
            signal.send(Web)
        assert dispatches[0].not_called == ()

    def test_an_orphan_tells_who_listens_to_others(self, signal: Signal) -> None:
        """A dispatch that nobody received still names receivers of other senders."""
        signal.connect(on_order, sender=Till)
        with capture() as dispatches:
            signal.send(Web)
        assert dispatches[0].is_orphan
        assert len(dispatches[0].not_called) == 1

    def test_cached_absence_still_tells(self) -> None:
        """A caching signal that has no receivers for the sender names those of others."""
        signal = Signal(use_caching=True)
        signal.connect(on_order, sender=Till)
        signal.send(Web)
        assert [each.reason for each in missed(signal, Web)] == [NotCalledReason.OTHER_SENDER]


class TestNotes:
    def test_the_code_that_connected_is_noted(self, signal: Signal) -> None:
        """A connection knows file, line and function of the connect() call."""
        signal.connect(on_order)
        line = here() - 1
        [connection] = known_connections(signal).values()
        assert connection.connected_at is not None
        assert connection.connected_at[:2] == (__file__, line)
        assert connection.connected_at.function.endswith("the_code_that_connected_is_noted")

    def test_the_decorator_is_seen_through(self, signal: Signal) -> None:
        """A connection made by @receiver is placed where it decorates."""

        @receiver(signal)
        def decorated(**kwargs: Any) -> None: ...

        [connection] = known_connections(signal).values()
        assert connection.connected_at is not None
        assert connection.connected_at.path == __file__

    def test_how_it_was_connected_is_noted(self, signal: Signal) -> None:
        """Sender, dispatch_uid and whether the reference is weak are noted."""
        signal.connect(on_order, Web, False, "uid")
        [connection] = known_connections(signal).values()
        found = (connection.sender, connection.is_weak, connection.dispatch_uid)
        assert found == (f"{__name__}.Web", False, "uid")

    def test_a_dispatch_uid_may_be_any_object(self, signal: Signal) -> None:
        """A dispatch_uid that is neither text nor number is not kept."""
        uid = (object(), "tuple")
        signal.connect(on_order, dispatch_uid=uid)
        [connection] = known_connections(signal).values()
        assert connection.dispatch_uid is None

    def test_the_second_under_a_dispatch_uid_is_not_noted(self, signal: Signal) -> None:
        """Django ignores a second connection under one dispatch_uid, and so does the note."""
        signal.connect(on_order, dispatch_uid="uid")
        signal.connect(on_order_too, dispatch_uid="uid")
        assert names(signal) == ["on_order"]

    def test_a_dispatch_uid_is_free_again_when_its_receiver_died(self, signal: Signal) -> None:
        """The next receiver under the dispatch_uid of a dead one is noted, and both are told."""
        signal.connect(lambda **kwargs: None, dispatch_uid="uid")
        gc.collect()
        signal.connect(on_order, dispatch_uid="uid")
        assert names(signal) == ["<lambda>", "on_order"]
        assert len(missed(signal)) == 1

    def test_a_dispatch_uid_is_free_again_when_it_was_disconnected(self, signal: Signal) -> None:
        """disconnect(dispatch_uid=...) forgets what was noted under it."""
        signal.connect(on_order, dispatch_uid="uid")
        signal.disconnect(dispatch_uid="uid")
        signal.connect(on_order_too, dispatch_uid="uid")
        assert names(signal) == ["on_order_too"]

    def test_a_dispatch_uid_is_free_again_when_receivers_were_emptied(
        self, signal: Signal
    ) -> None:
        """After an assignment to signal.receivers the next under a dispatch_uid is noted."""
        signal.connect(on_order, weak=False, dispatch_uid="uid")
        signal.receivers = []
        signal.connect(on_order_too, weak=False, dispatch_uid="uid")
        assert names(signal)[-1] == "on_order_too"

    def test_connecting_the_same_again_keeps_the_first_note(self, signal: Signal) -> None:
        """A receiver that is connected twice is one connection, made by the first call."""
        signal.connect(on_order)
        line = here() - 1
        signal.connect(on_order, weak=False)
        [connection] = known_connections(signal).values()
        assert connection.connected_at is not None
        assert (connection.connected_at.line, connection.is_weak) == (line, True)

    def test_a_refused_connection_is_not_noted(self, signal: Signal) -> None:
        """What Django's connect() raises for is not noted."""
        with pytest.raises(TypeError):
            signal.connect(5)  # type: ignore[arg-type]
        assert known_connections(signal) == {}

    @override_settings(DEBUG=True)
    def test_a_receiver_without_kwargs_is_refused_as_in_django(self, signal: Signal) -> None:
        """With DEBUG the ValueError of a receiver that takes no **kwargs is Django's."""

        def narrow(sender: object) -> None: ...

        with pytest.raises(ValueError, match="keyword arguments"):
            signal.connect(narrow)
        assert known_connections(signal) == {}

    def test_a_receiver_connected_while_muted_is_noted(self, signal: Signal) -> None:
        """While Factory Boy has emptied signal.receivers, connecting is noted as ever."""
        signal.connect(on_order)
        with muted(signal):
            signal.connect(on_order_too)
        assert names(signal) == ["on_order", "on_order_too"]

    def test_nothing_is_missed_while_muted(self, signal: Signal) -> None:
        """A muted signal's receivers, alive and gone from it, are not called dead."""
        signal.connect(on_order, sender=Till)
        with muted(signal):
            assert [each.reason for each in missed(signal, Web)] == [NotCalledReason.OTHER_SENDER]
        assert len(missed(signal, Web)) == 1


@pytest.mark.parametrize("sender", [None, Till])
@pytest.mark.parametrize("receiver", [on_order, functools.partial(on_order)])
def test_no_weak_reference_is_seen(receiver: Any, sender: Any) -> None:
    """Who looks at what Django asks of ``weakref`` sees Django's references alone."""
    signal = Signal()
    with mock.patch("weakref.ref") as ref:
        signal.connect(receiver, sender, weak=False)
        signal.disconnect(receiver, sender)
    # Django 6.0 and newer watch the sender.
    callbacks = [call.args[-1].__name__ for call in ref.call_args_list]
    assert set(callbacks) <= {"_flag_dead_receivers"}


def test_a_dead_proxy_is_asked_nothing() -> None:
    """A ``weakref.proxy`` answers even ``isinstance()`` with an error when its object is gone."""

    class Bell:
        def __call__(self, **kwargs: Any) -> None: ...

    signal, bell = Signal(), Bell()
    signal.connect(weakref.proxy(bell), weak=False)
    del bell
    assert [is_async for _, _, is_async in django_entries.entries(signal)] == [False]


class TestModelSignals:
    def test_a_lazy_sender_is_noted_when_its_model_is_there(self) -> None:
        """A sender given as "app.Model" is noted as the model's class."""
        signal = ModelSignal()
        signal.connect(on_order, sender="auth.User")
        [connection] = known_connections(signal).values()
        assert connection.sender == "django.contrib.auth.models.User"

    def test_a_lazy_sender_that_is_not_there_yet_is_not_connected(self) -> None:
        """A model that never loads leaves no connection, in Django as in the notes."""
        signal = ModelSignal()
        try:
            signal.connect(on_order, sender="auth.Nowhere")
            assert (signal.receivers, known_connections(signal)) == ([], {})
        finally:  # else Django's own check complains of it in other tests
            apps._pending_operations.pop(("auth", "nowhere"))  # type: ignore[attr-defined]

    @pytest.mark.parametrize("sender", [User, "auth.User"])
    def test_a_model_signal_is_placed_where_it_was_connected(self, sender: Any) -> None:
        """The connect() of a model signal is placed in the user's file, not in Django's."""
        signal = ModelSignal()
        signal.connect(on_order, sender=sender)
        [connection] = known_connections(signal).values()
        assert connection.connected_at is not None
        assert connection.connected_at.path == __file__

    def test_disconnecting_by_name_forgets(self) -> None:
        """disconnect(sender="app.Model") forgets the connection of the model's class."""
        signal = ModelSignal()
        signal.connect(on_order, sender=Group)
        signal.disconnect(on_order, sender="auth.Group")
        assert known_connections(signal) == {}


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(**kwargs: Any) -> Any:
        return function(**kwargs)

    return wrapper


def local() -> Callable[..., None]:
    def handler(**kwargs: Any) -> None: ...

    return handler


def without_module() -> Callable[..., None]:
    handler = local()
    del handler.__module__
    handler.__module__ = None  # type: ignore[assignment]
    return handler


def marked() -> Callable[..., None]:
    handler = local()
    handler.retries = 3  # type: ignore[attr-defined]
    return handler


def of_no_file() -> Any:
    namespace: dict[str, Any] = {}
    exec("def handler(**kwargs): ...", namespace)
    return namespace["handler"]


def wrapping_itself() -> Callable[..., None]:
    handler = local()
    handler.__wrapped__ = handler  # type: ignore[attr-defined]
    return handler


def asynchronous() -> Any:
    async def handler(**kwargs: Any) -> None: ...

    return handler


class Handler:
    def __call__(self, **kwargs: Any) -> None: ...

    def handle(self, **kwargs: Any) -> None: ...

    async def index(self, **kwargs: Any) -> None: ...


#: Makers of receivers that nothing else keeps alive.
PASSING: list[Callable[[], Any]] = [
    lambda: lambda **kwargs: None,
    local,
    marked,
    without_module,
    of_no_file,
    wrapping_itself,
    asynchronous,
    lambda: wrapping(local()),
    lambda: wrapping(wrapping(asynchronous())),
    lambda: functools.partial(local(), extra=1),
    lambda: functools.partial(functools.partial(wrapping(local()))),
    lambda: functools.partial(Handler().handle),
    lambda: wrapping(Handler().handle),
    lambda: wrapping(functools.partial(local())),
    Handler,
    lambda: Handler().handle,
    lambda: Handler().index,
]


class TestNaming:
    """Connecting is not to take long, so what is told of a connection is worked out later."""

    @pytest.mark.parametrize("make", PASSING)
    def test_the_dead_are_called_as_the_living(self, signal: Signal, make: Any) -> None:
        """A receiver that nobody asked for in its life has name, place and kind all the same."""
        living = make()
        signal.connect(make())
        gc.collect()
        [connection] = known_connections(signal).values()
        assert connection_log.is_dead(connection)
        assert connection.receiver == receiver_name(living)
        assert connection.is_async == iscoroutinefunction(living)

    @pytest.mark.parametrize("weak", [True, False])
    def test_a_name_that_was_given_late_is_that_of_the_records(
        self, signal: Signal, weak: bool
    ) -> None:
        """What a decorator around ``@receiver`` makes of the name is told by both."""
        handler = local()
        signal.connect(handler, weak=weak)
        handler.__qualname__ = "Shop.handler"
        with capture() as dispatches:
            signal.send(None)
        [connection] = known_connections(signal).values()
        assert connection.receiver.name == f"{__name__}.Shop.handler"
        assert dispatches[0].calls[0].receiver == connection.receiver.name

    def test_a_mark_makes_a_function_asynchronous(self, signal: Signal) -> None:
        """``markcoroutinefunction()`` counts for a dead receiver as it does for Django."""
        handler = local()
        markcoroutinefunction(handler)  # type: ignore[type-var]
        signal.connect(handler)
        del handler
        gc.collect()
        [connection] = known_connections(signal).values()
        assert (connection_log.is_dead(connection), connection.is_async) == (True, True)

    def test_the_line_is_that_of_the_call(self, signal: Signal) -> None:
        """Also where one function connects on several lines, and goes on after them."""
        signal.connect(on_order)
        signal.connect(
            on_order_too,
        )
        line = here()
        noted = [each.connected_at for each in known_connections(signal).values()]
        assert [each and each.line for each in noted] == [line - 4, line - 3]

    def test_a_thread_that_only_connects_has_no_place(self, signal: Signal) -> None:
        """Where no code of Python's calls connect(), none is told, and nothing fails."""
        _thread.start_new_thread(signal.connect, (on_order,))
        until = time.monotonic() + 10
        while not known_connections(signal) and time.monotonic() < until:
            time.sleep(0.001)
        [connection] = known_connections(signal).values()
        assert connection.connected_at is None

    def test_one_that_was_set_aside_alive_dies_later(self, signal: Signal) -> None:
        """It is among the dead then, until the same code connects again."""
        handler = local()
        signal.connect(handler, dispatch_uid="uid")
        signal.receivers = []
        signal.connect(on_order, dispatch_uid="uid")
        assert names(signal) == ["handler", "on_order"]
        del handler
        gc.collect()
        signal.connect(on_order_too)
        assert [each.reason for each in missed(signal)] == [NotCalledReason.DEAD]
        successor = local()
        signal.receivers = []
        signal.connect(successor, dispatch_uid="uid")
        assert names(signal) == ["on_order_too", "on_order", "handler"]


class TestMemory:
    def test_dead_receivers_are_kept_in_bounds(self, signal: Signal) -> None:
        """However many receivers die, the latest few are remembered."""
        for number in range(DEAD_KEPT * 3):
            namespace: dict[str, Any] = {}
            exec(f"def local_{number}(**kwargs): ...", namespace)
            signal.connect(namespace.pop(f"local_{number}"))
            del namespace
        gc.collect()
        signal.connect(on_order)
        # The one that just died when the last was connected is not counted yet.
        assert len(known_connections(signal)) <= DEAD_KEPT + 1
        assert f"local_{DEAD_KEPT * 3 - 1}" in names(signal)

    def test_receivers_that_were_assigned_away_are_kept_in_bounds(self, signal: Signal) -> None:
        """However often signal.receivers is emptied by hand, the notes stay bounded."""
        kept = []
        for _ in range(GONE_KEPT + 50):
            kept.append(functools.partial(on_order))
            signal.connect(kept[-1])
            signal.receivers = []
        assert len(known_connections(signal)) <= GONE_KEPT + 1

    def test_live_connections_are_never_trimmed(self, signal: Signal) -> None:
        """Every connection that is still there stays noted, however many there are."""
        kept = [functools.partial(on_order) for _ in range(GONE_KEPT + DEAD_KEPT + 10)]
        for each in kept:
            signal.connect(each)
        assert len(known_connections(signal)) == len(kept)

    def test_nothing_is_kept_alive(self, signal: Signal) -> None:
        """A note keeps neither receiver nor sender nor dispatch_uid alive."""

        class Anything:
            def __call__(self, **kwargs: Any) -> None: ...

        objects = [Anything(), Anything(), Anything()]
        gone = [weakref.ref(each) for each in objects]
        signal.connect(objects[0], objects[1], dispatch_uid=objects[2])
        assert len(known_connections(signal)) == 1
        objects.clear()
        signal.receivers = []  # Django itself keeps the dispatch_uid
        gc.collect()
        assert [reference() for reference in gone] == [None, None, None]

    def test_a_dispatch_uid_without_a_hash_is_fine(self, signal: Signal) -> None:
        """A dispatch_uid that Django only compares need not be hashable."""
        signal.connect(on_order, sender=Till, dispatch_uid=["uid"])
        assert len(missed(signal, Web)) == 1

    def test_the_notes_of_a_signal_die_with_it(self) -> None:
        """A signal that is gone leaves no notes behind."""
        gc.collect()
        before = len(connection_log._log)
        signal = Signal()
        signal.connect(on_order, weak=False)  # else Django 5.2 keeps the signal
        assert len(connection_log._log) == before + 1
        del signal
        gc.collect()
        assert len(connection_log._log) == before


class TestFinalizers:
    def test_a_finalizer_may_connect(self, signal: Signal) -> None:
        """Code that runs while we hold our lock, as finalizers do, may connect and send."""
        with connection_log._lock:
            signal.connect(on_order)
            assert missed(signal) == []

    def test_a_finalizer_may_connect_while_notes_are_worked_out(
        self, signal: Signal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it connects is noted, and nothing that was being worked out is lost."""
        made_by, late = connection_log._made_by, local()
        signal.connect(local())
        gc.collect()

        def connecting(note: Any) -> object:
            signal.connect(late)
            known_connections(signal)
            return made_by(note)

        monkeypatch.setattr(connection_log, "_made_by", connecting)
        known_connections(signal)
        monkeypatch.undo()
        assert [each.receiver.name for each in known_connections(signal).values()] == [
            receiver_name(late).name
        ]
        assert internal_errors.counts() == {}


class TestFullEntries:
    """What Django's own list tells, whatever its shape on this version."""

    def test_an_entry_is_read(self, signal: Signal) -> None:
        """Receiver, kind, reference and dispatch_uid, in the order of connecting."""

        async def index(**kwargs: Any) -> None: ...

        signal.connect(index, weak=False)
        signal.connect(on_order, sender=Web, dispatch_uid="uid")
        signal.connect(on_order, dispatch_uid=17)
        told = [
            (each.receiver, each.is_async, each.is_weak, each.dispatch_uid)
            for each in django_entries.full_entries(signal)
        ]
        assert told == [
            (index, True, False, None),
            (on_order, False, True, "uid"),
            (on_order, False, True, None),  # a number may as well be an id
        ]

    def test_keys_are_those_of_the_notes(self, signal: Signal) -> None:
        """An entry and what was noted of its connection are found under one key."""
        for sender, uid in ((None, None), (Web, None), (Web, "uid"), (Web, ("a", 1))):
            signal.connect(on_order, sender=sender, dispatch_uid=uid)
        keys = [each.key for each in django_entries.full_entries(signal)]
        assert keys == list(known_connections(signal))

    @pytest.mark.skipif(django.VERSION < (6, 0), reason="Django 5.2 keeps an id alone")
    def test_the_sender_is_given_where_django_refers_to_it(self, signal: Signal) -> None:
        """From Django 6.0 on, of what can be referred to weakly."""
        signal.connect(on_order, sender=Web)
        signal.connect(on_order, sender="checkout")
        signal.connect(on_order)
        senders = [each.sender for each in django_entries.full_entries(signal)]
        assert senders == [Web, None, None]

    @pytest.mark.parametrize(
        "receivers", [42, None, "text", [("a", 1)], [(1, 2, 3)], [((1,), 2, 3)]]
    )
    def test_an_unknown_shape_yields_nothing(self, signal: Signal, receivers: Any) -> None:
        """What somebody has put in the place of the list is passed over."""
        signal.receivers = receivers
        assert list(django_entries.full_entries(signal)) == []


class TestSenders:
    def test_reaches_is_what_django_does(self, signal: Signal) -> None:
        """A connection of one sender is reached from it alone, one of any from all."""
        signal.connect(on_order, sender=Web)
        signal.connect(on_order_too)
        limited, unlimited = (each.key for each in django_entries.full_entries(signal))
        reached = [django_entries.reaches(limited, sender) for sender in (Web, Till, None)]
        assert reached == [True, False, False]
        assert all(django_entries.reaches(unlimited, sender) for sender in (Web, Till, None))

    def test_a_sender_is_not_kept_alive(self, signal: Signal) -> None:
        """Its end is noticed, and only its."""

        class Passing: ...

        signal.connect(on_order, sender=Passing)
        signal.connect(on_order, sender=Web)
        signal.connect(on_order, sender="checkout")
        signal.connect(on_order)
        noted = list(known_connections(signal).values())
        assert not any(map(connection_log.is_senderless, noted))
        del Passing
        gc.collect()
        assert list(map(connection_log.is_senderless, noted)) == [True, False, False, False]


def test_one_that_was_connected_weakly_before_is_not_held(signal: Signal) -> None:
    """Django ignores a second connect(), weak=False or not: the receiver dies, and is dead."""

    def local(**kwargs: Any) -> None: ...

    signal.connect(local)
    signal.connect(local, weak=False)
    del local
    gc.collect()
    (known,) = known_connections(signal).values()
    assert connection_log.is_dead(known)


def test_a_name_of_a_class_of_its_own_is_read_without_its_code(signal: Signal) -> None:
    """A qualified name may be of a subclass of str: none of its methods runs."""

    def lives(**kwargs: Any) -> None: ...

    def dies(**kwargs: Any) -> None: ...

    for each in (lives, dies):
        each.__qualname__ = each.__name__ = OwnName("shown")
        signal.connect(each)
    del each, dies
    gc.collect()
    signal.connect(on_order)
    names = [each.receiver.name for each in known_connections(signal).values()]
    assert names == [f"{__name__}.shown", f"{__name__}.shown", f"{__name__}.on_order"]
