"""Sinks: how they are loaded, what each hears of, and what is gathered for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal

from signal_inspector import Details, Dispatch, Sink, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import Observer, load_sinks
from signal_inspector.core.record import recorder
from signal_inspector.core.record.values import SendMethod
from tests.listening import ObservedBy, listening

METHODS = list(SendMethod)

busy, quiet = Signal(), Signal()
BUSY, QUIET = f"{__name__}.busy", f"{__name__}.quiet"


class Own(Signal):
    """A signal with a send() of its own."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, **named)


own = Own()
OWN = f"{__name__}.own"


class Picky(Sink):
    """Wants of each signal what it was told to, and takes down what it hears."""

    details = Details.PAYLOAD | Details.CALLER

    def __init__(self, wanted: Mapping[str, Details | None]) -> None:
        self.wanted = wanted
        self.asked: list[str] = []
        self.heard: list[Dispatch] = []

    def details_for(self, signal: str) -> Details | None:
        self.asked.append(signal)
        return self.wanted.get(signal, Details.NONE)

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        self.heard.append(dispatch)

    @property
    def signals(self) -> list[str]:
        return [dispatch.signal for dispatch in self.heard]


def send(signal: Signal, method: SendMethod = SendMethod.SEND) -> None:
    sending = getattr(signal, method)(None, order=1)
    if method.is_async:
        asyncio.run(sending)


@pytest.fixture
def connected() -> Any:
    """Connects receivers, and disconnects them afterwards."""
    made: list[tuple[Signal, Callable[..., Any]]] = []

    def connect(signal: Signal, receiver: Callable[..., Any]) -> None:
        signal.connect(receiver)
        made.append((signal, receiver))

    yield connect
    for signal, receiver in made:
        signal.disconnect(receiver)


@pytest.fixture(autouse=True)
def _received(connected: Any) -> None:
    for signal in (busy, quiet, own):
        connected(signal, on_order)


def on_order(**kwargs: Any) -> None: ...


@pytest.mark.parametrize("method", METHODS)
def test_a_signal_that_no_sink_wants(method: SendMethod) -> None:
    """A sink that answers None for a signal is not told of it, however it is sent."""
    sink = Picky({BUSY: None})
    with listening(sink):
        send(busy, method)
        send(quiet, method)
    assert sink.signals == [QUIET]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_gathered(method: SendMethod) -> None:
    """Of each signal the details are gathered that the sink wants of it, and no others."""
    sink = Picky({BUSY: Details.PAYLOAD, QUIET: Details.CALLER})
    with listening(sink):
        send(busy, method)
        send(quiet, method)
    first, second = sink.heard
    assert first.payload is not None
    assert first.caller is None
    assert second.payload is None
    assert second.caller is not None


