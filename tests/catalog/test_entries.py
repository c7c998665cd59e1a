"""What is connected in this process now."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models.signals import ModelSignal
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector import catalog, names
from signal_inspector.catalog import ReceiverEntry, SignalEntry, State, describe, receivers_of
from signal_inspector.core.wrapper import instrument

order_placed = Signal()
parcel_sent = Signal()


pytestmark = pytest.mark.usefixtures("nothing_failed")


@pytest.fixture
def signal() -> Signal:
    return Signal()


class Web:
    """A sender."""


class Shop:
    """Has signals of its own."""

    opened = Signal()
    saved = ModelSignal()


def on_order(**kwargs: Any) -> None: ...


async def on_order_async(**kwargs: Any) -> None: ...


def on_order_too(**kwargs: Any) -> None: ...


def closure() -> Any:
    def inner(**kwargs: Any) -> None: ...

    return inner


def last_names(entries: list[ReceiverEntry]) -> list[str]:
    return [entry.receiver.rpartition(".")[2] for entry in entries]


class Channel:
    def handle(self, **kwargs: Any) -> None: ...


def repetitions(signal: Signal) -> list[int]:
    return [entry.repetition for entry in receivers_of(signal)]


class TestRepetition:
    def test_one_receiver_twice(self, signal: Signal) -> None:
        """Under a uid and without, for any sender and for one: a dispatch calls it twice."""
        channel = Channel()
        for receiver in (on_order, channel.handle):
            signal.connect(receiver)
            signal.connect(receiver, dispatch_uid=f"again {receiver.__qualname__}")
        signal.connect(on_order_too, sender=Web)
        signal.connect(on_order_too)
        assert repetitions(signal) == [1, 1, 3, 3, 5, 5]

    def test_other_objects(self, signal: Signal) -> None:
        """Methods of two objects, partials of one function, closures: none is called twice."""
        receivers = [Channel().handle, Channel().handle]
        receivers += [partial(on_order, a=1), partial(on_order, a=2)]
        receivers += [closure(), closure()]
        for receiver in receivers:
            signal.connect(receiver, weak=False)
        assert repetitions(signal) == [0] * len(receivers)

    def test_two_senders(self, signal: Signal) -> None:
        """Once for each of two senders is once for a dispatch."""
        signal.connect(on_order, sender=Web)
        signal.connect(on_order, sender=Shop)
        assert repetitions(signal) == [0, 0]

    def test_a_file_that_was_imported_under_two_names(
        self, signal: Signal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The commonest reason why a mail goes out twice."""
        (tmp_path / "receivers.py").write_text("def mail(**kwargs): ...\n")
        for name in ("twice_shop.receivers", "twice_receivers"):
            spec = importlib.util.spec_from_file_location(name, tmp_path / "receivers.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, name, module)
            spec.loader.exec_module(module)
            signal.connect(module.mail)
        assert repetitions(signal) == [1, 1]


class TestReceiversOf:
    def test_a_connection_is_described(self, signal: Signal) -> None:
        """An entry has name, place, sender, kind, reference, dispatch_uid and who connected it."""
        signal.connect(on_order, sender=Web, dispatch_uid="uid")
        [entry] = receivers_of(signal)
        assert entry.connected_at is not None
        assert entry == ReceiverEntry(
            receiver=f"{__name__}.on_order",
            path=__file__,
            line=on_order.__code__.co_firstlineno,
            sender=f"{__name__}.Web",
            is_async=False,
            is_weak=True,
            dispatch_uid="uid",
            connected_at=entry.connected_at,
            is_dead=False,
        )
        assert entry.connected_at.path == __file__

    def test_async_receivers_are_known_on_every_django(self, signal: Signal) -> None:
        """is_async is Django's own verdict, whatever the shape of its entries."""
        signal.connect(on_order_async)
        signal.connect(on_order)
        assert [entry.is_async for entry in receivers_of(signal)] == [False, True]

    def test_entries_stand_in_the_order_of_calls(self, signal: Signal) -> None:
        """Receivers stand in the order of a send's responses."""

        def late(**kwargs: Any) -> None: ...

        for receiver in (on_order_async, on_order, late):
            signal.connect(receiver)
        responses = asyncio.run(signal.asend(None))
        called = [receiver.__qualname__.rpartition(".")[2] for receiver, _ in responses]
        assert last_names(receivers_of(signal)) == called

    def test_dead_receivers_come_last(self, signal: Signal) -> None:
        """A receiver whose weak reference died is listed after the live ones, as dead."""
        signal.connect(lambda **kwargs: None)
        gc.collect()
        signal.connect(on_order)
        entries = receivers_of(signal)
        assert last_names(entries) == ["on_order", "<lambda>"]
        assert [entry.is_dead for entry in entries] == [False, True]

    def test_a_dead_receiver_that_django_still_lists_is_dead(self, signal: Signal) -> None:
        """A dead entry that no send has swept out yet is told once, as dead."""
        signal.connect(lambda **kwargs: None)
        gc.collect()
        assert len(signal.receivers) == 1
        assert [entry.is_dead for entry in receivers_of(signal)] == [True]

    def test_strong_connections_are_told(self, signal: Signal) -> None:
        """A receiver connected with weak=False is not weak."""
        signal.connect(on_order, weak=False)
        assert [entry.is_weak for entry in receivers_of(signal)] == [False]

    def test_what_was_connected_before_the_wrapper_is_listed(self, signal: Signal) -> None:
        """Connections that nobody saw being made are listed with what the signal knows."""
        instrument.uninstall()
        signal.connect(on_order)
        signal.connect(on_order, sender=Web)
        instrument.install()
        entries = receivers_of(signal)
        assert last_names(entries) == ["on_order", "on_order"]
        assert [entry.sender for entry in entries] == [None, f"{__name__}.Web"]
        assert {(entry.is_weak, entry.connected_at) for entry in entries} == {(True, None)}

    def test_a_disconnected_receiver_is_not_listed(self, signal: Signal) -> None:
        """disconnect() takes a receiver off the list."""
        signal.connect(on_order)
        signal.disconnect(on_order)
        assert receivers_of(signal) == []

    def test_a_receiver_disconnected_unseen_is_not_listed(self, signal: Signal) -> None:
        """A receiver that was disconnected while the wrapper was off is not listed."""
        signal.connect(on_order)
        instrument.uninstall()
        signal.disconnect(on_order)
        instrument.install()
        assert receivers_of(signal) == []

    def test_a_muted_signal_has_no_receivers(self, signal: Signal) -> None:
        """While signal.receivers is swapped for an empty list, nothing is listed."""
        signal.connect(on_order)
        paused, signal.receivers = signal.receivers, []
        muted = receivers_of(signal)
        signal.receivers = paused
        assert (muted, last_names(receivers_of(signal))) == ([], ["on_order"])

    def test_the_receiver_that_django_kept_is_listed(self, signal: Signal) -> None:
        """Of two receivers under one dispatch_uid, the one that Django calls is listed."""

        def second(**kwargs: Any) -> None: ...

        signal.connect(on_order, dispatch_uid="uid")
        signal.connect(second, dispatch_uid="uid")
        assert last_names(receivers_of(signal)) == ["on_order"]

    def test_one_receiver_of_two_senders_is_two_entries(self, signal: Signal) -> None:
        """A receiver that was connected for two senders is listed for each."""
        signal.connect(on_order, sender=Web)
        signal.connect(on_order, sender=Signal)
        senders = [entry.sender for entry in receivers_of(signal)]
        assert senders == [f"{__name__}.Web", "django.dispatch.dispatcher.Signal"]

    @pytest.mark.parametrize(
        "entry", [(), ("key",), (("key", 1), on_order), "text", None, (1, on_order, False)]
    )
    def test_an_unknown_shape_is_passed_over(self, signal: Signal, entry: Any) -> None:
        """Entries of a shape that no known Django has are left out."""
        signal.receivers = [entry]
        assert receivers_of(signal) == []

    def test_no_receiver_is_looked_into(self, signal: Signal) -> None:
        """Listing runs no code of a receiver."""

        class Sulks:
            armed = False

            def __call__(self, **kwargs: Any) -> None: ...

            def __getattribute__(self, name: str) -> Any:
                if object.__getattribute__(self, "armed"):
                    raise AssertionError(f"{name} was read")
                return object.__getattribute__(self, name)

        receiver = Sulks()
        signal.connect(receiver)
        receiver.armed = True
        assert len(receivers_of(signal)) == 1


class TestDescribe:
    def test_signals_of_loaded_modules_are_listed(self) -> None:
        """Every inspected signal that a module holds is listed under its name, sorted."""
        names = [entry.signal for entry in describe()]
        mine = [name for name in names if name.startswith(f"{__name__}.")]
        last = ["Shop.opened", "Shop.saved", "order_placed", "parcel_sent"]
        assert mine == [f"{__name__}.{name}" for name in last]
        assert names == sorted(names)

    def test_receivers_are_listed_with_their_signal(self) -> None:
        """An entry of a signal holds what receivers_of() says."""
        order_placed.connect(on_order)
        try:
            found = {entry.signal: entry.receivers for entry in describe()}
            assert found[f"{__name__}.order_placed"] == tuple(receivers_of(order_placed))
        finally:
            order_placed.disconnect(on_order)

    def test_djangos_own_signals_are_left_out(self) -> None:
        """Signals that EXCLUDE names are not listed."""
        assert not [each for each in describe() if each.signal.startswith("django.")]

    def test_included_signals_of_django_are_listed(self) -> None:
        """INCLUDE lets a signal of Django's into the list."""
        post_save = "django.db.models.signals.post_save"
        with override_settings(SIGNAL_INSPECTOR={"INCLUDE": ["*", post_save]}):
            names = [each.signal for each in describe()]
        assert [name for name in names if name.startswith("django.")] == [post_save]


class TestDescribeEverything:
    def found(self, name: str) -> SignalEntry:
        [entry] = [each for each in describe(everything=True) if each.signal == name]
        return entry

    def test_djangos_own_are_there_and_marked(self) -> None:
        """What is not inspected is listed, and says so."""
        entry = self.found("django.db.models.signals.post_save")
        assert not entry.is_inspected
        assert entry.kind == "django.db.models.signals.ModelSignal"
        assert (Path(entry.path).name, entry.line) == ("signals.py", 0)
        assert self.found(f"{__name__}.order_placed").is_inspected

    def test_the_place_of_a_signal_is_told(self) -> None:
        """The file and line that make it."""
        entry = self.found(f"{__name__}.order_placed")
        lines = Path(__file__).read_text().splitlines()
        assert (entry.path, lines[entry.line - 1]) == (__file__, "order_placed = Signal()")

    def test_class_attributes_are_signals_too(self) -> None:
        """A signal of a class is listed under the class."""
        assert self.found(f"{__name__}.Shop.opened").receivers == ()

    def test_anonymous_signals_are_there(self, signal: Signal) -> None:
        """A signal that no module holds is listed under the place where it was made."""
        signal.connect(on_order, dispatch_uid="anonymous")
        name = f"{__name__}:{_line_of('    return Signal()')} (anonymous)"
        told = [each for each in describe(everything=True) if each.signal == name]
        uids = [receiver.dispatch_uid for entry in told for receiver in entry.receivers]
        assert uids.count("anonymous") == 1

    def test_pending_connections_are_apart(self) -> None:
        """What waits for a model is not among the receivers."""
        Shop.saved.connect(on_order, sender="made_up.Thing", weak=False, dispatch_uid="lazy")
        entry = self.found(f"{__name__}.Shop.saved")
        assert entry.receivers == ()
        [waiting] = entry.pending
        assert waiting.is_pending
        assert (waiting.sender, waiting.is_weak, waiting.dispatch_uid, waiting.is_async) == (
            "made_up.thing",
            False,
            "lazy",
            False,
        )

    def test_other_operations_that_wait_are_passed_over(self) -> None:
        """Relations to a model that is not loaded wait in the same place."""
        apps.lazy_model_operation(on_order, ("made_up", "other"))
        apps.lazy_model_operation(partial(on_order, 1), ("made_up", "other"))
        try:
            assert self.found("django.db.models.signals.post_save").pending == ()
        finally:
            del apps._pending_operations["made_up", "other"]  # type: ignore[attr-defined]

    def test_what_was_taken_out_is_apart(self, signal: Signal) -> None:
        """Receivers that live, but are no longer in signal.receivers."""
        Shop.opened.connect(on_order)
        paused, Shop.opened.receivers = Shop.opened.receivers, []
        entry = self.found(f"{__name__}.Shop.opened")
        Shop.opened.receivers = paused
        Shop.opened.disconnect(on_order)
        assert entry.receivers == ()
        assert [each.state for each in entry.taken_out] == [State.TAKEN_OUT]

    def test_what_cannot_be_read_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A signal that was never initialized does not hide the others."""

        class Bare(Signal):
            def __init__(self) -> None:
                """Not Django's."""

        monkeypatch.setattr(f"{__name__}.parcel_sent", Bare())
        names.forget_names()
        entry = self.found(f"{__name__}.parcel_sent")
        assert entry.problem == "its receivers cannot be read: AttributeError"
        assert entry.receivers == ()

    @pytest.mark.parametrize(
        ("receivers", "problem"),
        [
            (42, "signal.receivers is not a list, but a builtins.int"),
            (None, "signal.receivers is not a list, but a builtins.NoneType"),
            ([1, (2, 3)], "2 of 2 entries of signal.receivers have an unknown form"),
        ],
    )
    def test_what_has_an_odd_form_is_said(
        self, monkeypatch: pytest.MonkeyPatch, receivers: Any, problem: str
    ) -> None:
        """Receivers that are passed over are not passed over in silence."""
        monkeypatch.setattr(Shop.opened, "receivers", receivers)
        entry = self.found(f"{__name__}.Shop.opened")
        assert (entry.problem, entry.receivers) == (problem, ())
        assert catalog.explain(Shop.opened).signal.problem == problem


def _line_of(text: str) -> int:
    return Path(__file__).read_text().splitlines().index(text) + 1


def test_the_catalog_sends_nothing() -> None:
    """Describing the process changes no list of receivers."""
    order_placed.connect(on_order)
    before = list(order_placed.receivers)
    catalog.describe()
    assert order_placed.receivers == before
    order_placed.disconnect(on_order)
