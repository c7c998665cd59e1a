"""Running a failed receiver again: what runs, in which transaction, and what is recorded."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.db import connections, transaction
from django.dispatch import Signal

from signal_inspector import capture
from signal_inspector.audit.attribution.circumstances import (
    audit_circumstances,
    task_ended,
    task_started,
)
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    Name,
    Origin,
    Retry,
    RetryOutcome,
)
from signal_inspector.audit.operations.retry import RefusedError, run_again, will_run_in
from signal_inspector.audit.operations.retry_conditions import examine
from signal_inspector.audit.testing import audited
from tests.audit.retry.shop import (
    Calls,
    Channel,
    Desk,
    MineError,
    award_points,
    award_slowly,
    fail,
    order_placed,
    recorded,
    stock_low,
)
from tests.payload_app.models import Line, Order

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True, databases=["default", "other"])


def again(call: AuditedCall, **options: Any) -> Retry:
    return run_again(call, **{"reason": "points are back", "actor": "mira", **options})


class TestCall:
    def test_arguments(self) -> None:
        """The receiver gets signal, sender and the arguments as Django would pass them."""
        order = Order.objects.create(number="A1")
        call = recorded(order=order, lines=[order, 7], channel=Channel.WEB, note=None)
        again(call)
        (seen,) = Calls.seen
        assert seen["signal"] is order_placed
        assert seen["sender"] is Order
        assert seen["order"].pk == order.pk
        assert seen["lines"][0] is seen["order"]
        assert (seen["lines"][1], seen["channel"], seen["note"]) == (7, Channel.WEB, None)
        assert set(seen) == {"signal", "sender", "order", "lines", "channel", "note"}

    def test_as_they_are_now(self) -> None:
        """Objects are read anew."""
        order = Order.objects.create(number="A1")
        call = recorded(order=order)
        Order.objects.update(number="B2")
        again(call)
        assert Calls.seen[0]["order"].number == "B2"

    def test_alone(self) -> None:
        """No other receiver of the signal runs."""
        again(recorded())
        assert (len(Calls.seen), Calls.others) == (1, 0)

    def test_only_the_failed_one(self) -> None:
        """Of two that failed the one runs that was asked for."""
        order_placed.connect(award_slowly)
        call = recorded(index=2)
        order_placed.disconnect(award_slowly)
        with pytest.raises(RefusedError, match="not connected"):
            again(call)
        assert again(recorded(index=1)).outcome == RetryOutcome.RETURNED
        assert len(Calls.seen) == 1

    def test_async(self) -> None:
        """An async receiver runs to its end."""
        order_placed.disconnect(award_points)
        order_placed.connect(award_slowly)
        order = Order.objects.create()
        retry = again(recorded(order=order))
        assert retry.outcome == RetryOutcome.RETURNED
        assert Calls.seen[0]["signal"] is order_placed
        assert Calls.seen[0]["order"].pk == order.pk

    @committing
    def test_async_in_the_transaction(self) -> None:
        """What an async receiver writes is taken back when it raises."""

        async def write(**named: Any) -> None:
            await sync_to_async(Group.objects.create)(name="written")
            raise MineError

        write.__qualname__ = "write"
        order_placed.disconnect(award_points)
        order_placed.connect(write)
        with audited():
            order_placed.send_robust(Order)
        Group.objects.all().delete()
        call = _latest()
        assert again(call).outcome == RetryOutcome.RAISED
        assert not Group.objects.exists()

    def test_bound_method(self) -> None:
        """A receiver that is a bound method runs on the object that is connected."""
        order_placed.disconnect(award_points)
        desk = Desk()
        order_placed.connect(desk.on_placed)
        again(recorded(n=1))
        assert Calls.seen[0]["self"] is desk

    def test_two_bound_methods(self) -> None:
        """Of two objects with the same method nobody knows which one failed: neither runs."""
        order_placed.disconnect(award_points)
        desks = [Desk(), Desk()]
        for desk in desks:
            order_placed.connect(desk.on_placed)
        call = recorded()
        with pytest.raises(RefusedError, match="2 receivers of this name"):
            again(call)
        assert Calls.seen == []

    def test_connected_twice(self) -> None:
        """One receiver that is connected twice is one."""
        order_placed.connect(award_points, dispatch_uid="again")
        again(recorded())
        assert len(Calls.seen) == 1

    def test_sender_filter(self) -> None:
        """A receiver of one sender runs for that sender, and for no other."""
        order_placed.disconnect(award_points)
        order_placed.connect(award_points, sender=Order)
        assert again(recorded(Order)).outcome == RetryOutcome.RETURNED
        call = recorded(Order)
        order_placed.disconnect(award_points, sender=Order)
        order_placed.connect(award_points, sender=Group)
        with pytest.raises(RefusedError, match="for another sender only"):
            again(call)

    def test_text_sender(self) -> None:
        """A sender that is a text is the very object that receivers are connected to."""
        order_placed.disconnect(award_points)
        order_placed.connect(award_points, sender="checkout")
        again(recorded("checkout"))
        assert Calls.seen[0]["sender"] == "checkout"

    def test_no_sender(self) -> None:
        """Without a sender there is none."""
        again(recorded(None))
        assert Calls.seen[0]["sender"] is None


class TestOutcome:
    def test_returned(self) -> None:
        """An attempt that returns is recorded with who, why, when and how long."""
        call = recorded()
        retry = again(call)
        kept = Retry.objects.get()
        assert kept.outcome == retry.outcome == RetryOutcome.RETURNED
        assert (kept.dispatch_id, kept.call_index) == (call.dispatch_id, call.index)
        assert (kept.attempt, kept.reason, kept.actor) == (1, "points are back", "mira")
        assert kept.signal == "tests.audit.retry.shop.order_placed"
        assert kept.receiver == "tests.audit.retry.shop.award_points"
        assert kept.duration_ns is not None
        assert kept.duration_ns > 0

    def test_raised_again(self) -> None:
        """One that raises is recorded with its exception and traceback, and raises nothing."""
        call = recorded()
        Calls.act = fail
        again(call)
        kept = Retry.objects.get()
        assert kept.outcome == RetryOutcome.RAISED
        assert kept.exception_class == "tests.audit.retry.shop.MineError"
        assert kept.message == "no points today"
        assert "in fail" in kept.traceback
        assert "retrying/running.py" not in kept.traceback

    def test_then_success(self) -> None:
        """After one that raised another may follow; after one that returned none."""
        call = recorded()
        Calls.act = fail
        again(call)
        Calls.act = None
        assert again(call).attempt == 2
        with pytest.raises(RefusedError, match="Attempt 2 has succeeded"):
            again(call)
        assert len(Calls.seen) == 2

    def test_recorded_first(self) -> None:
        """While the receiver runs its record says "started"."""
        call = recorded()
        seen = []
        Calls.act = lambda: seen.append(Retry.objects.get().outcome)
        again(call)
        assert seen == [RetryOutcome.STARTED]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_no_exception(self, error: type[BaseException]) -> None:
        """What is no Exception is recorded and goes on its way."""
        call = recorded()

        def interrupt() -> None:
            raise error

        Calls.act = interrupt
        with pytest.raises(error):
            again(call)
        assert Retry.objects.get().outcome == RetryOutcome.RAISED

    def test_gone_meanwhile(self) -> None:
        """An object that vanishes at the last moment stops it, and uses up no attempt."""
        order = Order.objects.create()
        call = recorded(order=order)
        assert examine(call).may_run
        with _vanishing_at_start(order):
            retry = again(call)
        assert (retry.outcome, Calls.seen) == (RetryOutcome.REFUSED, [])
        condition = {each.name: each for each in examine(call).conditions}["attempts"]
        assert condition.text.startswith("0 of 3")

    @pytest.mark.parametrize("reason", ["", "  \n"])
    def test_reason(self, reason: str) -> None:
        """Without a reason nothing runs and nothing is recorded."""
        call = recorded()
        with pytest.raises(RefusedError, match="reason"):
            again(call, reason=reason)
        assert not Retry.objects.exists()
        assert Calls.seen == []

    def test_hostile_reason(self) -> None:
        """A reason of any characters and length can be stored."""
        retry = again(recorded(), reason="a\0\ud800" + "x" * 10_000)
        retry.refresh_from_db()
        assert retry.reason.startswith("a\\u0000\\ud800x")
        assert len(retry.reason) <= 2_000

    def test_expected(self) -> None:
        """Who decided on another attempt than the next one is told so."""
        call = recorded()
        Calls.act = fail
        again(call, expected=1)
        with pytest.raises(RefusedError, match="another attempt in the meantime"):
            again(call, expected=1)
        assert len(Calls.seen) == 1


def _latest() -> AuditedCall:
    from signal_inspector.audit.operations.retry_conditions import find_call

    call = AuditedCall.objects.filter(exception__isnull=False).latest("dispatch_id")
    return find_call(call.dispatch_id, call.index)


@contextlib.contextmanager
def _vanishing_at_start(order: Order) -> Any:
    """Deletes the order when the record of an attempt has been saved."""
    from django.db.models.signals import post_save

    def delete(**named: Any) -> None:
        Order.objects.filter(pk=order.pk)._raw_delete("default")

    post_save.connect(delete, sender=Retry)
    try:
        yield
    finally:
        post_save.disconnect(delete, sender=Retry)


@committing
class TestTransaction:
    def test_committed(self) -> None:
        """What the receiver writes stays if it returns."""
        call = recorded()
        Calls.act = lambda: Group.objects.create(name="written")
        again(call)
        assert Group.objects.count() == 1

    def test_rolled_back(self) -> None:
        """What it wrote goes if it raises; the record of the attempt stays."""
        call = recorded()

        def write_and_fail() -> None:
            assert connections["default"].in_atomic_block
            Group.objects.create(name="written")
            fail()

        Calls.act = write_and_fail
        again(call)
        assert not Group.objects.exists()
        assert Retry.objects.get().outcome == RetryOutcome.RAISED

    def test_of_the_objects_too(self) -> None:
        """An object of another database is read there, and its database is rolled back too."""
        pk = 1_000_000  # a key that no sequence of either has given by now
        order = Order.objects.using("other").create(pk=pk, number="other")
        Order.objects.create(pk=pk, number="default")
        call = recorded(order=order)
        assert will_run_in(examine(call)) == ["default", "other"]

        def write_and_fail() -> None:
            Calls.seen[-1]["order"].number = "changed"
            Calls.seen[-1]["order"].save()
            fail()

        Calls.act = write_and_fail
        again(call)
        assert Calls.seen[0]["order"]._state.db == "other"
        assert Order.objects.using("other").get().number == "other"

    def test_not_in_another(self) -> None:
        """In a transaction of somebody else's the record could vanish: it does not start."""
        call = recorded()
        with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
            again(call)
        assert Calls.seen == []

    def test_callback_after_commit(self) -> None:
        """A callback of on_commit() that raises undoes nothing: it counts as returned."""
        call = recorded()

        def write() -> None:
            Group.objects.create(name="written")
            transaction.on_commit(fail)

        Calls.act = write
        retry = again(call)
        assert Group.objects.exists()
        assert (retry.outcome, retry.exception_class.rpartition(".")[2]) == (
            RetryOutcome.RETURNED,
            "MineError",
        )
        assert retry.message == "(after the commit on default) no points today"

    def test_commit_fails(self) -> None:
        """A receiver that returned and whose COMMIT fails has raised: nothing of it is kept."""
        call = recorded()

        def write() -> None:
            Group.objects.create(name="written")
            Line.objects.create(order_id=987_654)  # of no order: a deferred constraint

        Calls.act = write
        retry = again(call)
        assert not Group.objects.exists()
        assert retry.outcome == RetryOutcome.RAISED
        assert examine(call).may_run

    def test_broken_transaction(self) -> None:
        """A receiver that catches an error of the database inside is rolled back and told."""
        Group.objects.create(name="there")
        call = recorded()

        def swallow() -> None:
            transaction.set_rollback(True)
            Group.objects.create(name="written")

        Calls.act = swallow
        again(call)
        assert Group.objects.count() == 1


