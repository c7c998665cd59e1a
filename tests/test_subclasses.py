"""Subclasses of Signal that override send() and its siblings."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.dispatch import Signal
from django.utils.functional import SimpleLazyObject

from signal_inspector import Details, Dispatch, Outcome, capture, suppress
from signal_inspector.core.listening.context import running_call
from signal_inspector.core.record.values import SendMethod, Unseen
from signal_inspector.core.wrapper import instrument, subclasses
from tests.clocks import HALF_AN_HOUR, let_an_hour_pass
from tests.listening import Live, Quiet, around, listening

PUT_OFF, UNTOLD = Unseen.PUT_OFF, Unseen.UNTOLD


@pytest.fixture(autouse=True)
def _installed_again(nothing_left: None) -> Iterator[None]:
    """Classes that the test made are let go of; that, too, fails in nothing and leaves nothing."""
    yield
    instrument.uninstall()
    instrument.install()


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


class Lazy(Signal):
    """Answers by what is worked out when it is first looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.evaluated: list[str] = []

    def later(self, name: str) -> Any:
        return SimpleLazyObject(lambda: self.evaluated.append(name) or [])  # type: ignore[func-returns-value]

    def send(self, sender: Any) -> Any:
        return self.later("the responses")

    def send_robust(self, sender: Any) -> Any:
        live, _ = self._live_receivers(sender)
        return [(each, self.later("a response")) for each in live] + [self.later("a pair")]

    def send_all(self, sender: Any) -> Any:
        for each in self._live_receivers(sender)[0]:
            each(signal=self, sender=sender)
        return self.later("the responses")


@pytest.mark.parametrize("name", ["send", "send_robust", "send_all"])
def test_what_is_lazy_stays_so(name: str) -> None:
    """What an override returns is not evaluated to tell what it is."""
    signal = Lazy()
    signal.connect(plain)
    with capture() as dispatches:
        getattr(signal, name)(None)
    assert [each.method for each in dispatches] == [name]
    assert signal.evaluated == []


class Delayed(Signal):
    """Puts its sends off, until they are delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []

    def send(self, sender: Any, **named: Any) -> Any:
        self.waiting.append(lambda: super(Delayed, self).send(sender, **named))
        return "a ticket"

    def deliver(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


class TestPutOff:
    def test_is_no_orphan(self) -> None:
        """A send that waits has no calls yet, and is none that nobody receives."""
        signal = Delayed()
        signal.connect(plain)
        with capture() as dispatches:
            assert signal.send(None) == "a ticket"
        [dispatch] = dispatches
        assert (dispatch.calls, dispatch.is_orphan, dispatch.unseen) == ([], False, PUT_OFF)
        assert dispatch.as_dict()["unseen"] == "put off"

    def test_what_is_sent_later_is_a_dispatch_of_its_own(self) -> None:
        """The delivery is recorded as such, with its receivers and their times."""
        signal = Delayed()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send(None)
            signal.deliver()
        assert [each.unseen for each in dispatches] == [PUT_OFF, None]
        assert [call.timed for call in dispatches[1].calls] == [True]

    def test_what_is_sent_later_in_the_same_context_is_recorded(self) -> None:
        """A context that was copied inside the send does not take the delivery for the send."""

        class InContext(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                self.later = copy_context(), super().send

        signal = InContext()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send(None)
            context, later = signal.later
            context.run(later, None)
        assert [recorded(each) for each in dispatches] == [[], [("plain", "returned")]]
        assert dispatches[1].parent_id == dispatches[0].id

    @pytest.mark.parametrize("returned", [None, [], (), 5, "queued", object()])
    def test_whatever_it_returns(self, returned: object) -> None:
        """An answer that tells of no receiver says that none was called."""

        class Switched(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return returned

        signal = Switched()
        signal.connect(plain)
        with capture() as dispatches:
            assert signal.send(None) is returned
        assert [each.unseen for each in dispatches] == [PUT_OFF]

    def test_nothing_connected_is_an_orphan(self) -> None:
        """Without a receiver for its sender nobody will receive it: what else it does."""
        signal = Delayed()
        dead = lambda **kwargs: None  # noqa: E731
        signal.connect(dead)
        signal.connect(plain, sender=str)
        del dead
        with capture() as dispatches:
            signal.send(int)
            signal.send(str)
        assert [each.is_orphan for each in dispatches] == [True, False]

    def test_one_that_looked_at_its_receivers_and_called_none_is_an_orphan(self) -> None:
        """Receivers that an override leaves out have not received it."""

        class Inactive(Plugin):
            def active(self, sender: Any) -> list[Any]:
                return self._live_receivers(sender)[0][:0]

        signal = Inactive()
        signal.connect(plain)
        with capture() as dispatches:
            assert signal.send(None) == []
        assert [each.is_orphan for each in dispatches] == [True]

    def test_a_failure_is_not_put_off(self) -> None:
        """An override that raises has raised."""

        class Refuses(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                raise TypeError

        signal = Refuses()
        signal.connect(plain)
        with capture() as dispatches, pytest.raises(TypeError):
            signal.send(None)
        assert [(each.unseen, each.outcome) for each in dispatches] == [(None, Outcome.RAISED)]

    def test_async(self) -> None:
        """An asend() that only starts a task has put it off; the task's send is recorded."""

        class InTask(Signal):
            async def asend(self, sender: Any, **named: Any) -> Any:
                self.task = asyncio.ensure_future(super().asend(sender, **named))

        async def main() -> None:
            await signal.asend(None)
            await signal.task

        signal = InTask()
        signal.connect(awaited)
        with capture() as dispatches:
            asyncio.run(main())
        assert [each.unseen for each in dispatches] == [PUT_OFF, None]
        assert recorded(dispatches[1]) == [("awaited", "returned")]