def test_a_signal_nobody_wants_makes_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a signal that the only sink does not want no dispatch is made."""
    made = []
    monkeypatch.setattr(recorder, "RunningDispatch", lambda: made.append(1))
    with listening(Picky({BUSY: None})):
        send(busy)
    assert made == []


def test_asked_once_for_each_signal() -> None:
    """The answer for a signal is remembered until the sinks are looked at anew."""
    sink = Picky({})
    with listening(sink):
        for _ in range(3):
            send(busy)
            send(quiet)
        assert sink.asked == [BUSY, QUIET]
        sink.wanted = {BUSY: None}
        sinks.refresh_sinks()
        send(busy)
    assert sink.asked == [BUSY, QUIET, BUSY]
    assert len(sink.heard) == 6


@pytest.mark.parametrize("around", ["nothing", "a capture", "an observer"])
@pytest.mark.parametrize("method", METHODS)
def test_what_its_receivers_send(method: SendMethod, around: str, connected: Any) -> None:
    """What is sent inside a receiver of an unwanted signal is heard of like anything else."""

    def sends_on(**kwargs: Any) -> None:
        quiet.send(None)

    connected(busy, sends_on)
    sink = Picky({BUSY: None})
    if around == "a capture":
        with listening(sink), capture() as dispatches:
            send(busy, method)
        assert [each.signal for each in dispatches] == [BUSY, QUIET]
        assert dispatches[1].parent_id == dispatches[0].id
    elif around == "an observer":
        with listening(sink, ObservedBy(Observer)):
            send(busy, method)
    else:
        with listening(sink):
            send(busy, method)
        assert sink.heard[0].parent_id is None
    assert sink.signals == [QUIET]


def test_an_observer_that_is_idle_inside(connected: Any) -> None:
    """A sink that observed the outer dispatch and is idle by now hides the inner one from none."""

    class Once(Sink):
        idle = False

        def is_idle(self) -> bool:
            return self.idle

        def observer_for(self, *args: Any) -> Observer:
            self.idle = True
            return Observer()

    def sends_on(**kwargs: Any) -> None:
        quiet.send(None)

    connected(busy, sends_on)
    sink = Picky({BUSY: None})
    with listening(sink, Once()):
        send(busy)
    assert sink.signals == [QUIET]


def test_a_capture_in_a_receiver(connected: Any) -> None:
    """A capture() that a receiver opens keeps no sink from hearing what it collects."""

    def captures(**kwargs: Any) -> None:
        with capture() as dispatches:
            quiet.send(None)
        found.append(len(dispatches))

    found: list[int] = []
    connected(busy, captures)
    sink = Picky({BUSY: None})
    with listening(sink), capture():
        send(busy)
    assert found == [1]
    assert sink.signals == [QUIET]


def test_a_capture_gets_all_of_it() -> None:
    """A capture() has every signal with all details, whatever sinks want."""
    sink = Picky({BUSY: None, QUIET: Details.NONE})
    with listening(sink), capture() as dispatches:
        send(busy)
        send(quiet)
    assert [each.signal for each in dispatches] == [BUSY, QUIET]
    assert all(each.payload and each.caller for each in dispatches)
    assert sink.signals == [QUIET]


def test_an_overriding_send() -> None:
    """A signal with a send() of its own is unwanted like any other."""
    sink = Picky({OWN: None})
    with listening(sink):
        send(own)
        send(busy)
    assert sink.signals == [BUSY]


def test_sinks_that_want_different_signals() -> None:
    """Each sink hears of what it wants; those that do not tell signals apart hear of all."""

    class All(Sink):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def dispatch_finished(self, dispatch: Dispatch) -> None:
            self.heard.append(dispatch.signal)

    first, second, third = Picky({BUSY: None}), Picky({QUIET: None}), All()
    with listening(first, second, third):
        send(busy)
        send(quiet)
    assert (first.signals, second.signals, third.heard) == ([QUIET], [BUSY], [BUSY, QUIET])


def test_a_sink_that_fails_to_answer() -> None:
    """What details_for() raises is reported once for each signal; the sink hears of it in full."""

    class Broken(Picky):
        def details_for(self, signal: str) -> Details | None:
            raise ZeroDivisionError

    sink = Broken({})
    with listening(sink):
        send(busy)
        send(busy)
    assert [each.payload is not None for each in sink.heard] == [True, True]
    assert list(internal_errors.counts().values()) == [1]
    internal_errors.reset()


def test_what_the_answer_sends() -> None:
    """What a sink sends while it makes up its mind is not recorded."""

    class Sends(Picky):
        def details_for(self, signal: str) -> Details | None:
            quiet.send(None)
            return Details.NONE

    sink = Sends({})
    with listening(sink):
        send(busy)
    assert sink.signals == [BUSY]


class Noting(Observer):
    """Notes the dispatches that ended."""

    def __init__(self, ended: list[str]) -> None:
        self.ended = ended

    def finished(self, error: BaseException | None) -> None:
        self.ended.append(self.dispatch.signal)


def test_a_sink_that_fails_to_say_whether_it_is_idle() -> None:
    """Another sink that answers with observers hears of the dispatch all the same."""

    class Broken(ObservedBy):
        def is_idle(self) -> bool:
            raise ZeroDivisionError

    ended: list[str] = []
    with listening(Broken(lambda: None), ObservedBy(lambda: Noting(ended))):
        send(busy)
    assert ended == [BUSY]
    (kind,) = internal_errors.counts()
    assert kind.endswith("Broken.is_idle")
    internal_errors.reset()


class Untellable:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("answer", [object, Untellable])
def test_an_answer_that_is_no_observer(
    answer: Callable[[], Any], method: SendMethod, others: int
) -> None:
    """It is reported, and reaches neither the sender nor the others who listen."""
    heard = Picky({})
    with listening(ObservedBy(answer), *[heard][:others]):
        send(busy, method)
    assert heard.signals == [BUSY] * others
    (kind,) = internal_errors.counts()
    assert kind.endswith("ObservedBy.observer_for")
    internal_errors.reset()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("others", [0, 1])
def test_an_observer_that_fails_to_say_what_it_is_told(method: SendMethod, others: int) -> None:
    """That is reported, and it is told of the whole; the sender does not notice."""

    class Broken(Noting):
        @property
        def by_receiver(self) -> bool:  # type: ignore[override]
            raise ZeroDivisionError

    ended: list[str] = []
    observed = [ObservedBy(lambda: Broken(ended)), ObservedBy(lambda: Noting(ended))]
    with listening(*observed[: 1 + others]):
        send(busy, method)
    assert ended == [BUSY] * (1 + others)
    assert all(kind.endswith("Broken.by_receiver") for kind in internal_errors.counts())
    internal_errors.reset()


class Plain(Sink):
    """A sink that can be used."""


class Remote(Sink):
    """A sink that cannot be made without arguments."""

    def __init__(self, url: str) -> None:
        self.url = url


class NoSink:
    """Not a sink."""


made = Plain()


BROKEN_SINKS = [
    ("Sink", "cannot be imported: ImportError: Sink doesn't look like a module path"),
    (
        "no.such.Sink",
        "cannot be imported: ModuleNotFoundError: No module named 'no'",
    ),
    (f"{__name__}.Gone", "cannot be imported: ImportError: "),
    (f"{__name__}.NoSink", "is not a subclass of signal_inspector.Sink."),
    (f"{__name__}.made", "is not a subclass of signal_inspector.Sink."),
]


@pytest.mark.parametrize(("path", "cause"), BROKEN_SINKS)
def test_a_sink_that_cannot_be_used(path: str, cause: str) -> None:
    """The error names the setting, the path and the cause."""
    sentence = f'SIGNAL_INSPECTOR["SINKS"]: {path!r} {cause}'
    paths = [f"{__name__}.Plain", path]
    with pytest.raises(ImproperlyConfigured) as raised:
        load_sinks(paths)
    assert str(raised.value).startswith(sentence)


def test_a_sink_whose_module_fails(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its module raises, the sentence tells it and the cause is chained."""
    (tmp_path / "failing_sinks.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ImproperlyConfigured, match="ZeroDivisionError: division by zero"
    ) as raised:
        load_sinks(["failing_sinks.Sink"])
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_sink_that_wants_arguments() -> None:
    """A sink that cannot be made is refused with its name and the cause."""
    with pytest.raises(
        ImproperlyConfigured,
        match=r"'tests.test_sinks.Remote' could not be created without arguments: Type.*'url'",
    ):
        load_sinks([f"{__name__}.Remote"])


def test_sinks_are_made_in_order() -> None:
    """One instance of each class, in the order of the setting."""
    first, second = load_sinks([f"{__name__}.Plain", "signal_inspector.core.listening.sinks.Sink"])
    assert type(first) is Plain
    assert type(second) is Sink
    assert load_sinks([]) == []
