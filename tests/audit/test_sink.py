"""From the dispatch to the delivery: what is handed on, and how the delivery is chosen."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.dispatch import Signal
from django.test import override_settings
from django.test.utils import _TestState

from signal_inspector import Details, capture
from signal_inspector.audit import sink
from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.delivery import after_transaction, base, current, writer
from signal_inspector.audit.delivery.after_transaction import AfterTransaction
from signal_inspector.audit.delivery.base import Delivery
from signal_inspector.audit.delivery.buffered import Buffered
from signal_inspector.audit.delivery.current import chosen_class, delivery_class, process
from signal_inspector.audit.delivery.gaps import QUIET_NS, losses
from signal_inspector.audit.delivery.inline import Inline
from signal_inspector.audit.delivery.spooled import Spooled
from signal_inspector.audit.models import AuditedDispatch, Gap, GapReason
from signal_inspector.audit.rows import Item
from signal_inspector.audit.settings import Audit
from signal_inspector.audit.testing import audited
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import context, sinks
from signal_inspector.core.listening.captures import Capture
from signal_inspector.core.record import details
from tests.audit.rows_made import FULL, dispatched, rows_of, with_column


class Kept(Delivery):
    """A delivery of somebody else's: it keeps what it takes."""

    has_own_connection: ClassVar[bool] = False
    taken: ClassVar[list[Item]] = []
    closed: ClassVar[list[float]] = []

    def take(self, item: Item) -> None:
        self.taken.append(item)

    def close(self, timeout: float) -> bool:
        self.closed.append(timeout)
        return True


PATH = f"{__name__}.Kept"


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    Kept.taken.clear()
    Kept.closed.clear()


left_out, kept = Signal(), Signal()


def on_order(**kwargs: Any) -> None: ...


def fails(**kwargs: Any) -> None:
    raise ZeroDivisionError


@pytest.fixture
def signal() -> Signal:
    signal = Signal()
    signal.connect(on_order)
    return signal


class TestSink:
    def test_hands_on_what_ended(self, signal: Signal) -> None:
        """Each dispatch is handed to the delivery once, with its circumstances and its policy."""
        with audited(PATH):
            signal.send(None, order=1)
        [item] = Kept.taken
        assert item.dispatch.calls[0].receiver == f"{__name__}.on_order"
        assert item.policy.payload == "full"
        assert item.circumstances.request_id == ""

    def test_what_is_not_audited(self, signal: Signal) -> None:
        """What EXCLUDE names is not handed on."""
        with (
            override_settings(SIGNAL_INSPECTOR={"AUDIT": {"EXCLUDE": ["*"]}}),
            audited(PATH),
        ):
            signal.send(None)
        assert Kept.taken == []

    def test_what_is_not_audited_is_not_recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of what EXCLUDE names nothing is gathered, and no record made; of the rest it is."""
        gathered: list[str] = []
        monkeypatch.setattr(
            details, "gather", lambda dispatch, *rest: gathered.append(dispatch.signal)
        )
        excluded = {"AUDIT": {"EXCLUDE": [f"{__name__}.left_out"]}}
        with override_settings(SIGNAL_INSPECTOR=excluded), audited(PATH):
            for each in (left_out, kept):
                each.connect(on_order)
                each.send(None)
                each.disconnect(on_order)
        assert gathered == [f"{__name__}.kept"]
        assert [item.dispatch.signal for item in Kept.taken] == gathered

    def test_details_of_each_rule(self) -> None:
        """What a rule does without is not gathered of its signals, whatever others want."""
        rules = {f"{__name__}.left_out": {"PAYLOAD": "none", "TRACEBACKS": False}}
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"RULES": rules}}), audited(PATH):
            for each in (left_out, kept):
                each.connect(fails)
                each.send_robust(None, order=1)
                each.disconnect(fails)
        first, second = [item.dispatch for item in Kept.taken]
        assert (first.payload, first.failures[0].failure.traceback) == (None, None)
        assert second.payload is not None
        assert "ZeroDivisionError" in second.failures[0].failure.traceback
        assert first.caller is not None

    def test_details_follow_the_settings(self, signal: Signal) -> None:
        """What is gathered is what the rules want, also after they changed."""
        with audited(PATH):
            signal.send(None)
            quiet = {"AUDIT": {"RULES": {"*": {"PAYLOAD": "none", "TRACEBACKS": False}}}}
            with override_settings(SIGNAL_INSPECTOR=quiet):
                signal.send(None, order=1)
            signal.send(None, order=2)
        payloads = [item.dispatch.payload is None for item in Kept.taken]
        assert payloads[0] is False
        assert payloads[2] is False
        assert sink.installed is not None
        assert Details.PAYLOAD in sink.installed.details

    def test_keeps_no_capture_alive(self, signal: Signal) -> None:
        """A dispatch that waits in a queue holds neither a capture() nor what that collected."""

        class Collected(Capture):
            __slots__ = ("__weakref__",)

        with audited(PATH):
            opened = Collected()
            context.open_capture(opened)
            signal.send(None)
            context.close_capture(opened)
            gone = weakref.ref(opened)
            del opened
            gc.collect()
            assert gone() is None
        [item] = Kept.taken
        assert item.dispatch.started_at is not None

    def test_a_delivery_that_fails(self, signal: Signal, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a delivery raises is reported; the sender does not notice."""

        def fails(self: Delivery, item: Item) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Kept, "take", fails)
        with audited(PATH):
            assert signal.send(None) == [(on_order, None)]
        assert sum(internal_errors.counts().values()) == 1


