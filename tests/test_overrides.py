"""Subclasses of Signal that override send() and its siblings."""

from __future__ import annotations

import asyncio
import inspect
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector import Dispatch, Outcome, capture, instrument, overrides, suppress, trouble
from signal_inspector.records import SendMethod
from signal_inspector.scopes import current, running_call
from tests.clocks import HALF_AN_HOUR, let_an_hour_pass
from tests.listening import Live, Quiet, around, listening


@pytest.fixture(autouse=True)
def _no_trouble() -> Iterator[None]:
    """Nothing of ours failed in silence, and nothing of ours is left in the context."""
    before = current.get()
    yield
    instrument.uninstall()
    instrument.install()
    assert trouble.counts() == {}
    assert current.get() is before


class Calls(Signal):
    """Calls super(), as openedx's send_event() and most others do."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, added=True, **named)

    def send_robust(self, sender: Any, **named: Any) -> Any:
        return super().send_robust(sender, added=True, **named)

    async def asend(self, sender: Any, **named: Any) -> Any:
        return await super().asend(sender, added=True, **named)

    async def asend_robust(self, sender: Any, **named: Any) -> Any:
        return await super().asend_robust(sender, added=True, **named)


class CallsTwice(Calls):
    """A second level, between the sender and the override above."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, again=True, **named)

    async def asend(self, sender: Any, **named: Any) -> Any:
        return await super().asend(sender, again=True, **named)


class Plugin(Signal):
    """Does it all itself, as pretix does: no super(), its own loop over live receivers."""

    def send(self, sender: Any, **named: Any) -> Any:
        receivers = self.active(sender)
        return [(each, each(signal=self, sender=sender, **named)) for each in receivers]

    def send_robust(self, sender: Any, **named: Any) -> Any:
        responses: list[tuple[Any, Any]] = []
        for receiver in self.active(sender):
            try:
                response = receiver(signal=self, sender=sender, **named)
            except Exception as error:
                responses.append((receiver, error))
            else:
                responses.append((receiver, response))
        return responses

    def active(self, sender: Any) -> list[Any]:
        receivers = self._live_receivers(sender)[0]
        return [each for each in receivers if each.__module__.startswith("tests.")]


class Open(Signal):
    """As openedx: send() only warns, and send_event() sends by Signal's own method."""

    def send(self, sender: Any, **named: Any) -> Any:
        warnings.warn("use send_event()", UserWarning, stacklevel=1)

    def send_event(self, **named: Any) -> Any:
        return super().send(None, **named)


def plain(**kwargs: Any) -> str:
    return "plain"


async def awaited(**kwargs: Any) -> str:
    await asyncio.sleep(0)
    return "awaited"


def fails(**kwargs: Any) -> None:
    raise ValueError("no")


def send(signal: Signal, method: SendMethod, sender: object = None, **named: Any) -> Any:
    sending = getattr(signal, method)(sender, **named)
    return asyncio.run(sending) if method.is_async else sending


def recorded(dispatch: Dispatch) -> list[tuple[str, str]]:
    return [(call.receiver.rpartition(".")[2], call.outcome.value) for call in dispatch.calls]


