"""``manage.py signal_audit retry``."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from signal_inspector.audit.management.signal_audit import retry as retry_part
from signal_inspector.audit.management.signal_audit.base import person
from signal_inspector.audit.models import AuditedCall, Retry, RetryOutcome
from tests.audit.retry.shop import Calls, fail, order_placed, recorded
from tests.payload_app.models import Order

pytestmark = pytest.mark.django_db


def retry(call: AuditedCall | str, *options: str) -> tuple[int, str]:
    """Exit status and output."""
    out, err = io.StringIO(), io.StringIO()
    id_ = call if isinstance(call, str) else str(call.dispatch_id)
    try:
        call_command("signal_audit", "retry", id_, *options, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


SURE = ("--reason", "points are back", "--yes")


def test_returned() -> None:
    """It runs the receiver, says so and ends with 0; the actor is the login name."""
    order = Order.objects.create()
    status, output = retry(recorded(order=order, n=7), *SURE)
    assert status == 0
    assert "It returned, and its transaction was committed (attempt 1)." in output
    assert f"order=payload_app.Order:{order.pk}" in output
    kept = Retry.objects.get()
    assert (kept.actor, kept.reason) == (person()[1], "points are back")
    assert len(Calls.seen) == 1


def test_raised() -> None:
    """Where the receiver raises again the status is 3."""
    call = recorded()
    Calls.act = fail
    status, output = retry(call, *SURE)
    assert status == 3
    assert "MineError: no points today (attempt 1)" in output


def test_a_terminal_obeys_nothing() -> None:
    """What is told of a record has escapes for what would move a cursor or color a line."""
    call = recorded(n=7)

    def act() -> None:
        raise ValueError("\x1b]0;owned\x07")

    Calls.act = act
    status, output = retry(call, *SURE)
    assert status == 3
    assert "ValueError" in output
    assert all(letter.isprintable() or letter == "\n" for letter in output)
    assert "\\x1b]0;owned" in output


def test_dry_run() -> None:
    """A dry run tells every condition and what would run, needs no reason and runs nothing."""
    status, output = retry(recorded(n=7), "--dry-run")
    assert status == 0
    assert output.count("ok  ") == 7
    assert "tests.audit.retry.shop.award_points" in output
    assert (Calls.seen, Retry.objects.count()) == ([], 0)


@pytest.mark.parametrize("options", [SURE, ("--dry-run",)])
def test_refused(options: tuple[str, ...]) -> None:
    """Where a condition is not met it says which, and ends with 1."""
    call = recorded(order=Order(pk=77))
    status, output = retry(call, *options)
    assert status == 1
    assert "NO  Its arguments cannot be restored: order – payload_app.Order:77 is not" in output
    assert not Retry.objects.exists()


def test_no_reason() -> None:
    """Without a reason the command line is wrong."""
    assert retry(recorded(), "--yes")[0] == 2
    assert retry(recorded(), "--yes", "--reason", " ")[0] == 2
    assert Calls.seen == []


@pytest.mark.parametrize(
    ("text", "status"), [("nonsense", 2), ("0189f7ea-ae2c-7000-8000-000000000000", 1)]
)
def test_unknown(text: str, status: int) -> None:
    """What is no id is a mistake; an id that the log does not have is told."""
    assert retry(text, *SURE)[0] == status


def _other(**named: Any) -> None:
    fail()


class TestWhich:
    def test_several(self) -> None:
        """Of several that failed one has to be named; all are told."""
        order_placed.connect(_other)
        status, output = retry(recorded(), *SURE)
        assert status == 2
        assert "award_points" in output
        assert "test_command._other" in output

    @pytest.mark.parametrize(
        "name", ["award_points", "shop.award_points", "tests.audit.retry.shop.award_points"]
    )
    def test_named(self, name: str) -> None:
        """The whole name or its end will do."""
        order_placed.connect(_other)
        assert retry(recorded(), *SURE, "--receiver", name)[0] == 0
        assert len(Calls.seen) == 1

    @pytest.mark.parametrize("name", ["points", "nobody", ""])
    def test_not_there(self, name: str) -> None:
        """A part of a name is none."""
        status, output = retry(recorded(), *SURE, "--receiver", name)
        assert status == 1
        assert "No failed receiver has this name" in output

    def test_did_not_fail(self) -> None:
        """Of one that returned it says that only those that raised can run again."""
        status, output = retry(recorded(), *SURE, "--receiver", "bystander")
        assert status == 1
        assert "NO  Only a receiver that raised can be run again" in output


class TestAsking:
    @pytest.mark.parametrize(
        ("answer", "status"), [("yes", 0), (" YES ", 0), ("y", 1), ("", 1), ("no", 1)]
    )
    def test_answer(self, monkeypatch: pytest.MonkeyPatch, answer: str, status: int) -> None:
        """It asks, and takes nothing but "yes" for consent."""
        monkeypatch.setattr(retry_part, "is_terminal", lambda stream: True)
        monkeypatch.setattr("builtins.input", lambda: answer)
        assert retry(recorded(), "--reason", "why")[0] == status
        assert len(Calls.seen) == (status == 0)

    def test_nobody(self) -> None:
        """Where nobody can be asked it wants --yes."""
        status, output = retry(recorded(), "--reason", "why")
        assert (status, Calls.seen) == (2, [])
        assert "--yes" in output


def test_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that somebody made while the question stood is told, and none is added."""
    call = recorded()

    def answer() -> str:
        Calls.act = fail
        assert retry(call, *SURE)[0] == 3
        return "yes"

    monkeypatch.setattr(retry_part, "is_terminal", lambda stream: True)
    monkeypatch.setattr("builtins.input", answer)
    status, output = retry(call, "--reason", "why")
    assert status == 1
    assert "another attempt in the meantime" in output
    assert Retry.objects.get().outcome == RetryOutcome.RAISED
