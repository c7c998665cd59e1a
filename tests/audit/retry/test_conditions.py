"""Every condition of a retry, met and not met."""

from __future__ import annotations

import gc
import logging
from datetime import timedelta
from typing import Any

import django.contrib.auth.models
import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.dispatch import Signal
from django.test import override_settings
from django.utils import timezone

from signal_inspector.audit.lookups import number_of
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    Ending,
    Name,
    NameKind,
    Origin,
    Retry,
    RetryOutcome,
    TransactionOutcome,
)
from signal_inspector.audit.operations.retry import RefusedError, run_again
from signal_inspector.audit.operations.retry_conditions import (
    FORGOTTEN_SECONDS,
    RetryCondition,
    State,
    examine,
    find_call,
)
from signal_inspector.audit.settings import Audit
from tests.audit.retry.shop import Calls, Till, award_points, order_placed, recorded
from tests.fixed import fixed
from tests.payload_app.models import Order

pytestmark = pytest.mark.django_db


def condition(call: AuditedCall, name: str) -> RetryCondition:
    """One of them; whoever is not met keeps the receiver from running."""
    call = find_call(call.dispatch_id, call.index)
    examined = examine(call)
    found = [each for each in examined.conditions if each.name == name]
    if any(each.state is State.FAILED for each in found):
        assert not examined.may_run
        with pytest.raises(RefusedError):
            run_again(call, reason="why", actor="mira")
        assert Calls.seen == []
    assert len(found) == 1
    return found[0]


def attempted(call: AuditedCall, attempt: int, outcome: RetryOutcome, **columns: Any) -> Retry:
    values = {"at": timezone.now(), "signal": "", "receiver": "", "reason": "", **columns}
    return Retry.objects.create(
        dispatch_id=call.dispatch_id,
        call_index=call.index,
        attempt=attempt,
        outcome=outcome,
        **values,
    )


def change(call: AuditedCall, **columns: Any) -> AuditedCall:
    AuditedDispatch.objects.filter(id=call.dispatch_id).update(**columns)
    return call


def rename(call: AuditedCall, kind: NameKind, text: str) -> AuditedCall:
    """As if the log held another name, of whatever text."""
    name = Name.objects.create(id=number_of(kind, text), kind=kind, text=text)
    if kind is NameKind.RECEIVER:
        AuditedCall.objects.filter(dispatch_id=call.dispatch_id, index=call.index).update(
            receiver=name
        )
        return call
    return change(call, **{kind.label: name})


class TestRaised:
    def test_met(self) -> None:
        """A receiver that raised may run again."""
        found = condition(recorded(), "raised")
        assert found.state is State.MET
        assert found.text == "It raised tests.audit.retry.shop.MineError."

    @pytest.mark.parametrize(
        "ending", [Ending.RETURNED, Ending.SKIPPED, Ending.CANCELLED, Ending.RUNNING]
    )
    def test_failed(self, ending: Ending) -> None:
        """One that ended otherwise may not."""
        call = recorded()
        AuditedCall.objects.filter(dispatch_id=call.dispatch_id).update(outcome=ending)
        found = condition(call, "raised")
        assert found.state is State.FAILED
        assert ending.label in found.text


class TestAttempts:
    def test_success(self) -> None:
        """A success forbids any further attempt; one that raised or was refused does not."""
        call = recorded()
        attempted(call, 1, RetryOutcome.RAISED)
        attempted(call, 2, RetryOutcome.REFUSED)
        assert condition(call, "no success").state is State.MET
        attempted(call, 3, RetryOutcome.RETURNED)
        assert condition(call, "no success").state is State.FAILED

    def test_of_another(self) -> None:
        """Attempts at another receiver, and at another dispatch, do not count."""
        call = recorded()
        other = recorded()
        attempted(other, 1, RetryOutcome.RETURNED)
        call.index += 1
        attempted(call, 1, RetryOutcome.RETURNED)
        call.index -= 1
        assert condition(call, "no success").state is State.MET

    @fixed(Audit, retry_attempts=2)
    def test_cap(self) -> None:
        """Attempts that ran count, up to the setting; one that was refused does not."""
        call = recorded()
        attempted(call, 1, RetryOutcome.RAISED)
        attempted(call, 2, RetryOutcome.REFUSED)
        found = condition(call, "attempts")
        assert (found.state, found.text) == (State.MET, "1 of 2 attempts is used.")
        attempted(call, 3, RetryOutcome.RAISED)
        found = condition(call, "attempts")
        assert (found.state, found.text[:22]) == (State.FAILED, "2 of 2 attempts are us")

    def test_under_way(self) -> None:
        """An attempt that has not ended forbids another one for an hour, then it is a note."""
        call = recorded()
        started = attempted(call, 1, RetryOutcome.STARTED)
        assert condition(call, "running").state is State.FAILED
        started.at -= timedelta(seconds=FORGOTTEN_SECONDS + 1)
        started.save()
        assert condition(call, "running").state is State.NOTE
        assert run_again(call, reason="why", actor="mira").attempt == 2

    def test_numbers(self) -> None:
        """The next attempt follows the latest one."""
        call = recorded()
        assert examine(call).next_attempt == 1
        attempted(call, 4, RetryOutcome.RAISED)
        assert examine(call).next_attempt == 5


