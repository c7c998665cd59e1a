"""Requests at the same time, on threads and in tasks, each with its own dispatches."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import HttpResponse
from django.test import AsyncClient, Client

from signal_inspector.core import internal_errors
from signal_inspector.core.listening import context, sinks
from tests.toolbar import shop
from tests.toolbar.conftest import Shown

NAMES = ["ann", "bob", "cem", "dee"]


def who(dispatches: list[dict[str, dict[str, dict[str, str]]]]) -> set[str]:
    return {sent["payload"]["who"]["text"].strip("'") for sent in dispatches}


def test_threads(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four requests that send in turn on four threads see their own dispatches only."""
    monkeypatch.setattr(shop, "meeting", threading.Barrier(len(NAMES)))
    with ThreadPoolExecutor(len(NAMES)) as pool:
        responses = list(pool.map(lambda name: Client().get(f"/meet/{name}/"), NAMES))
    for name, response in zip(NAMES, responses, strict=True):
        sent = shown.dispatches(shown.request_id(response))
        assert len(sent) == 5
        assert who(sent) == {name}
    assert sinks.hearing == []
    assert internal_errors.counts() == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("view", ["async-meet", "meet"])
async def test_tasks(shown: Shown, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    """The same in four tasks of one event loop, with async and with sync views."""
    monkeypatch.setattr(shop, "meeting", threading.Barrier(1))

    async def get(name: str) -> HttpResponse:
        return await AsyncClient().get(f"/{view}/{name}/")

    responses = await asyncio.gather(*(get(name) for name in NAMES))
    for name, response in zip(NAMES, responses, strict=True):
        found = await asyncio.to_thread(shown.dispatches, shown.request_id(response))
        assert len(found) == 5
        assert who(found) == {name}
    assert context.current.get() is None
    assert sinks.hearing == []
    assert internal_errors.counts() == {}


@pytest.mark.asyncio
async def test_async_view(shown: Shown) -> None:
    """An async view's dispatches are collected, with what async receivers and threads sent."""
    response = await AsyncClient().get("/async-checkout/")
    sent = await asyncio.to_thread(shown.dispatches, shown.request_id(response))
    outline = [
        (one["signal"].rpartition(".")[2], one["method"], one.get("parent_id")) for one in sent
    ]
    assert outline == [
        ("shipped", "asend", None),
        ("stock_low", "send", sent[0]["id"]),
        ("stock_low", "send", None),
    ]
    assert [call["is_async"] for call in sent[0]["calls"]] == [False, True]


def test_async_view_on_wsgi(shown: Shown) -> None:
    """The same view called by a sync server."""
    sent = shown.dispatches(shown.request_id(Client().get("/async-checkout/")))
    assert len(sent) == 3