class TestInTheLog:
    def test_recorded(self) -> None:
        """The attempt is a dispatch of the log: by its origin, with the one receiver."""
        call = recorded(n=7)
        with audited():
            retry = again(call)
        row = AuditedDispatch.objects.select_related("signal").get(id=retry.recorded_as)
        assert row.signal.text == "tests.audit.retry.shop.order_placed"
        assert (row.origin, row.origin_name) == (Origin.RETRY, f"retry {retry.pk}")
        assert (row.actor, row.receiver_count, row.parent_id) == ("mira", 1, None)
        receivers = AuditedCall.objects.filter(dispatch_id=row.id)
        names = Name.objects.filter(id__in=receivers.values("receiver_id"))
        assert [name.text for name in names] == ["tests.audit.retry.shop.award_points"]

    def test_what_it_sends(self) -> None:
        """What the receiver sends is recorded as its doing, with the origin "retry"."""
        call = recorded()
        Calls.act = lambda: stock_low.send(None)
        with audited():
            retry = again(call)
        row = AuditedDispatch.objects.get(parent_id=retry.recorded_as)
        assert (row.origin, row.parent_call) == (Origin.RETRY, 0)

    def test_what_a_task_of_it_sends(self) -> None:
        """So is what it sends from a task that runs at once, or names circumstances of its own."""
        call = recorded()

        def run() -> None:
            task_started("shop.tasks.nightly", "t-1")
            stock_low.send(None)
            task_ended("t-1")
            with audit_circumstances(origin="task", name="nightly"):
                stock_low.send(None)

        Calls.act = run
        with audited():
            retry = again(call)
        rows = AuditedDispatch.objects.filter(parent_id=retry.recorded_as)
        assert [row.origin for row in rows] == [Origin.RETRY] * 2

    def test_user(self) -> None:
        """The actor may be a user."""
        user = User.objects.create(username="mira")
        retry = again(recorded(), actor=user)
        assert (retry.actor, retry.actor_label) == (f"auth.User:{user.pk}", "mira")

    def test_not_inspected(self, settings: Any) -> None:
        """Where the signal is not inspected any more the attempt is told by its record alone."""
        call = recorded()
        settings.SIGNAL_INSPECTOR = {"AUDIT": {"RETRY_MINIMUM_AGE": 0}, "EXCLUDE": ["tests.*"]}
        with audited():
            retry = again(call)
        assert retry.outcome == RetryOutcome.RETURNED
        assert retry.recorded_as is None

    def test_capture(self) -> None:
        """A capture() around sees it like any dispatch; nothing of the audit's own is seen."""
        call = recorded()
        with capture() as dispatches:
            again(call)
        assert [each.signal for each in dispatches] == ["tests.audit.retry.shop.order_placed"]
        assert isinstance(order_placed, Signal)
