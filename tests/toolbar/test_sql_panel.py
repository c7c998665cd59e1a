"""The toolbar's SQL panel shows the queries of the project, and none of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from debug_toolbar.panels.sql.tracking import wrap_cursor
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.dispatch import Signal

import signal_inspector
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.models import AuditedDispatch, Gap, GapReason
from signal_inspector.audit.testing import audited
from signal_inspector.core import internal_errors

PACKAGE = Path(signal_inspector.__file__).parent


class Panel:
    """What the toolbar's panel is to a connection."""

    def __init__(self) -> None:
        self.logged: list[str] = []

    def record(self, *, sql: str, **_others: Any) -> None:
        self.logged.append(sql)

    def current_transaction_id(self, alias: str) -> str:
        return alias

    def new_transaction_id(self, alias: str) -> str:
        return alias


def make_group(**_named: object) -> None:
    Group.objects.create(name=f"group {Group.objects.count()}")


@pytest.fixture
def panel() -> Iterator[Panel]:
    """The panel looks at this connection, as in a request."""
    watched: Any = connection
    wrap_cursor(connection)
    watched._djdt_logger = panel = Panel()
    yield panel
    watched._djdt_logger = None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("delivery", ["after_transaction", "inline"])
def test_the_audit_writes_unlogged(delivery: str, panel: Panel) -> None:
    """What the sender asks the database is logged; what the audit writes there is not."""
    signal = Signal()
    signal.connect(make_group)
    with audited(delivery):
        losses.lose(GapReason.FAILURE)
        signal.send(None)
        with transaction.atomic():
            signal.send(None)
        Group.objects.get(name="group 1")
    logged = [sql.split()[0] for sql in panel.logged if "auth_group" in sql]
    assert logged == ["SELECT", "INSERT"] * 2 + ["SELECT"]
    assert [sql for sql in panel.logged if "signal_" in sql] == []
    assert (AuditedDispatch.objects.count(), Gap.objects.count()) == (2, 1)


@pytest.mark.django_db
def test_it_logs_again_after_our_own_work(panel: Panel) -> None:
    """Nothing is logged inside, and all is as it was behind it, whatever was raised."""
    with pytest.raises(ZeroDivisionError), internal_errors.suppress_instrumentation():
        divmod(Group.objects.count(), 0)
    assert panel.logged == []
    Group.objects.count()
    assert len(panel.logged) == 1


def test_private_names_of_the_toolbar_are_known_in_its_room_alone() -> None:
    """No other module knows what the toolbar calls its own attributes and elements."""
    private = re.compile("djdt|djdebug", re.IGNORECASE)
    knowing = {
        module.relative_to(PACKAGE).parts[0]
        for module in PACKAGE.rglob("*.py")
        if private.search(module.read_text(encoding="utf-8"))
    }
    assert knowing == {"toolbar"}
