"""Signal's methods behave as Django's own, installed or not, idle or recording."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
import sentry_sdk
from asgiref.sync import markcoroutinefunction
from django.dispatch import Signal
from django.dispatch.dispatcher import NO_RECEIVERS
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.django.signals_handlers import patch_signals

from signal_inspector import Outcome, Sink, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import instrument
from tests.listening import (
    Live,
    ObservedBy,
    Quiet,
    around,
    listening,
    run_python,
    unknown_django,
)

METHODS = ("__init__", "connect", "disconnect", *SendMethod)
order_placed = Signal()


@pytest.fixture(autouse=True)
def _installed_afterwards() -> Iterator[None]:
    """Whatever a test did to Signal, ours is back after it, and nothing of ours failed."""
    yield
    instrument.uninstall()
    instrument.install()
    assert all(Signal.__dict__[name] is instrument._ours[name] for name in METHODS)
    assert internal_errors.counts() == {}


@pytest.fixture
def patches() -> Iterator[pytest.MonkeyPatch]:
    """Like monkeypatch, which plugins ask for first and so is undone too late for these tests."""
    with pytest.MonkeyPatch.context() as patches:
        yield patches


@pytest.fixture
def _bare(patches: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the wrapper; a test may install it over a patch of its own."""
    # Asking for patches: they are undone after us, when ours no longer lie over them.
    instrument.uninstall()
    yield
    instrument.uninstall()