class TestUnderATestRunner:
    def test_nothing_listens(self, signal: Signal) -> None:
        """The first dispatch of a test run that has not asked ends the listening."""
        sink.listen()
        assert sinks.process_sinks()
        signal.send(None)
        assert not sinks.process_sinks()
        assert process.delivery is None

    def test_that_is_said(self, signal: Signal, caplog: pytest.LogCaptureFixture) -> None:
        """The log of the process says once that the audit keeps only from here on."""
        caplog.set_level("INFO", logger="signal_inspector")
        sink.listen()
        for _ in range(3):
            signal.send(None)
        [record] = caplog.records
        assert record.levelname == "INFO"
        assert "the audit keeps only" in record.getMessage()

    def test_what_was_sent_before(self, signal: Signal) -> None:
        """What waits from before the tests is written, and its delivery does not stay."""
        process.use(Kept(Audit()))
        sink.listen()
        signal.send(None)
        assert process.delivery is None
        assert len(Kept.closed) == 1
        assert Kept.taken == []

    def test_outside_of_one_it_listens(
        self, signal: Signal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without Django's test environment every dispatch is handed on.

        Also where a mail backend for tests is in use.
        """
        monkeypatch.setattr(mail, "outbox", [], raising=False)
        before = process.use(Kept(Audit()))
        monkeypatch.delattr(_TestState, "saved_data")
        listening = sink.listen()
        try:
            signal.send(None)
        finally:
            sinks.remove_sink(listening)
            process.use(before)
        assert len(Kept.taken) == 1

    def test_audited_puts_everything_back(self, signal: Signal) -> None:
        """After audited() nothing listens, and its delivery has been closed."""
        with audited(PATH), capture():
            signal.send(None)
        assert not sinks.process_sinks()
        assert process.delivery is None
        assert len(Kept.closed) == 1

    def test_a_wrong_name(self) -> None:
        """audited() says at once when there is no such delivery."""
        with pytest.raises(ImproperlyConfigured, match="pigeon"), audited("pigeon"):
            pass
        assert process.asked == []

    def test_when_settings_change(self, signal: Signal) -> None:
        """A change of the settings renews the delivery, and stays with what was asked for."""
        with audited(PATH):
            signal.send(None)
            first = process.delivery
            with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"QUEUE_SIZE": 5}}):
                signal.send(None)
                assert process.delivery is not first
                assert isinstance(process.delivery, Kept)
                assert process.delivery.settings.queue_size == 5
        assert len(Kept.taken) == 2


class TestChoosing:
    def test_auto(self) -> None:
        """auto is after_transaction on SQLite and buffered elsewhere."""
        expected = AfterTransaction if connection.vendor == "sqlite" else Buffered
        assert chosen_class(Audit()) is expected

    @pytest.mark.parametrize("chosen", [Buffered, AfterTransaction, Inline, Spooled])
    def test_by_name(self, chosen: type[Delivery]) -> None:
        """Each of the built-in ones has a name."""
        assert delivery_class(chosen.name) is chosen

    def test_by_path(self) -> None:
        """Another one is named by its dotted path, which is also what the log calls it."""
        assert delivery_class(PATH) is Kept
        assert Kept.label() == PATH

    @pytest.mark.parametrize(
        "name", ["pigeon", "no.such.module", f"{__name__}.on_order", "signal_inspector.Sink"]
    )
    def test_a_wrong_one(self, name: str) -> None:
        """A name that stands for no delivery is said to be none."""
        with pytest.raises(ImproperlyConfigured, match=name.replace(".", r"\.")):
            delivery_class(name)

    @pytest.mark.parametrize("name", ["buffered", "spooled"])
    def test_no_thread_writes_to_a_shared_file(self, name: str) -> None:
        """On a SQLite file that the project uses, no thread of ours writes, whatever is asked."""
        chosen = chosen_class(Audit(delivery=name))
        assert chosen is (
            AfterTransaction if connection.vendor == "sqlite" else delivery_class(name)
        )

    def test_wrong_settings(self, signal: Signal) -> None:
        """With a wrong name in the settings dispatches are delivered as by auto; it is told."""
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DELIVERY": "pigeon"}}):
            made = process.get()
            process.use(None)
        assert type(made) is chosen_class(Audit())
        assert list(internal_errors.counts()) == ["choosing the delivery of the audit"]


class TestContract:
    def test_every_built_in_one_says_what_it_promises_and_loses(self) -> None:
        """The docstring of a delivery says what it promises and what it loses."""
        for built_in in current.BUILT_IN.values():
            assert built_in.__doc__ is not None
            assert "Promises:" in built_in.__doc__
            assert "Loses:" in built_in.__doc__

    def test_the_base_class_keeps_nothing(self) -> None:
        """A subclass that only takes is complete."""
        delivery = Kept(Audit())
        assert delivery.flush(0)
        assert delivery.waiting == 0
        delivery.forked()
        delivery.lose(GapReason.FAILURE, 2, "of its own")
        assert losses.total == 2

    @pytest.mark.django_db(transaction=True)
    def test_writing(self) -> None:
        """Rows may be written after a way through JSON; what is refused or lost is a gap."""
        good, bad = (rows_of(dispatched(on_order)) for _ in range(2))
        bad = with_column(bad, "receiver_count", 2**70)
        Kept(Audit()).lose(GapReason.FAILURE, 2, "of its own")
        time_to_write = losses._open[GapReason.FAILURE]
        time_to_write.to_ns -= QUIET_NS  # it is over
        assert Kept.write([json.loads(json.dumps(rows)) for rows in (good, bad)]) == 1
        assert Kept.write([good]) == 1
        assert AuditedDispatch.objects.count() == 1
        assert sorted(Gap.objects.values_list("reason", "missing")) == sorted(
            [(GapReason.UNWRITABLE, 1), (GapReason.FAILURE, 2)]
        )
        assert losses.unwritten() == []

    def test_no_other_way_to_write(self) -> None:
        """The module that the contract names has nothing that writes and does not count."""
        assert not hasattr(base, "write")
        for name in base.__all__:
            assert getattr(base, name) is not None


class TestTheEnd:
    @pytest.fixture
    def told(self, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
        def told() -> list[str]:
            return [
                record.getMessage()
                for record in caplog.records
                if record.name == "signal_inspector" and record.levelname == "ERROR"
            ]

        return told

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("delivery", [Buffered, AfterTransaction])
    def test_what_could_not_be_written(
        self,
        delivery: type[Delivery],
        signal: Signal,
        monkeypatch: pytest.MonkeyPatch,
        told: Callable[[], list[str]],
    ) -> None:
        """A process that ends while the database is away says how many it lost, and of when."""

        def away(*args: Any) -> int:
            raise OperationalError("away")

        monkeypatch.setattr(writer, "written", away)
        monkeypatch.setattr(after_transaction, "written", away)
        monkeypatch.setattr(losses, "write", away)
        made = delivery(Audit())
        first = dispatched(on_order)
        for dispatch in (first, dispatched(on_order), dispatched(on_order)):
            made.take(Item(dispatch, Circumstances(), FULL))
        before = process.use(made)
        try:
            assert not process.close(0.05)
        finally:
            process.use(before)
        [line] = [line for line in told() if "dispatches" in line]
        assert "lacks 3 dispatches" in line
        since = datetime.fromisoformat(line.split("sent from ")[1].split(" to ")[0])
        sent = datetime.fromtimestamp(first.started_ns / 1e9, UTC)
        assert abs(since - sent) < timedelta(milliseconds=1)
        assert losses.total == 3
        internal_errors.reset()

    @pytest.mark.django_db(transaction=True)
    def test_of_another_delivery(self, told: Callable[[], list[str]]) -> None:
        """What a delivery of somebody else's has lost becomes a gap when the process ends."""
        made = Kept(Audit())
        made.lose(GapReason.FAILURE, 4, "of its own")
        before = process.use(made)
        try:
            assert process.close(1)
        finally:
            process.use(before)
        assert list(Gap.objects.values_list("reason", "missing")) == [(GapReason.FAILURE, 4)]
        assert told() == []

    def test_nothing_to_tell(self, told: Callable[[], list[str]]) -> None:
        """A process that has lost nothing says nothing."""
        before = process.use(Kept(Audit()))
        try:
            assert process.close(1)
        finally:
            process.use(before)
        assert told() == []

    def test_public_names(self) -> None:
        """What programs need is found in the package itself, and nothing else is."""
        from signal_inspector import audit

        assert audit.Delivery is Delivery
        assert audit.flush is current.flush
        for name in audit.__all__:
            assert getattr(audit, name) is not None
        with pytest.raises(AttributeError, match="nonsense"):
            audit.nonsense  # noqa: B018

    def test_flush_without_a_delivery(self) -> None:
        """flush() has nothing to do where nothing was sent."""
        assert process.delivery is None
        assert current.flush(0)