@pytest.mark.parametrize("method", SendMethod)
class TestWithSuper:
    @pytest.mark.parametrize("kind", [Calls, CallsTwice])
    def test_is_recorded_once(self, method: SendMethod, kind: type[Signal]) -> None:
        """A send through one or two overrides that call super() is one dispatch."""
        signal = kind()
        signal.connect(plain)
        signal.connect(awaited)
        with capture() as dispatches:
            send(signal, method)
        assert len(dispatches) == 1
        assert recorded(dispatches[0]) == [("plain", "returned"), ("awaited", "returned")]

    def test_is_recorded_as_the_sender_sent_it(self, method: SendMethod) -> None:
        """Method, payload and caller are those of the code that called the override."""
        signal = CallsTwice()
        signal.connect(plain)
        with capture() as dispatches:
            send(signal, method, mine=1)
        [dispatch] = dispatches
        assert dispatch.method == method
        assert list(dispatch.payload or {}) == ["mine"]
        if not method.is_async:
            assert dispatch.caller is not None
            assert (dispatch.caller.path, dispatch.caller.function) == (__file__, "send")

    def test_receivers_get_what_the_override_sends(self, method: SendMethod) -> None:
        """What an override adds reaches the receivers."""
        got = []

        def keeps(**kwargs: Any) -> None:
            got.append(kwargs["added"])

        signal = Calls()
        signal.connect(keeps)
        with capture():
            send(signal, method)
        assert got == [True]

    def test_an_orphan_is_recorded_once(self, method: SendMethod) -> None:
        """A send that nobody receives is one orphan dispatch through an override, too."""
        with capture() as dispatches:
            send(CallsTwice(), method)
        assert [each.is_orphan for each in dispatches] == [True]

    def test_a_failure_is_recorded(self, method: SendMethod) -> None:
        """What a receiver raised stands in its call, and the dispatch ended as for the sender."""
        signal = Calls()
        signal.connect(fails)
        with capture() as dispatches:
            try:
                send(signal, method)
            except ValueError:
                assert not method.is_robust
        assert recorded(dispatches[0]) == [("fails", "raised")]
        expected = Outcome.RETURNED if method.is_robust else Outcome.RAISED
        assert dispatches[0].outcome is expected

    def test_is_told_to_sinks_once(self, method: SendMethod) -> None:
        """A sink hears of one start and one end."""
        sink = Quiet()
        signal = CallsTwice()
        signal.connect(plain)
        with listening(sink):
            send(signal, method)
        assert [what for what, _ in sink.heard] == ["started", "finished"]


class TestTimes:
    def test_what_an_override_does_first_is_no_receivers_time(self) -> None:
        """Time that an override takes before super() counts for the dispatch, not a receiver."""

        class Slow(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                time.sleep(0.01)
                return super().send(sender, **named)

        signal = Slow()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send(None)
        [call] = dispatches[0].calls
        assert call.offset_ns is not None
        assert call.offset_ns >= 10_000_000
        assert call.offset_ns + call.duration_ns <= dispatches[0].duration_ns


@pytest.mark.parametrize("method", [SendMethod.SEND, SendMethod.SEND_ROBUST])
class TestWithoutSuper:
    def test_is_recorded_from_its_responses(self, method: SendMethod) -> None:
        """Receiver calls are read off the pairs that the override returns, without times."""
        signal = Plugin()
        signal.connect(plain)
        with capture() as dispatches:
            responses = send(signal, method)
        assert responses == [(plain, "plain")]
        [dispatch] = dispatches
        [call] = dispatch.calls
        assert recorded(dispatch) == [("plain", "returned")]
        assert (call.path, call.timed, call.duration_ns) == (__file__, False, 0)

    def test_the_whole_is_timed(self, method: SendMethod) -> None:
        """The dispatch lasts as long as the overriding method."""

        def slow(**kwargs: Any) -> None:
            time.sleep(0.01)

        signal = Plugin()
        signal.connect(slow)
        with capture() as dispatches:
            send(signal, method)
        assert dispatches[0].duration_ns >= 10_000_000

    def test_sees_the_receivers_themselves(self, method: SendMethod) -> None:
        """_live_receivers() gives an override what was connected, also while it is recorded."""
        seen = []

        class Looks(Plugin):
            def active(self, sender: Any) -> list[Any]:
                seen.extend(self._live_receivers(sender)[0])
                return []

        signal = Looks()
        signal.connect(plain)
        with listening(Live()):
            send(signal, method)
        assert seen == [plain]

    def test_a_receiver_that_sends_it_again_is_recorded_again(self, method: SendMethod) -> None:
        """Recursion through an override makes a dispatch for each level, each in its parent."""
        signal = Plugin()

        def again(depth: int, **kwargs: Any) -> None:
            if depth:
                send(signal, method, depth=depth - 1)

        signal.connect(again)
        with capture() as dispatches:
            send(signal, method, depth=2)
        ids = [each.id for each in dispatches]
        assert [each.parent_id for each in dispatches] == [None, ids[0], ids[1]]
        assert [recorded(each) for each in dispatches] == [[("again", "returned")]] * 3

    def test_what_its_receivers_send_is_nested(self, method: SendMethod) -> None:
        """Another signal's dispatch in a receiver has the override's as its parent."""
        signal, inner = Plugin(), Signal()

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)

        signal.connect(sends_on)
        with capture() as dispatches:
            send(signal, method)
        assert dispatches[1].parent_id == dispatches[0].id