class Chained(Signal):
    """As pretix: further methods that send, and some that only look."""

    def sorted_receivers(self, sender: Any) -> list[Any]:
        return sorted(self._live_receivers(sender)[0], key=lambda each: each.__name__)

    def send_chained(self, sender: Any, value: Any, **named: Any) -> Any:
        for receiver in self.sorted_receivers(sender):
            value = receiver(signal=self, sender=sender, value=value, **named)
        return value

    def send_pairs(self, sender: Any, **named: Any) -> Any:
        live, _ = self._live_receivers(sender)
        return [(each, each(signal=self, sender=sender, **named)) for each in live if named["on"]]

    async def asend_pairs(self, sender: Any, **named: Any) -> Any:
        found = []
        for each in self._live_receivers(sender)[1]:
            await asyncio.sleep(0)
            found.append((each, await each(signal=self, sender=sender, **named)))
        return found

    def send_if(self, sender: Any, *, on: bool) -> Any:
        if on:
            for each in self._live_receivers(sender)[0]:
                each(signal=self, sender=sender)

    def has_listeners(self, sender: Any = None) -> bool:
        return any(self._live_receivers(sender))

    def count(self, sender: Any) -> int:
        return len(self._live_receivers(sender)[0])

    def chosen(self, sender: Any, wanted: Any) -> list[Any]:
        return [each for each in self._live_receivers(sender)[0] if wanted(each)]

    def place(self, **named: Any) -> Any:
        return self.send_chained(None, 1, **named)

    def send_to_all(self, **named: Any) -> Any:
        return self.send(None, **named)


def adds(value: int = 0, **kwargs: Any) -> int:
    return value + 1


def more(value: int = 0, **kwargs: Any) -> int:
    return value + 10


