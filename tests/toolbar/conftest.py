"""The real toolbar, shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

PANEL = "SignalInspectorPanel"


@dataclass
class Shown:
    """What a developer does with the toolbar."""

    client: Client
    settings: Settings

    def configure(self, **config: Any) -> None:
        """Change DEBUG_TOOLBAR_CONFIG."""
        self.settings.DEBUG_TOOLBAR_CONFIG = {"IS_RUNNING_TESTS": False, **config}

    def request_id(self, response: HttpResponse) -> str:
        """The id of a request in the toolbar's store."""
        header: str = response.headers["djdt-request-id"]
        return header

    def panel(self, request_id: str) -> str:
        """The panel's HTML as the toolbar's script gets it."""
        query = {"request_id": request_id, "panel_id": PANEL}
        answer = self.client.get("/__debug__/render_panel/", query)
        content: str = answer.json()["content"]
        return content

    def stored(self, request_id: str) -> dict[str, Any]:
        """The panel's stored data."""
        data: dict[str, Any] = get_store().panel(request_id, PANEL)
        return data

    def dispatches(self, request_id: str) -> list[dict[str, Any]]:
        """All dispatches of a request, as the panel gives them away."""
        answer = self.client.get(
            "/__debug__/signal_inspector/dispatches.json", {"request_id": request_id}
        )
        return [each["dispatch"] for each in json.loads(answer.content)]


@pytest.fixture
def history_table(db: None) -> None:
    """The table of the toolbar's DatabaseStore, which its app makes for that store only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE debug_toolbar_historyentry "
            "(request_id char(32) PRIMARY KEY, data text, created_at datetime)"
        )


@pytest.fixture
def shown(settings: Settings, client: Client) -> Iterator[Shown]:
    """The toolbar is on for the views of tests/toolbar/shop.py."""
    settings.DEBUG = True
    settings.ROOT_URLCONF = "tests.toolbar.shop"
    settings.DEBUG_TOOLBAR_CONFIG = {"IS_RUNNING_TESTS": False}
    get_store().clear()
    DebugToolbar.store = None
    yield Shown(client, settings)
    settings.DEBUG_TOOLBAR_CONFIG = {"IS_RUNNING_TESTS": False}
    get_store().clear()