@pytest.fixture(params=["idle", "fast", "observed", "passing", "unknown"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way that a dispatch may take through the wrapper."""
    sinks: dict[str, tuple[Sink, ...]] = {
        "idle": (),
        "fast": (Quiet(),),
        "observed": (Live(),),
        "passing": (ObservedBy(Unrecorded),),
        "unknown": (Quiet(),),
    }
    with listening(*sinks[request.param]):
        if request.param == "unknown":
            with unknown_django():
                yield request.param
        else:
            yield request.param


class Unrecorded(Observer):
    """Needs no record of the dispatch that it observes."""

    needs_record = False


@pytest.fixture
def signal() -> Signal:
    return Signal()


def send(signal: Signal, method: str, sender: object = None, /, **named: Any) -> Any:
    """Send by any of the four methods."""
    if SendMethod(method).is_async:
        return asyncio.run(getattr(signal, method)(sender, **named))
    return getattr(signal, method)(sender, **named)


def plain(**kwargs: Any) -> str:
    return "plain"


async def awaited(**kwargs: Any) -> str:
    await asyncio.sleep(0)
    return "awaited"


def here() -> int:
    """The line of the caller."""
    return sys._getframe(1).f_lineno


class Office:
    def method(self, **kwargs: Any) -> str:
        return "method"

    @classmethod
    def class_method(cls, **kwargs: Any) -> str:
        return "class method"

    @staticmethod
    def static_method(**kwargs: Any) -> str:
        return "static method"

    async def async_method(self, **kwargs: Any) -> str:
        return "async method"


class CallableInstance:
    def __call__(self, **kwargs: Any) -> str:
        return "instance"


def marked() -> Any:
    """A callable instance that asgiref takes for a coroutine function."""

    class Marked:
        def __init__(self) -> None:
            markcoroutinefunction(self)

        async def __call__(self, **kwargs: Any) -> str:
            return "marked"

    return Marked()


OFFICE = Office()
RECEIVERS: dict[str, Callable[[], Any]] = {
    "function": lambda: plain,
    "lambda": lambda: lambda **kwargs: "lambda",
    "method": lambda: OFFICE.method,
    "class method": lambda: Office.class_method,
    "static method": lambda: Office.static_method,
    "partial": lambda: functools.partial(plain, extra=1),
    "instance": CallableInstance,
    "mock": lambda: mock.MagicMock(return_value="mock"),
    "async function": lambda: awaited,
    "async method": lambda: OFFICE.async_method,
    "async mock": lambda: mock.AsyncMock(return_value="async mock"),
    "marked": marked,
}


class TestInstall:
    def test_installing_again_changes_nothing(self) -> None:
        """A second install() leaves every method as the first one made it."""
        before = {name: Signal.__dict__[name] for name in METHODS}
        instrument.install()
        assert {name: Signal.__dict__[name] for name in METHODS} == before

    def test_uninstall_restores_djangos_methods(self) -> None:
        """After uninstall() every method is the very object that Django defined."""
        wrapped = {name: Signal.__dict__[name].__wrapped__ for name in METHODS}
        instrument.uninstall()
        assert {name: Signal.__dict__[name] for name in METHODS} == wrapped

    @pytest.mark.usefixtures("_bare")
    def test_uninstall_leaves_no_name_of_ours_on_signal(self) -> None:
        """Signal's own namespace holds nothing of this package once it is uninstalled."""
        ours = [
            name
            for name, value in vars(Signal).items()
            if getattr(value, "__globals__", {}).get("__name__", "").startswith("signal_inspector")
        ]
        assert ours == []
        assert "__init_subclass__" not in vars(Signal)

    def test_uninstalling_again_changes_nothing(self) -> None:
        """A second uninstall() leaves Django's methods alone."""
        instrument.uninstall()
        before = {name: Signal.__dict__[name] for name in METHODS}
        instrument.uninstall()
        assert {name: Signal.__dict__[name] for name in METHODS} == before

    def test_is_installed_tells_the_state(self) -> None:
        """is_installed() is true between install() and uninstall()."""
        states = [instrument.is_installed()]
        instrument.uninstall()
        states.append(instrument.is_installed())
        instrument.install()
        states.append(instrument.is_installed())
        assert states == [True, False, True]

    @pytest.mark.usefixtures("_bare")
    def test_uninstalled_nothing_is_recorded(self, signal: Signal) -> None:
        """A capture() sees no dispatch while the wrapper is not installed."""
        with capture() as dispatches:
            signal.send(None)
        assert dispatches == []

    def test_installed_again_it_records(self, signal: Signal) -> None:
        """Uninstalling and installing again leaves a wrapper that records once."""
        instrument.uninstall()
        instrument.install()
        with capture() as dispatches:
            signal.send(None)
        assert len(dispatches) == 1

    @pytest.mark.parametrize("method", METHODS)
    def test_a_foreign_patch_over_ours_stays(
        self, method: str, patches: pytest.MonkeyPatch
    ) -> None:
        """uninstall() leaves the method of whoever wrapped ours since."""
        foreign = functools.wraps(Signal.__dict__[method])(lambda *args, **kwargs: None)
        patches.setattr(Signal, method, foreign)
        instrument.uninstall()
        assert Signal.__dict__[method] is foreign

    @pytest.mark.parametrize("method", SendMethod)
    def test_under_a_foreign_patch_ours_records_nothing_once_uninstalled(
        self, method: str, patches: pytest.MonkeyPatch, signal: Signal
    ) -> None:
        """What another tool wrapped still sends after uninstall(), and is not recorded."""
        ours = Signal.__dict__[method]
        patches.setattr(Signal, method, around(ours))
        instrument.uninstall()
        signal.connect(plain)
        with capture() as dispatches:
            assert send(signal, method) == [(plain, "plain")]
        assert dispatches == []

    @pytest.mark.parametrize("method", SendMethod)
    def test_under_a_foreign_patch_ours_records_once_installed_again(
        self, method: str, patches: pytest.MonkeyPatch, signal: Signal
    ) -> None:
        """Installing again below a foreign patch wraps nothing twice."""
        ours = Signal.__dict__[method]
        patches.setattr(Signal, method, around(ours))
        instrument.uninstall()
        instrument.install()
        signal.connect(plain)
        with capture() as dispatches:
            send(signal, method)
        assert [len(dispatch.calls) for dispatch in dispatches] == [1]

    @pytest.mark.usefixtures("_bare")
    @pytest.mark.parametrize("method", SendMethod)
    @pytest.mark.parametrize("receivers", [0, 1])
    def test_a_foreign_patch_below_ours_is_called_once(
        self, method: str, receivers: int, patches: pytest.MonkeyPatch, signal: Signal
    ) -> None:
        """A patch that was there before ours runs for each send, with receivers or without."""
        sent = []
        original = Signal.__dict__[method]

        def foreign(self: Signal, sender: object, **named: Any) -> Any:
            sent.append(sender)
            return original(self, sender, **named)

        patches.setattr(Signal, method, foreign)
        instrument.install()
        if receivers:
            signal.connect(plain)
        with capture() as dispatches:
            send(signal, method, "recorded")
        send(signal, method, "idle")
        assert (sent, len(dispatches)) == (["recorded", "idle"], 1)

    @pytest.mark.usefixtures("_bare")
    @pytest.mark.parametrize("method", SendMethod)
    def test_a_foreign_patch_below_ours_may_use_the_signal(
        self, method: str, patches: pytest.MonkeyPatch, signal: Signal
    ) -> None:
        """What a patch below ours is given as self sets attributes of, and equals, the signal."""
        original = Signal.__dict__[method]
        known = {signal}
        found = []

        def foreign(self: Any, sender: object, **named: Any) -> Any:
            found.append((self in known, self == signal, isinstance(self, Signal)))
            self.seen = "by the patch"
            return original(self, sender, **named)

        patches.setattr(Signal, method, foreign)
        instrument.install()
        signal.connect(plain)
        with capture():
            send(signal, method)
        assert (found, vars(signal)["seen"]) == ([(True, True, True)], "by the patch")

    @pytest.mark.usefixtures("_bare")
    @pytest.mark.parametrize("method", SendMethod)
    @pytest.mark.parametrize("answer", [None, "text", (1, 2), [], [1, (2,), (plain, 3)]])
    def test_a_foreign_patch_below_ours_may_answer_as_it_likes(
        self, answer: object, method: str, patches: pytest.MonkeyPatch, signal: Signal
    ) -> None:
        """What a patch below ours returns reaches the sender, whatever it is."""

        def foreign(self: Signal, sender: object, **named: Any) -> Any:
            return answer

        async def foreign_async(self: Signal, sender: object, **named: Any) -> Any:
            return answer

        is_async = SendMethod(method).is_async
        patches.setattr(Signal, method, foreign_async if is_async else foreign)
        instrument.install()
        signal.connect(plain)
        with capture() as dispatches:
            assert send(signal, method) is answer
        assert dispatches[0].outcome is Outcome.RETURNED

    @pytest.mark.usefixtures("_bare")
    @pytest.mark.parametrize("method", SendMethod)
    def test_an_unknown_django_goes_through_its_own_method(
        self, method: str, patches: pytest.MonkeyPatch, signal: Signal
    ) -> None:
        """On a Django of another version all four methods record without our own loop."""
        patches.setattr(instrument, "KNOWN_DJANGO", ())
        instrument.install()
        assert Signal.__dict__["send"].__code__ is not instrument.send.__code__
        signal.connect(plain)
        signal.connect(awaited)
        with capture() as dispatches:
            send(signal, method)
        calls = [(call.is_async, call.outcome) for call in dispatches[0].calls]
        assert calls == [(False, Outcome.RETURNED), (True, Outcome.RETURNED)]


class TestWithoutSettings:
    def test_it_records_before_settings_are_configured(self) -> None:
        """install() and capture() work in a process that never configures settings."""
        out = run_python(
            "from signal_inspector.core.wrapper import instrument\n"
            "instrument.install()\n"
            "from django.conf import settings\n"
            "from django.dispatch import Signal\n"
            "from signal_inspector import capture\n"
            "signal = Signal()\n"
            "signal.connect(lambda **kwargs: 1, weak=False)\n"
            "with capture() as dispatches:\n"
            "    signal.send(None, a=1)\n"
            "print(settings.configured, dispatches[0].signal, len(dispatches[0].calls))\n"
        )
        assert out.split() == ["False", "__main__.signal", "1"]

    def test_class_prepared_is_recorded_where_it_is_included(self) -> None:
        """Signals of the app registry's start are seen by an early install()."""
        out = run_python(
            "from signal_inspector import capture\n"
            "from signal_inspector.core.wrapper import instrument\n"
            "instrument.install()\n"
            "import django\n"
            "from django.conf import settings\n"
            "settings.configure(\n"
            "    INSTALLED_APPS=['django.contrib.contenttypes'],\n"
            "    SIGNAL_INSPECTOR={'INCLUDE': ['django.db.models.signals.class_prepared']},\n"
            ")\n"
            "with capture() as dispatches:\n"
            "    django.setup()\n"
            "print(*[(each.signal, each.sender) for each in dispatches])\n"
        )
        sender = "django.contrib.contenttypes.models.ContentType"
        assert str(("django.db.models.signals.class_prepared", sender)) in out

    def test_importing_the_instrument_patches_nothing(self) -> None:
        """Only install() touches Signal."""
        out = run_python(
            "from django.dispatch import Signal\n"
            "before = dict(vars(Signal))\n"
            "from signal_inspector.core.wrapper import instrument\n"
            "print(before == dict(vars(Signal)), instrument.is_installed())\n"
        )
        assert out.split() == ["True", "False"]


FORK = """
import json, os
from signal_inspector import capture
from signal_inspector.core.wrapper import instrument
instrument.install()
from django.dispatch import Signal
signal = Signal()
with capture() as dispatches:
    signal.send(None)
    pid = os.fork()
    signal.send(None)
    if pid == 0:
        print(json.dumps([str(each.id) for each in dispatches]), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
print(json.dumps([str(each.id) for each in dispatches]))
"""

FORK_UNDER_LOCKS = """
import contextlib, os, threading
from signal_inspector import capture
from signal_inspector.core.wrapper import instrument
from signal_inspector.core import internal_errors, process_state
instrument.install()
from django.dispatch import Signal
signal = Signal()
held, done = threading.Event(), threading.Event()
def hold():
    with contextlib.ExitStack() as stack:
        for lock in process_state._locks:
            stack.enter_context(lock)
        held.set()
        done.wait(60)
threading.Thread(target=hold).start()
held.wait(30)
pid = os.fork()
if pid == 0:
    instrument.install()
    internal_errors.report("a test", ValueError())
    signal.connect(print, weak=False)
    with capture() as dispatches:
        signal.send_robust(None)
    os._exit(0 if len(dispatches) == 1 else 1)
import time
end = time.monotonic() + 45
while time.monotonic() < end:
    found, status = os.waitpid(pid, os.WNOHANG)
    if found:
        break
    time.sleep(0.05)
else:
    os.kill(pid, 9)
    status = "stuck"
done.set()
print(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork()")
class TestFork:
    def test_a_forked_child_records_under_ids_of_its_own(self) -> None:
        """Parent and child each record what they send after the fork, never under one id."""
        child, parent = map(json.loads, run_python(FORK).splitlines())
        assert len(child) == len(parent) == 2
        assert child[1] != parent[1]

    def test_a_child_forked_while_a_thread_held_our_locks_works(self) -> None:
        """No lock of ours that another thread held at the fork stops the child."""
        # Python 3.12 warns of any fork beside threads; this one is what is tested.
        out = run_python(FORK_UNDER_LOCKS, PYTHONWARNINGS="ignore")
        assert out.split()[-1] == "0"


class TestThreads:
    def test_each_thread_is_recorded_once_per_send(self, signal: Signal) -> None:
        """Ten threads that send 50 times each make 500 dispatches with distinct ids."""
        signal.connect(plain)
        kept = []

        class Keep(Quiet):
            def dispatch_finished(self, dispatch: Any) -> None:
                kept.append(dispatch.id)

        threads = [
            threading.Thread(target=lambda: [signal.send(None) for _ in range(50)])
            for _ in range(10)
        ]
        with listening(Keep()):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert (len(kept), len(set(kept))) == (500, 500)

    def test_installing_in_many_threads_wraps_once(self, signal: Signal) -> None:
        """install() from several threads at once wraps Django's methods once."""
        instrument.uninstall()
        originals = {name: Signal.__dict__[name] for name in METHODS}
        threads = [threading.Thread(target=instrument.install) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name: Signal.__dict__[name].__wrapped__ for name in METHODS} == originals


class TestShape:
    @pytest.mark.parametrize("method", METHODS)
    def test_signatures_are_djangos(self, method: str) -> None:
        """inspect.signature() says of each method what it says of Django's."""
        installed = inspect.signature(getattr(Signal, method))
        instrument.uninstall()
        assert installed == inspect.signature(getattr(Signal, method))

    @pytest.mark.parametrize("method", [SendMethod.SEND, SendMethod.SEND_ROBUST])
    def test_parameters_are_djangos(self, method: str) -> None:
        """Our own loops take the parameters that Django's take, by name, kind and default."""

        def parameters() -> list[tuple[Any, ...]]:
            signature = inspect.signature(getattr(Signal, method), follow_wrapped=False)
            return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

        installed = parameters()
        instrument.uninstall()
        assert installed == parameters()

    @pytest.mark.parametrize("method", SendMethod)
    def test_coroutine_functions_stay_coroutine_functions(self, method: str) -> None:
        """iscoroutinefunction() is true of asend and asend_robust alone."""
        is_async = inspect.iscoroutinefunction(getattr(Signal, method))
        assert is_async == SendMethod(method).is_async

    @pytest.mark.parametrize("method", METHODS)
    def test_names_and_docstrings_are_djangos(self, method: str) -> None:
        """Each method has the name, the module and the docstring of Django's."""

        def described() -> tuple[Any, ...]:
            function = getattr(Signal, method)
            return function.__qualname__, function.__module__, function.__doc__

        installed = described()
        instrument.uninstall()
        assert installed == described()


@pytest.mark.usefixtures("way")
class TestBehaviour:
    @pytest.mark.parametrize("method", SendMethod)
    @pytest.mark.parametrize("kind", RECEIVERS)
    def test_responses_hold_the_receivers_themselves(
        self, method: str, kind: str, signal: Signal
    ) -> None:
        """The list that a send returns holds what was connected, not a wrapper of it."""
        receiver = RECEIVERS[kind]()
        signal.connect(receiver)
        [(found, response)] = send(signal, method)
        if inspect.ismethod(receiver):  # a new object at each access
            assert (found.__func__, found.__self__) == (receiver.__func__, receiver.__self__)
            assert type(found) is type(receiver)
        else:
            assert found is receiver
        assert response in (kind, "plain", "awaited", "async method", "static method")

    @pytest.mark.parametrize("method", SendMethod)
    def test_receivers_get_the_signal_the_sender_and_the_arguments(
        self, method: str, signal: Signal
    ) -> None:
        """A receiver is called with signal, sender and the named arguments, as they are."""
        got: list[dict[str, Any]] = []
        sender, value = object(), object()

        def keeps(**kwargs: Any) -> None:
            got.append(kwargs)

        async def keeps_too(**kwargs: Any) -> None:
            got.append(kwargs)

        signal.connect(keeps)
        signal.connect(keeps_too)
        send(signal, method, sender, value=value)
        assert len(got) == 2
        for kwargs in got:
            assert list(kwargs) == ["signal", "sender", "value"]
            assert kwargs["signal"] is signal
            assert kwargs["sender"] is sender
            assert kwargs["value"] is value

    @pytest.mark.parametrize("method", SendMethod)
    def test_sync_receivers_come_first(self, method: str, signal: Signal) -> None:
        """Responses are those of sync receivers, then of async ones, as connected."""

        async def awaited_too(**kwargs: Any) -> str:
            return "awaited too"

        def plain_too(**kwargs: Any) -> str:
            return "plain too"

        for receiver in (awaited, plain, awaited_too, plain_too):
            signal.connect(receiver)
        responses = send(signal, method)
        assert responses == [
            (plain, "plain"),
            (plain_too, "plain too"),
            (awaited, "awaited"),
            (awaited_too, "awaited too"),
        ]

    @pytest.mark.parametrize("method", SendMethod)
    def test_no_receivers_give_a_new_empty_list(self, method: str, signal: Signal) -> None:
        """Without receivers each send returns an empty list of its own."""
        first, second = send(signal, method), send(signal, method)
        assert first == second == []
        assert first is not second

    @pytest.mark.parametrize("method", SendMethod)
    def test_an_unhashable_sender_is_fine_without_receivers(
        self, method: str, signal: Signal
    ) -> None:
        """A list as the sender is never hashed where nothing is connected."""
        assert send(signal, method, []) == []

    @pytest.mark.parametrize("method", SendMethod)
    def test_an_unhashable_sender_is_an_error_with_receivers(
        self, method: str, signal: Signal
    ) -> None:
        """A list as the sender raises TypeError as soon as something is connected."""
        signal.connect(plain)
        with pytest.raises(TypeError, match="unhashable"):
            send(signal, method, [])

    @pytest.mark.parametrize("method", SendMethod)
    def test_cached_absence_of_receivers_is_used(self, method: str) -> None:
        """A caching signal that found no receivers for a sender does not look again."""
        signal = Signal(use_caching=True)
        signal.connect(plain, sender=Office)
        send(signal, method, CallableInstance)
        assert signal.sender_receivers_cache[CallableInstance] is NO_RECEIVERS
        with mock.patch.object(Signal, "_live_receivers", side_effect=AssertionError):
            assert send(signal, method, CallableInstance) == []

    @pytest.mark.parametrize("method", [SendMethod.SEND, SendMethod.ASEND])
    @pytest.mark.parametrize("is_async", [False, True])
    def test_the_first_exception_reaches_the_sender(
        self, method: str, is_async: bool, signal: Signal
    ) -> None:
        """A send that is not robust raises the very exception of its receiver."""
        error = ValueError("no")

        def fails(**kwargs: Any) -> None:
            raise error

        async def fails_later(**kwargs: Any) -> None:
            raise error

        signal.connect(fails_later if is_async else fails)
        with pytest.raises(ValueError, match="no") as raised:
            send(signal, method)
        assert raised.value is error
        assert error.__cause__ is None

    @pytest.mark.parametrize("method", [SendMethod.SEND_ROBUST, SendMethod.ASEND_ROBUST])
    @pytest.mark.parametrize("is_async", [False, True])
    def test_a_robust_send_returns_and_logs_the_exception(
        self,
        method: str,
        is_async: bool,
        signal: Signal,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A robust send returns the exception itself and logs it under django.dispatch, once."""
        error = ValueError("no")

        def fails(**kwargs: Any) -> None:
            raise error

        async def fails_later(**kwargs: Any) -> None:
            raise error

        receiver = fails_later if is_async else fails
        signal.connect(receiver)
        signal.connect(plain)
        with caplog.at_level(logging.ERROR):
            responses = dict(send(signal, method))
        assert responses == {receiver: error, plain: "plain"}
        [record] = caplog.records
        expected = f"Error calling {receiver.__qualname__} in Signal.send_robust() (no)"
        assert (record.name, record.getMessage()) == ("django.dispatch", expected)
        assert record.exc_info is not None
        assert record.exc_info[1] is error

    @pytest.mark.parametrize("method", [SendMethod.SEND_ROBUST, SendMethod.ASEND_ROBUST])
    def test_a_failing_partial_breaks_a_robust_send_as_in_django(
        self, method: str, signal: Signal, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A receiver without __qualname__ that raises makes even a robust send raise."""

        def fails(**kwargs: Any) -> None:
            raise ValueError("no")

        receiver = functools.partial(fails)
        signal.connect(receiver)
        with pytest.raises(AttributeError, match="__qualname__") as raised:
            send(signal, method)
        assert type(raised.value.__context__) is ValueError
        assert caplog.records == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    def test_a_robust_send_lets_base_exceptions_pass(
        self, error: type[BaseException], signal: Signal
    ) -> None:
        """send_robust() catches Exception alone."""

        def fails(**kwargs: Any) -> None:
            raise error

        signal.connect(fails)
        with pytest.raises(error):
            signal.send_robust(None)

    @pytest.mark.parametrize("method", [SendMethod.SEND, SendMethod.SEND_ROBUST])
    def test_a_send_to_async_receivers_inside_a_loop_fails_after_the_sync_ones(
        self, method: str, signal: Signal
    ) -> None:
        """In a running event loop, sync receivers run, then Django refuses the async ones."""
        ran = []

        def first(**kwargs: Any) -> None:
            ran.append("sync")

        signal.connect(first)
        signal.connect(awaited)

        async def main() -> None:
            with pytest.raises(RuntimeError, match="AsyncToSync"):
                getattr(signal, method)(None)

        asyncio.run(main())
        assert ran == ["sync"]

    @pytest.mark.parametrize("method", SendMethod)
    def test_an_argument_called_signal_is_refused_as_in_django(
        self, method: str, signal: Signal
    ) -> None:
        """A named argument that collides with Django's own raises TypeError."""
        if SendMethod(method).is_robust:
            signal.connect(plain)
            [(_, response)] = send(signal, method, signal=1)
            assert type(response) is TypeError
        else:
            signal.connect(plain)
            with pytest.raises(TypeError, match="'signal'"):
                send(signal, method, signal=1)

    @pytest.mark.parametrize("method", SendMethod)
    def test_a_receiver_may_disconnect_another_during_the_dispatch(
        self, method: str, signal: Signal
    ) -> None:
        """Who runs is settled when the send starts, as in Django."""

        def first(**kwargs: Any) -> None:
            signal.disconnect(plain)

        signal.connect(first)
        signal.connect(plain)
        assert send(signal, method) == [(first, None), (plain, "plain")]
        assert send(signal, method) == [(first, None)]


LISTENERS: dict[str, Callable[[], tuple[Sink, ...]]] = {
    "nobody": tuple,
    "quiet": lambda: (Quiet(),),
    "live": lambda: (Live(),),
    "unrecorded": lambda: (ObservedBy(Unrecorded),),
}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("method", [SendMethod.SEND, SendMethod.SEND_ROBUST])
class TestFrames:
    @pytest.mark.parametrize("level", [3, 4, 5])
    def test_a_warning_names_the_same_place_with_and_without_us(
        self, method: str, listener: str, level: int, signal: Signal
    ) -> None:
        """A stacklevel that a receiver counted names the same file and line under the wrapper."""

        def warns(**kwargs: Any) -> None:
            warnings.warn("careful", stacklevel=level)

        def sends() -> None:
            getattr(signal, method)(None)

        def calls() -> None:
            sends()

        def place() -> tuple[str, int]:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                calls()
            return caught[0].filename, caught[0].lineno

        signal.connect(warns)
        places = []
        with listening(*LISTENERS[listener]()):
            for prepare in (instrument.install, instrument.uninstall):
                prepare()
                places.append(place())  # one line, which level 5 names
        assert places[0] == places[1]
        assert places[0][0] == __file__

    def test_a_traceback_has_one_frame_between_sender_and_receiver(
        self, method: str, listener: str, signal: Signal
    ) -> None:
        """The exception of a receiver shows as many frames as under Django alone."""

        def fails(**kwargs: Any) -> None:
            raise KeyboardInterrupt

        def depth() -> int:
            with pytest.raises(KeyboardInterrupt) as raised:
                getattr(signal, method)(None)
            return len(raised.traceback)

        signal.connect(fails)
        with listening(*LISTENERS[listener]()):
            installed = depth()
        instrument.uninstall()
        assert installed == depth()


@pytest.fixture
def _sentry() -> Iterator[None]:
    """A Sentry client with its Django integration, that sends nothing and patches nothing else."""
    with sentry_sdk.new_scope() as scope:
        client = sentry_sdk.Client(default_integrations=False, auto_enabling_integrations=False)
        client.integrations = {"django": DjangoIntegration()}
        scope.set_client(client)
        yield


@pytest.mark.usefixtures("_sentry")
@pytest.mark.parametrize("order", ["before", "after"])
class TestSentry:
    @pytest.fixture(autouse=True)
    def _patched(
        self, order: str, _installed_afterwards: None, patches: pytest.MonkeyPatch
    ) -> None:
        patches.setattr(Signal, "_live_receivers", Signal._live_receivers)
        if order == "before":
            instrument.uninstall()
            patch_signals()
            instrument.install()
        else:
            patch_signals()

    @pytest.mark.parametrize("method", SendMethod)
    def test_receivers_have_their_own_names(self, method: str, signal: Signal) -> None:
        """Sentry's wrappers are recorded under the names of what they wrap, once each."""
        signal.connect(plain)
        signal.connect(awaited)
        with capture() as dispatches:
            send(signal, method)
        names = [call.receiver for call in dispatches[0].calls]
        assert (len(dispatches), names) == (1, [f"{__name__}.plain", f"{__name__}.awaited"])

    def test_sentry_sees_each_receiver_once(self, signal: Signal) -> None:
        """Recording makes Sentry start one span for each receiver call."""
        signal.connect(plain)
        with mock.patch("sentry_sdk.start_span", wraps=sentry_sdk.start_span) as start, capture():
            signal.send(None)
        assert [call.kwargs["name"] for call in start.call_args_list] == [f"{__name__}.plain"]

    def test_uninstall_leaves_sentrys_patch(self, order: str) -> None:
        """What Sentry put on Signal is still there after uninstall()."""
        sentrys = Signal._live_receivers
        instrument.uninstall()
        assert Signal._live_receivers is sentrys
        assert sentrys.__module__.startswith("sentry_sdk")
        assert Signal.send.__globals__["__name__"] == "django.dispatch.dispatcher"

    def test_responses_are_those_of_sentry_alone(self, signal: Signal) -> None:
        """With Sentry, responses hold its wrappers, as they do without us."""
        signal.connect(plain)
        with capture():
            [(found, response)] = signal.send(None)
        assert (inspect.unwrap(found), response) == (plain, "plain")
        assert found is not plain


class TestCreationAndConnection:
    def test_an_anonymous_signal_is_named_after_its_creation(self) -> None:
        """A signal in no module is called after the line that made it."""
        made = [Signal()]
        with capture() as dispatches:
            made[0].send(None)
        line = here() - 3
        assert dispatches[0].signal == f"{__name__}:{line} (anonymous)"

    def test_a_subclass_with_its_own_init_is_named_after_its_creation(self) -> None:
        """The line that made an anonymous signal is not in the __init__ of its class."""

        class Documented(Signal):
            def __init__(self, meaning: str) -> None:
                super().__init__()
                self.meaning = meaning

        made = [Documented("an order was placed")]
        with capture() as dispatches:
            made[0].send(None)
        line = here() - 3
        assert dispatches[0].signal == f"{__name__}:{line} (anonymous)"

    def test_a_signal_made_in_another_objects_init_is_named_after_that_line(self) -> None:
        """The __init__ of an object that makes a signal is the place of its creation."""

        class Documented(Signal):
            def __init__(self) -> None:
                super().__init__()

        class Shop:
            def __init__(self) -> None:
                self.placed = Documented()
                self.line = here()

        shop = Shop()
        with capture() as dispatches:
            shop.placed.send(None)
        assert dispatches[0].signal == f"{__name__}:{shop.line - 1} (anonymous)"

    def test_connect_refuses_what_django_refuses(self, signal: Signal) -> None:
        """The TypeError of a receiver that cannot be weakly referenced is Django's."""
        with pytest.raises(TypeError, match="weak reference"):
            signal.connect(5)  # type: ignore[arg-type]

    def test_disconnect_answers_as_django(self, signal: Signal) -> None:
        """disconnect() says whether anything was disconnected."""
        signal.connect(plain)
        assert [signal.disconnect(plain), signal.disconnect(plain)] == [True, False]

    def test_init_passes_arguments_on(self) -> None:
        """Signal(use_caching=True), by position too, is a caching signal."""
        assert (Signal(True).use_caching, Signal(use_caching=True).use_caching) == (True, True)
