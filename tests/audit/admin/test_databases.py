"""The log in a database of its own, and the users, sessions and the admin's log in another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.audit.admin.conftest import LIST, client_of, person
from tests.audit.admin.logged import gap, history, order_42, retried

pytestmark = [
    pytest.mark.django_db(databases=["default", "other"]),
    pytest.mark.urls("tests.audit.admin.urls"),
]


@pytest.fixture(autouse=True)
def _elsewhere() -> Iterator[None]:
    with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "other"}}):
        yield


@pytest.fixture
def owner() -> Client:
    return client_of(person(is_superuser=True))


def strays(sql: CaptureQueriesContext, *tables: str) -> list[str]:
    return [each["sql"] for each in sql if any(table in each["sql"] for table in tables)]


def test_every_query(owner: Client) -> None:
    """List, search, page of a dispatch, gaps and retries read the log where it is, and only it."""
    history(10)
    dispatch = order_42()
    attempt, missing = retried(dispatch), gap()
    urls = [
        LIST,
        f"{LIST}?q=shop.Order:42",
        f"{LIST}?q=nothing",
        f"{LIST}?receiver=crm.receivers.push_order&outcome=failed&transaction=committed",
        f"{LIST}{dispatch.id}/change/",
        reverse("admin:signal_audit_gap_changelist"),
        reverse("admin:signal_audit_gap_change", args=[missing.pk]),
        reverse("admin:signal_audit_retry_changelist"),
        reverse("admin:signal_audit_retry_change", args=[attempt.pk]),
    ]
    with (
        CaptureQueriesContext(connections["default"]) as default,
        CaptureQueriesContext(connections["other"]) as other,
    ):
        answers = [owner.get(url) for url in urls]
    assert [each.status_code for each in answers] == [200] * len(urls)
    assert b"award_points" in answers[4].content
    assert strays(default, "signal_audit_") == []
    assert len(other) > 30
    assert strays(other, "auth_", "django_session", "django_admin_log") == []


def test_gap_is_closed_there(owner: Client) -> None:
    """A gap is marked where the log is; who did it is in the admin's log, where that is."""
    missing = gap()
    url = reverse("admin:signal_audit_gap_changelist")
    owner.post(url, {"action": "mark_as_dealt_with", "_selected_action": [missing.pk]})
    missing.refresh_from_db()
    assert missing.closed_at is not None
    assert LogEntry.objects.using("default").get().object_id == str(missing.pk)