class TestOwnMethods:
    def test_is_recorded_by_its_name(self) -> None:
        """A sending method of the subclass's own is a dispatch, with its own name."""
        signal = Chained()
        signal.connect(adds)
        signal.connect(more)
        with capture() as dispatches:
            assert signal.send_chained(None, 1, a=2) == 12
        [dispatch] = dispatches
        assert dispatch.method == "send_chained"
        assert dispatch.method is SendMethod.named("send_chained")
        assert dispatch.method.is_own
        assert dispatch.outcome is Outcome.RETURNED
        assert list(dispatch.payload or {}) == ["a"]
        assert dispatch.caller is not None
        assert dispatch.caller.path == __file__

    def test_receivers_that_nothing_tells_of_are_those_it_was_given(self) -> None:
        """Whether each was called is not known, which the record says."""
        signal = Chained()
        signal.connect(more)
        signal.connect(adds)
        with capture() as dispatches:
            signal.send_chained(None, 1)
        [dispatch] = dispatches
        assert recorded(dispatch) == [("more", "returned"), ("adds", "returned")]
        assert [call.timed for call in dispatch.calls] == [False, False]
        assert (dispatch.unseen, dispatch.is_orphan) == (UNTOLD, False)

    def test_receivers_are_read_off_pairs(self) -> None:
        """As of an override: what is returned tells of them, and is certain."""
        signal = Chained()
        signal.connect(plain)
        with capture() as dispatches:
            assert signal.send_pairs(None, on=True) == [(plain, "plain")]
        assert [(recorded(each), each.unseen) for each in dispatches] == [
            ([("plain", "returned")], None)
        ]

    def test_a_failure_is_found_in_its_traceback(self) -> None:
        """The receiver that raised is told, as of an override."""
        signal = Chained()
        signal.connect(fails)
        with capture() as dispatches, pytest.raises(ValueError, match="no"):
            signal.send_chained(None, 1)
        assert [recorded(each) for each in dispatches] == [[("fails", "raised")]]
        assert dispatches[0].outcome is Outcome.RAISED

    def test_async(self) -> None:
        """An async one is recorded as an overriding asend() is."""
        signal = Chained()
        signal.connect(awaited)
        with capture() as dispatches:
            assert asyncio.run(signal.asend_pairs(None)) == [(awaited, "awaited")]
        assert [(each.method, recorded(each)) for each in dispatches] == [
            ("asend_pairs", [("awaited", "returned")])
        ]

    @pytest.mark.parametrize(
        "call",
        [
            lambda signal: signal.has_listeners(),
            lambda signal: signal.count(None),
            lambda signal: signal.chosen(None, callable),
            lambda signal: signal.sorted_receivers(None),
            lambda signal: signal.send_pairs(None, on=False),
            lambda signal: signal.send_if(None, on=False),
            lambda signal: signal._live_receivers(None),
        ],
    )
    def test_one_that_calls_no_receiver_leaves_no_record(self, call: Any) -> None:
        """Looking at receivers, and leaving all of them out, is no dispatch."""
        signal = Chained()
        signal.connect(plain)
        sink = Quiet()
        with capture() as dispatches, listening(sink):
            call(signal)
        assert dispatches == []
        assert [what for what, _ in sink.heard if what == "finished"] == []

    def test_without_receivers_leaves_no_record(self) -> None:
        """A method that was given nobody to call has sent nothing."""
        with capture() as dispatches:
            assert Chained().send_chained(None, 1) == 1
        assert dispatches == []

    def test_one_that_calls_another_is_not_recorded_beside_it(self) -> None:
        """A method that only calls a sending one leaves it to that one, as often as it does."""
        signal = Chained()
        signal.connect(adds)
        with capture() as dispatches:
            signal.place()
            signal.place()
            signal.send_to_all()
        assert [each.method for each in dispatches] == ["send_chained", "send_chained", "send"]

    def test_what_its_receivers_send_is_nested(self) -> None:
        """The dispatch is the parent of what its receivers send, and not of what came before."""
        inner, signal = Signal(), Chained()

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)

        signal.connect(sends_on)
        with capture() as dispatches:
            signal.send_chained(None, 1)
        assert [each.parent_id for each in dispatches] == [None, dispatches[0].id]

    def test_what_one_that_sends_nothing_sends_otherwise_is_not_nested(self) -> None:
        """A record that is withdrawn is nobody's parent."""
        inner = Signal()

        class Asks(Signal):
            def send_if_asked(self, sender: Any) -> None:
                inner.send(None)
                for each in self._live_receivers(sender)[0]:
                    each(signal=self, sender=sender)

        with capture() as dispatches:
            Asks().send_if_asked(None)
        assert [(each.method, each.parent_id) for each in dispatches] == [("send", None)]

    def test_one_that_ends_in_send_is_recorded_once(self) -> None:
        """Its receivers are timed, as Signal's own method has called them."""

        class Asks(Signal):
            def send_safely(self, sender: Any) -> Any:
                for each in self._live_receivers(sender)[0]:
                    assert each(check=True) is not None
                return self.send(sender)

        signal = Asks()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send_safely(None)
        assert [each.method for each in dispatches] == ["send_safely"]
        assert [call.timed for call in dispatches[0].calls] == [True]

    def test_a_recursion_is_a_dispatch_for_each_level(self) -> None:
        """A receiver that sends the same way again makes another dispatch, in this one."""
        signal = Chained()

        def again(value: int, **kwargs: Any) -> int:
            return signal.send_chained(None, value - 1) if value else 0

        signal.connect(again)
        with capture() as dispatches:
            signal.send_chained(None, 2)
        ids = [each.id for each in dispatches]
        assert [each.parent_id for each in dispatches] == [None, ids[0], ids[1]]

    def test_one_of_a_mixin(self) -> None:
        """What a class mixes in counts as its own; sends in comprehensions count as well."""

        class Mixin:
            def broadcast(self: Any, **named: Any) -> Any:
                return {str(each): each(**named) for each in self._live_receivers(None)[0]}

        class Mixed(Mixin, Signal):
            pass

        signal = Mixed()
        signal.connect(plain)
        with capture() as dispatches:
            signal.broadcast()
        assert [(each.method, len(each.calls)) for each in dispatches] == [("broadcast", 1)]

    def test_one_whose_loop_is_on_one_line(self) -> None:
        """A method is found to send however its loop is laid out."""

        class Short(Signal):
            def send_all(self, sender: Any) -> Any:
                return [each(signal=self) for each in self._live_receivers(sender)[0]]

        signal = Short()
        signal.connect(plain)
        with capture() as dispatches:
            assert signal.send_all(None) == ["plain"]
        assert [(each.method, len(each.calls)) for each in dispatches] == [("send_all", 1)]

    def test_odd_attributes_do_not_disturb(self) -> None:
        """Class methods, properties and the like of a signal's class stay what they are."""

        class Odd(Signal):
            limit = 3

            @classmethod
            def made(cls) -> Odd:
                return cls()

            @staticmethod
            def nothing() -> None: ...

            @property
            def live(self) -> Any:
                return self._live_receivers(None)

            @functools.cached_property
            def kept(self) -> Any:
                return self._live_receivers(None)

            def send_kept(self, sender: Any) -> None:
                for each in self.live[0]:
                    each(signal=self, sender=sender)

            async def stream(self, sender: Any) -> AsyncIterator[Any]:
                for each in self._live_receivers(sender)[0]:
                    yield each(signal=self, sender=sender)

            def generate(self, sender: Any) -> Iterator[Any]:
                for each in self._live_receivers(sender)[0]:
                    yield each(signal=self, sender=sender)

        signal = Odd.made()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send_kept(None)
            assert list(signal.generate(None)) == ["plain"]
            assert signal.kept == ([plain], [])
        assert [each.method for each in dispatches] == ["send_kept"]

    def test_idle_and_after_uninstall_it_is_as_it_was(self) -> None:
        """Without a listener nothing is recorded; uninstalling puts every method back."""
        before = dict(vars(Chained))
        signal = Chained()
        signal.connect(adds)
        assert signal.send_chained(None, 1) == 2
        instrument.uninstall()
        assert "_live_receivers" not in vars(Chained)
        assert signal.send_chained(None, 1) == 2
        instrument.install()
        assert set(vars(Chained)) == set(before)

    def test_arguments_may_have_any_name(self) -> None:
        """An argument called ``self`` reaches the receivers as without the wrapper."""

        class Positional(Signal):
            def send(this, sender: Any, /, **named: Any) -> Any:  # noqa: N805
                return super(Positional, this).send(sender, **named)

        got = []

        def keeps(signal: Any, sender: Any, **kwargs: Any) -> None:
            got.append(kwargs)

        signal = Positional()
        signal.connect(keeps)
        with capture():
            signal.send(None, this=1)
        signal.send(None, this=2)
        assert got == [{"this": 1}, {"this": 2}]