class TestAge:
    def test_met(self) -> None:
        """A record that is old enough may run."""
        assert condition(recorded(), "age").state is State.MET

    @override_settings(SIGNAL_INSPECTOR={"AUDIT": {"RETRY_MINIMUM_AGE": 300}})
    def test_failed(self) -> None:
        """One that is younger than the setting may not."""
        found = condition(recorded(), "age")
        assert found.state is State.FAILED
        assert "the minimum is 5 min" in found.text

    def test_at_once(self) -> None:
        """With RETRY_MINIMUM_AGE 0 nothing is too young."""
        assert condition(recorded(), "age").state is State.MET

    @override_settings(SIGNAL_INSPECTOR={"AUDIT": {"RETRY_MINIMUM_AGE": 1}})
    def test_from_its_end(self) -> None:
        """A long dispatch is as old as its end."""
        call = change(recorded(), duration_ns=3_600 * 10**9)
        assert condition(call, "age").state is State.FAILED


class TestTransaction:
    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (TransactionOutcome.NONE, State.MET),
            (TransactionOutcome.COMMITTED, State.MET),
            (TransactionOutcome.UNKNOWN, State.NOTE),
            (TransactionOutcome.ROLLED_BACK, State.FAILED),
        ],
    )
    def test_outcomes(self, outcome: TransactionOutcome, state: State) -> None:
        """What rolled back never happened, and must not be acted on; the unknown is told."""
        call = change(recorded(), transaction_outcome=outcome)
        assert condition(call, "transaction").state is state


class TestArguments:
    def test_met(self) -> None:
        """Objects and plain values are counted."""
        order = Order.objects.create()
        found = condition(recorded(order=order, orders=[order], n=1), "arguments")
        text = "Its arguments can be restored: 1 object by its key, 1 plain value."
        assert (found.state, found.text) == (State.MET, text)

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ({"password": "hunter2"}, "password – it was redacted"),
            ({"data": {"password": "hunter2"}}, "data – item password: it was redacted"),
            ({"note": "x" * 100_000}, "note – it was shortened"),
            ({"lines": list(range(1_000))}, "lines – it was shortened"),
            ({"thing": object()}, "thing – objects of object cannot be restored"),
            ({"orders": Order.objects.none()}, "cannot be restored"),
            (
                {"order": Order(pk=77)},
                "payload_app.Order:77 is not in the database 'default'",
            ),
            ({"order": Order()}, "order – payload_app.Order (unsaved) has no key"),
            ({"by_id": {1: "a"}}, "by_id – its keys are in the log only as descriptions"),
            ({"till": Till}, "till – objects of type cannot be restored"),
        ],
    )
    def test_failed(self, arguments: dict[str, Any], why: str) -> None:
        """An argument that is redacted, cut, gone or of no plain kind forbids it, and says why."""
        found = condition(recorded(**arguments), "arguments")
        assert found.state is State.FAILED
        assert why in found.text
        assert "hunter2" not in found.text

    def test_many(self) -> None:
        """Of many the first three are named."""
        arguments = {f"a{number}": object() for number in range(5)}
        found = condition(recorded(**arguments), "arguments")
        assert "a2 –" in found.text
        assert found.text.endswith("; and 2 more.")
        assert found.discreet == "Its arguments cannot be restored: 5 of 5."

    def test_dropped(self) -> None:
        """Arguments that were not kept forbid it."""
        found = condition(change(recorded(), payload_dropped=2), "arguments")
        assert (found.state, "2 more arguments were not kept" in found.text) == (
            State.FAILED,
            True,
        )

    @pytest.mark.parametrize("keep", ["none", "objects"])
    def test_rule(self, keep: str) -> None:
        """So does a rule that keeps no payload, or objects alone where there were others."""
        rules = {"tests.*": {"PAYLOAD": keep}}
        settings = {"AUDIT": {"RETRY_MINIMUM_AGE": 0, "RULES": rules}}
        with override_settings(SIGNAL_INSPECTOR=settings):
            order = Order.objects.create()
            assert condition(recorded(order=order, n=1), "arguments").state is State.FAILED
            state = condition(recorded(order=order), "arguments").state
            assert state is (State.FAILED if keep == "none" else State.MET)


