"""People who look at the log, and a browser window for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

#: What is asked for below /admin/signal_audit/.
LIST = "/admin/signal_audit/auditeddispatch/"

Visit = Callable[..., Any]


def person(*permissions: str, **options: Any) -> User:
    """Somebody on the staff with these permissions of the audit."""
    user = User.objects.create_user(f"user{User.objects.count()}", is_staff=True, **options)
    found = Permission.objects.filter(
        content_type__app_label="signal_audit", codename__in=permissions
    )
    assert found.count() == len(permissions)
    user.user_permissions.set(found)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def auditor(db: None) -> Client:
    """Who may see everything, and do nothing."""
    return client_of(person("view_auditeddispatch", "view_payloads", "view_gap"))


@pytest.fixture
def viewer(db: None) -> Client:
    """Who may see dispatches without payloads."""
    return client_of(person("view_auditeddispatch"))


@pytest.fixture
def superuser(db: None) -> Client:
    return client_of(person(is_superuser=True))


@pytest.fixture
def visit(auditor: Client) -> Visit:
    """The list for a query, as text."""

    def get(**query: str) -> str:
        response = auditor.get(LIST, query)
        assert response.status_code == 200
        return str(response.content.decode())

    return get