class TestOpenedx:
    def test_a_send_that_only_warns_is_put_off(self) -> None:
        """send() that only warns calls nobody: no orphan, as receivers are connected."""
        signal = Open()
        signal.connect(plain)
        with capture() as dispatches, pytest.warns(UserWarning, match="send_event"):
            signal.send(None)
        assert [(each.is_orphan, each.unseen) for each in dispatches] == [(False, PUT_OFF)]

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

        class Robust(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return self.send_robust(sender, **named)

        signal = Robust()
        signal.connect(plain)
        with capture() as dispatches:
            signal.send(None)
        assert [(each.method, recorded(each)) for each in dispatches] == [
            (SendMethod.SEND, [("plain", "returned")])
        ]

    def test_an_override_may_use_another_thread(self) -> None:
        """What the receivers send there is theirs, as they are all that runs in that thread."""
        inner = Signal()

        class Threaded(Signal):
            async def asend(self, sender: Any, **named: Any) -> Any:
                sends = sync_to_async(super().send, thread_sensitive=False)
                return await sends(sender, **named)

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)

        signal = Threaded()
        signal.connect(sends_on)
        with capture(details=Details.NONE) as dispatches:
            asyncio.run(signal.asend(None))
        outer, nested = dispatches
        assert (nested.parent_id, nested.parent_call, nested.by_time) == (outer.id, 0, False)

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
        subclasses.install()
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
