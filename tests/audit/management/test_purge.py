"""``signal_audit purge``: all of one object or actor."""

from __future__ import annotations

import pytest

from signal_inspector.audit.models import AuditedCall, AuditedObject, Operation, OperationKind
from tests.audit.management.made import kept, made, put, refused, run, run_json

pytestmark = pytest.mark.django_db


def test_object() -> None:
    """Every dispatch that carried the object goes, with its calls and all its objects."""
    put(made(objects=["shop.Order:42", "shop.Cart:1"]), made(objects=["shop.Order:42"]))
    stay = put(made(objects=["shop.Order:4"]))
    assert "2 dispatches" in run("purge", "--object", "shop.Order:42", "--no-input")
    assert kept() == stay
    assert AuditedCall.objects.count() == AuditedObject.objects.count() == 1


def test_actor() -> None:
    """Every dispatch that the actor caused goes, and no other actor's."""
    put(made(actor="auth.User:7"))
    stay = put(made(actor="auth.User:70"), made())
    assert run_json("purge", "--actor", "auth.User:7", "--no-input", "--json") == {"dispatches": 1}
    assert set(kept()) == set(stay)


def test_noted() -> None:
    """A purge is noted by the key, and by its count."""
    put(made(actor="auth.User:7"))
    run("purge", "--actor", "auth.User:7", "--no-input")
    operation = Operation.objects.get()
    assert (operation.kind, operation.detail, operation.rows) == (
        OperationKind.PURGE,
        "actor auth.User:7",
        1,
    )


def test_dry_run() -> None:
    """--dry-run counts, and deletes nothing."""
    put(made(actor="auth.User:7"))
    assert "1 dispatch of " in run("purge", "--actor", "auth.User:7", "--dry-run")
    assert (len(kept()), Operation.objects.count()) == (1, 0)


@pytest.mark.parametrize("options", [[], ["--actor", ""], ["--object", " "]])
def test_without_a_key(options: list[str]) -> None:
    """Without a key nothing is deleted: it is an error of usage."""
    put(made())
    refused(2, "purge", "--no-input", *options)
    assert len(kept()) == 1


def test_nobody_to_ask() -> None:
    """Where nobody can be asked, it wants --no-input."""
    put(made(actor="auth.User:7"))
    assert "--no-input" in refused(2, "purge", "--actor", "auth.User:7")
    assert len(kept()) == 1