class TestConnected:
    def test_met(self) -> None:
        """A receiver that is connected now may run."""
        assert condition(recorded(), "connected").state is State.MET

    def test_disconnected(self) -> None:
        """One that is not may not."""
        call = recorded()
        order_placed.disconnect(award_points)
        found = condition(call, "connected")
        assert found.state is State.FAILED
        assert "it is not connected to" in found.text

    def test_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One whose weak reference died is told apart."""
        # What pytest collects of the log would keep the frame alive, and that the receiver.
        monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)

        def fleeting(**named: Any) -> None:
            award_points(**named)

        order_placed.disconnect(award_points)
        order_placed.connect(fleeting)
        call = recorded()
        del fleeting
        gc.collect()
        assert "it was garbage collected" in condition(call, "connected").text

    @pytest.mark.parametrize(
        "name",
        [
            "os.system",
            "tests.audit.retry.shop.nothing",
            "tests.audit.retry.shop.award_points",
            "no.such.module.signal",
            "tests.audit.retry.shop.Channel",
            "",
            ".",
            "a" * 900,
            ".".join("a" * 300),
        ],
    )
    def test_signal(self, name: str) -> None:
        """What the log calls the signal has to be one that is loaded, by that very name."""
        found = condition(rename(recorded(), NameKind.SIGNAL, name), "connected")
        assert found.state is State.FAILED
        assert "no signal" in found.text

    def test_alias(self) -> None:
        """A name under which another module holds the signal is not its name."""
        name = "tests.audit.retry.test_conditions.order_placed"
        assert isinstance(order_placed, Signal)
        call = rename(recorded(), NameKind.SIGNAL, name)
        assert condition(call, "connected").state is State.FAILED

    @pytest.mark.parametrize(
        "name",
        [
            "subprocess.Popen",
            "builtins.str",
            "os",
            "no.such.Thing",
            "payload_app.Order",
            "tests.payload_app.models.Orde",
            "''",
            "",
            "lost.9f1c2d3e4b5a69788796a5b4c3d2e1f0",
        ],
    )
    def test_sender(self, name: str) -> None:
        """The sender has to be a model, a text, or of an installed app: no other class will do."""
        found = condition(rename(recorded(), NameKind.SENDER, name), "connected")
        assert found.state is State.FAILED
        assert "no sender" in found.text or "not connected" in found.text

    @pytest.mark.parametrize("name", ["os.system", "builtins.eval", "", "award_points"])
    def test_receiver(self, name: str) -> None:
        """The receiver has to be connected by its whole name: nothing else is ever called."""
        found = condition(rename(recorded(), NameKind.RECEIVER, name), "connected")
        assert found.state is State.FAILED


class TestSender:
    def test_an_instance(self) -> None:
        """The log tells an instance from its class, and not which one it was."""
        found = condition(recorded(Till()), "connected")
        assert found.state is State.FAILED
        assert "the sender was an instance of tests.audit.retry.shop.Till" in found.text

    @pytest.mark.parametrize(
        "sender", [Order, authenticate, Origin.RETRY, user_logged_in, django.contrib.auth.models]
    )
    def test_certain(self, sender: Any) -> None:
        """A class, a function, a member of an enumeration, a signal, a module: found by name."""
        examined = examine(recorded(sender))
        assert examined.found is not None
        assert examined.found.sender is sender

    @pytest.mark.parametrize("sender", [None, "checkout", "shop.checkout"])
    def test_no_class(self, sender: Any) -> None:
        """None and a text are, too."""
        examined = examine(recorded(sender))
        assert examined.may_run
        assert [each.name for each in examined.conditions if each.state is State.NOTE] == [
            "transaction"
        ] * (examined.call.dispatch.transaction_outcome == TransactionOutcome.UNKNOWN)