class TestWithoutSuperFailing:
    def test_the_receiver_that_raised_is_found(self) -> None:
        """The receiver whose code stands in the traceback is recorded as the one that raised."""
        signal = Plugin()
        signal.connect(plain)
        signal.connect(fails)
        with capture() as dispatches, pytest.raises(ValueError, match="no"):
            signal.send(None)
        assert recorded(dispatches[0]) == [("fails", "raised")]
        assert dispatches[0].outcome is Outcome.RAISED

    def test_an_override_that_raises_itself_has_no_receiver_call(self) -> None:
        """An exception of the override's own is the dispatch's, not a receiver's."""

        class Refuses(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                raise TypeError("not like this")

        signal = Refuses()
        signal.connect(plain)
        with capture() as dispatches, pytest.raises(TypeError, match="not like this"):
            signal.send(None)
        assert (dispatches[0].calls, dispatches[0].outcome) == ([], Outcome.RAISED)

    def test_a_swallowed_exception_is_a_failure_of_a_robust_send(self) -> None:
        """An exception that an overriding send_robust() returns is recorded as raised."""
        signal = Plugin()
        signal.connect(fails)
        with capture() as dispatches:
            signal.send_robust(None)
        [call] = dispatches[0].calls
        assert call.failure is not None
        assert (call.outcome, call.failure.message) == (Outcome.RAISED, "no")
        assert dispatches[0].outcome is Outcome.RETURNED

    def test_an_exception_returned_by_a_plain_send_is_a_response(self) -> None:
        """An exception that an overriding send() returns is what the receiver returned."""
        signal = Plugin()

        def returns_error(**kwargs: Any) -> Exception:
            return ValueError("a value like any other")

        signal.connect(returns_error)
        with capture() as dispatches:
            signal.send(None)
        assert recorded(dispatches[0])[0][1] == "returned"

    @pytest.mark.parametrize("returned", [None, 5, "text", [1, 2], [(1, 2)], {"a": 1}])
    def test_anything_may_be_returned(self, returned: object) -> None:
        """An override that returns no list of pairs is recorded without receiver calls."""

        class Odd(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return returned

        with capture() as dispatches:
            assert Odd().send(None) is returned
        assert [each.calls for each in dispatches] == [[]]


class TestOpenedx:
    def test_a_send_that_only_warns_reached_nobody(self) -> None:
        """send() that only warns is an orphan, although receivers are connected."""
        signal = Open()
        signal.connect(plain)
        with capture() as dispatches, pytest.warns(UserWarning, match="send_event"):
            signal.send(None)
        assert [each.is_orphan for each in dispatches] == [True]

    def test_another_method_that_calls_super_is_recorded(self) -> None:
        """send_event(), which calls Signal.send(), is one dispatch with its receivers."""
        signal = Open()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send_event(a=1)
        assert [recorded(each) for each in dispatches] == [[("plain", "returned")]]


class TestAsync:
    def test_an_override_that_awaits_receivers_itself_is_recorded(self) -> None:
        """An asend() without super() is read off what it returns, and timed as a whole."""

        class Sequential(Signal):
            async def asend(self, sender: Any, **named: Any) -> Any:
                return [
                    (each, await each(signal=self, sender=sender, **named))
                    for each in self._live_receivers(sender)[1]
                ]

        signal = Sequential()
        signal.connect(awaited)
        with capture() as dispatches:
            assert asyncio.run(signal.asend(None)) == [(awaited, "awaited")]
        assert [recorded(each) for each in dispatches] == [[("awaited", "returned")]]
        assert dispatches[0].calls[0].is_async

    @pytest.mark.parametrize("recording", [False, True])
    def test_an_override_that_returns_a_coroutine_is_recorded_once(self, recording: bool) -> None:
        """An asend() that is no coroutine function but returns super()'s is one dispatch."""

        class Returns(Signal):
            def asend(self, sender: Any, **named: Any) -> Any:
                return super().asend(sender, **named)

        signal = Returns()
        signal.connect(plain)
        sink = Quiet()
        with listening(*[sink] * recording):
            sending = signal.asend(None)
            assert inspect.iscoroutine(sending)
            assert asyncio.run(sending) == [(plain, "plain")]
        assert [what for what, _ in sink.heard] == ["started", "finished"] * recording

    def test_an_override_that_returns_a_task_returns_that_task(self) -> None:
        """What the caller gets of an asend() that starts a task is the task itself."""
        made = []

        class Starts(Signal):
            def asend(self, sender: Any, **named: Any) -> Any:
                made.append(asyncio.ensure_future(super().asend(sender, **named)))
                return made[0]

        async def main() -> bool:
            task = signal.asend(None)
            await task
            return task is made[0]

        signal = Starts()
        signal.connect(plain)
        with capture() as dispatches:
            assert asyncio.run(main())
        assert [recorded(each) for each in dispatches] == [[("plain", "returned")]]

    def test_a_cancelled_override_is_recorded(self) -> None:
        """An overriding asend() that is cancelled ends its record as cancelled."""

        class Waits(Signal):
            async def asend(self, sender: Any, **named: Any) -> Any:
                let_an_hour_pass()
                await asyncio.sleep(30)

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(Waits().asend(None), HALF_AN_HOUR)

        with capture() as dispatches:
            asyncio.run(main())
        assert [each.outcome for each in dispatches] == [Outcome.CANCELLED]

    def test_interleaved_overrides_are_kept_apart(self) -> None:
        """Two overriding asend() calls that wait at once are each recorded with their own."""

        class Slow(Signal):
            async def asend(self, sender: Any, **named: Any) -> Any:
                await asyncio.sleep(0.001)
                return await super().asend(sender, **named)

        async def main() -> None:
            await asyncio.gather(signal.asend("first"), signal.asend("second"))

        signal = Slow()
        signal.connect(awaited)
        with capture() as dispatches:
            asyncio.run(main())
        assert [(each.sender, each.parent_id) for each in dispatches] == [
            ("'first'", None),
            ("'second'", None),
        ]


class TestMixtures:
    def test_an_override_may_use_another_method(self) -> None:
        """A send() that calls send_robust() is one dispatch, by the method that was called."""

        class Careful(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return self.send_robust(sender, **named)

        signal = Careful()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send(None)
        assert [(each.method, recorded(each)) for each in dispatches] == [
            (SendMethod.SEND, [("plain", "returned")])
        ]

    def test_an_override_may_send_another_signal_first(self) -> None:
        """A dispatch of another signal inside an override is nested, and adopts nothing."""
        before = Signal()

        class Announces(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                before.send("before")
                return super().send(sender, **named)

        signal = Announces()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send("main")
        main, announced = dispatches
        assert (main.sender, announced.sender) == ("'main'", "'before'")
        assert announced.parent_id == main.id
        assert recorded(main) == [("plain", "returned")]

    def test_the_sender_may_come_by_name(self) -> None:
        """send(sender=...) is recorded with that sender, and not with it as payload."""
        with capture() as dispatches:
            Plugin().send(sender="web", a=1)
        assert (dispatches[0].sender, list(dispatches[0].payload or {})) == ("'web'", ["a"])

    def test_a_suppressed_override_is_not_recorded(self) -> None:
        """Inside suppress() neither the override nor Signal's method records."""
        with capture() as dispatches, suppress():
            Calls().send(None)
            Plugin().send(None)
        assert dispatches == []

    def test_queries_of_an_override_belong_to_its_dispatch(self) -> None:
        """Code of an override runs in its dispatch, in no receiver call."""
        seen = []

        class Looks(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                seen.append(running_call())

        with capture() as dispatches:
            Looks().send(None)
        assert seen == [(dispatches[0], None)]

    def test_an_override_called_with_too_little_fails_as_before(self) -> None:
        """Arguments that an override refuses raise its TypeError, recorded or not."""
        with capture(), pytest.raises(TypeError, match=r"Calls\.send\(\) missing"):
            Calls().send()  # type: ignore[call-arg]

    def test_cooperating_mixins_are_followed(self) -> None:
        """A mixin that is no Signal, and calls super(), stays part of one dispatch."""

        class Mixin:
            def send(self, sender: Any, **named: Any) -> Any:
                return super().send(sender, mixed=True, **named)  # type: ignore[misc]

        class Mixed(Mixin, Calls):
            """Two overrides, one of which belongs to no subclass of Signal."""

        signal = Mixed()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send(None)
        assert [recorded(each) for each in dispatches] == [[("plain", "returned")]]


class TestInstall:
    @pytest.mark.usefixtures("_bare")
    def test_uninstall_restores_overrides(self) -> None:
        """Without the wrapper every override is the function that its class defined."""
        for kind in (Calls, CallsTwice, Plugin, Open):
            for method in SendMethod:
                function = kind.__dict__.get(method)
                if function is not None:
                    assert function.__code__.co_filename == __file__

    @pytest.fixture
    def _bare(self) -> None:
        instrument.uninstall()

    def test_installing_again_wraps_nothing_twice(self) -> None:
        """A second install() leaves overrides as the first made them."""
        before = Calls.__dict__["send"]
        overrides.install()
        assert Calls.__dict__["send"] is before

    def test_a_class_defined_after_install_is_watched(self) -> None:
        """An override of a class that is made later is recorded."""

        class Late(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return []

        with capture() as dispatches:
            Late().send(None)
        assert len(dispatches) == 1

    @pytest.mark.usefixtures("_bare")
    def test_a_class_defined_before_install_is_watched(self) -> None:
        """An override of a class that was there first is recorded."""

        class Early(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return []

        instrument.install()
        with capture() as dispatches:
            Early().send(None)
        assert len(dispatches) == 1

    def test_a_class_defined_after_install_is_restored(self) -> None:
        """uninstall() restores classes that were made while installed."""

        class Late(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return []

        instrument.uninstall()
        assert not hasattr(Late.__dict__["send"], "__wrapped__")

    def test_a_foreign_patch_over_an_override_stays(self) -> None:
        """uninstall() leaves what another tool put over an override."""

        class Late(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return []

        foreign = Late.send = lambda self, sender, **named: []  # type: ignore[method-assign]
        instrument.uninstall()
        assert Late.__dict__["send"] is foreign

    def test_init_subclass_of_a_signal_class_still_runs(self) -> None:
        """A class of the user's own with __init_subclass__ gets its keyword arguments."""
        made = []

        class Registers(Signal):
            def __init_subclass__(cls, /, label: str, **kwargs: Any) -> None:
                super().__init_subclass__(**kwargs)
                made.append(label)

        class Labelled(Registers, label="orders"):
            def send(self, sender: Any, **named: Any) -> Any:
                return []

        with capture() as dispatches:
            Labelled().send(None)
        assert (made, len(dispatches)) == (["orders"], 1)

    @pytest.mark.parametrize("method", SendMethod)
    def test_overrides_look_as_they_did(self, method: SendMethod) -> None:
        """Signature, name and kind of an override are those that its class gave it."""

        def described() -> tuple[Any, ...]:
            function = Calls.__dict__[method]
            is_async = inspect.iscoroutinefunction(function)
            return inspect.signature(function), function.__qualname__, is_async

        installed = described()
        instrument.uninstall()
        assert installed == described()

    def test_under_a_foreign_patch_an_override_records_nothing_once_uninstalled(self) -> None:
        """What another tool wrapped still sends after uninstall(), and is not recorded."""

        class Late(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return "sent"

        ours = Late.__dict__["send"]
        Late.send = around(ours)  # type: ignore[method-assign]
        instrument.uninstall()
        with capture() as dispatches:
            assert Late().send(None) == "sent"
        assert dispatches == []
