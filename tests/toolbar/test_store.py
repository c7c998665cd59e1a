"""Dispatches on their way into the store and back."""

from __future__ import annotations

import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from debug_toolbar.store import deserialize, serialize
from django.contrib.auth.models import Group
from django.db import transaction
from django.dispatch import Signal

from signal_inspector import capture
from signal_inspector.toolbar.requests import pack, unpack
from tests.toolbar import shop

counted = Signal()


def there_and_back(dispatches: list[Any]) -> list[dict[str, Any]]:
    """What a stored toolbar reads of these dispatches."""
    return [stored.as_dict() for stored in unpack(deserialize(serialize(pack(dispatches))))]


def query_and_fail(sender: object, **named: object) -> None:
    list(Group.objects.filter(name="staff"))
    list(Group.objects.filter(name="staff"))
    counted.send(sender, inner=True)
    raise shop.HostileError(shop.HOSTILE)


@pytest.mark.django_db
def test_nothing_is_lost() -> None:
    """Every field of every dispatch comes back equal: nested, failed, skipped, with SQL, in a
    transaction that rolled back, with payloads of all kinds and receivers that were not called."""
    signal = Signal()
    signal.connect(query_and_fail)
    signal.connect(shop.log_order)
    signal.connect(shop.reserve, sender=Group)
    payload = {
        "model": Group(pk=3, name="x"),
        "nested": {"password": "hunter2", "list": [1, 1.5, True, None, {"deep": (1, 2)}]},
        "odd": float("nan"),
        "text": shop.HOSTILE,
        "huge": "x" * 5000,
        "bytes": b"\0\xff",
    }
    with capture() as dispatches:
        signal.send_robust(shop.Order, **payload)
        with suppress(shop.HostileError), transaction.atomic():
            signal.send(shop.Order, **payload)
        counted.send(shop.Order)
    dispatches[0].trace = SimpleNamespace(trace_id=0xAB, span_id=0xCD, trace_flags=1)
    before = [dispatch.as_dict() for dispatch in dispatches]
    assert len(before) == 5
    assert (before[0]["trace_id"], before[0]["span_id"]) == (f"{0xAB:032x}", f"{0xCD:016x}")
    assert before[0]["trace_sampled"] is True
    assert before[0]["calls"][0]["query_count"] == 2
    assert before[2]["calls"][1]["outcome"] == "skipped"
    assert before[2]["rolled_back"] is True
    assert before[0]["not_called"] != []
    # Through JSON, as tuples become lists there, whoever stores them.
    assert there_and_back(dispatches) == json.loads(json.dumps(before))


def test_values_that_are_equal_stay_what_they_are() -> None:
    """True, 1 and 1.0 are one key of a dict, and three arguments."""
    with capture() as dispatches:
        for value in (1, True, 1.0):
            counted.send(shop.Order, value=value)
    values = [sent["payload"]["value"] for sent in there_and_back(dispatches)]
    assert [value["text"] for value in values] == ["1", "True", "1.0"]


def test_what_is_said_again_costs_little() -> None:
    """A thousand equal dispatches take less than a third of what they take spelled out."""
    with capture() as dispatches:
        for _ in range(1000):
            counted.send(shop.Order, value="the same")
    stored = len(serialize(pack(dispatches)))
    assert stored < 350 * 1000
    assert stored < len(json.dumps([dispatch.as_dict() for dispatch in dispatches])) / 3


def test_stored_data_is_plain() -> None:
    """The store needs no encoder of its own: lists, strings, numbers, booleans and None."""
    with capture() as dispatches:
        counted.send(shop.Order, order=shop.Order(), text=shop.HOSTILE)
    packed = pack(dispatches)
    assert json.loads(json.dumps(packed)) == json.loads(serialize(packed))


def test_dispatch_that_still_runs_is_stored() -> None:
    """What has not ended when the response is made is stored as running."""
    seen: list[dict[str, Any]] = []
    with capture() as dispatches:

        def look(sender: object, **named: object) -> None:
            seen.extend(there_and_back(dispatches))

        signal = Signal()
        signal.connect(look)
        signal.send(shop.Order)
    assert [sent["outcome"] for sent in seen] == ["running"]


def test_nothing_sent() -> None:
    """No dispatches are no dispatches again."""
    assert there_and_back([]) == []
