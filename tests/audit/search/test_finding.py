"""Finding dispatches: as many indexes and tests as are asked for, each dispatch once, in order."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Ending,
    Method,
)
from signal_inspector.audit.search import finding
from signal_inspector.audit.search.conditions import conditions_of, everything
from signal_inspector.audit.search.finding import find, scan
from signal_inspector.audit.search.selection import Selection, read_period, read_selection
from tests.audit.admin.logged import START, call, dispatched

pytestmark = pytest.mark.django_db

SIGNALS = ["a.often", "a.seldom", "a.once"]
RECEIVERS = ["r.one", "r.two", "r.rare"]
ERRORS = ["", "", "", "builtins.KeyError", "x.Odd"]


@pytest.fixture
def world(request: pytest.FixtureRequest) -> random.Random:
    """Dispatches of all sorts, from a seed."""
    chance = random.Random(getattr(request, "param", 1))
    for index in range(120):
        calls = [
            call(chance.choices(RECEIVERS, [6, 3, 1])[0], raised=chance.choice(ERRORS))
            for _ in range(chance.randrange(4))
        ]
        failed = any(each["outcome"] == Ending.RAISED for each in calls)
        dispatched(
            chance.choices(SIGNALS, [8, 3, 1])[0],
            *calls,
            at=START + timedelta(seconds=index // 2),
            objects=[f"shop.Order:{chance.randrange(4)}"],
            actor=chance.choice([None, "auth.User:1", "auth.User:2"]),
            actor_label=chance.choice(["", "ann", "bob"]),
            request_id=chance.choice([None, "r1", "r2"]),
            trace_id=chance.choice([None, "f" * 32]),
            parent_id=chance.choice([None, UUID(int=5)]),
            transaction_id=chance.choice([None, UUID(int=6)]),
            transaction_outcome=chance.randrange(4),
            method=chance.choice(Method.values),
            origin=chance.randrange(5),
            outcome=Ending.RAISED if failed and chance.random() < 0.5 else Ending.RETURNED,
        )
    return chance


def some_selection(chance: random.Random) -> Selection:
    """Two to four things that are asked for together."""
    known: dict[str, list[str]] = {
        "signal": SIGNALS,
        "receiver": RECEIVERS,
        "exception": ["builtins.KeyError", "x.Odd"],
        "object": ["shop.Order:1", "shop.Order:3"],
        "actor": ["auth.User:1"],
        "label": ["ann"],
        "request": ["r1"],
        "trace": ["f" * 32],
        "parent": [str(UUID(int=5))],
        "in_transaction": [str(UUID(int=6))],
        "outcome": ["failed", "swallowed", "raised", "orphan", "returned", "skipped"],
        "method": ["send", "asend_robust"],
        "transaction": ["committed", "rolled-back", "none", "unknown"],
        "origin": ["request", "shell"],
        "from": ["2026-11-22T10:14:30+00:00"],
    }
    chosen = chance.sample(sorted(known), chance.randrange(1, 4))
    return read_selection({key: chance.choice(known[key]) for key in chosen})


def simply(asked: Selection) -> list[UUID]:
    """What is asked for, by reading everything and looking at each."""
    calls: dict[UUID, list[AuditedCall]] = {}
    for each in AuditedCall.objects.select_related("receiver", "exception"):
        calls.setdefault(each.dispatch_id, []).append(each)
    objects: dict[UUID, set[str]] = {}
    for row in AuditedObject.objects.select_related("model"):
        objects.setdefault(row.dispatch_id, set()).add(f"{row.model.text}:{row.object_pk}")
    found = AuditedDispatch.objects.select_related("signal").order_by("-id")
    return [
        each.id for each in found
        if _matches(each, calls.get(each.id, []), objects.get(each.id, set()), asked)
    ]  # fmt: skip


def _matches(
    each: AuditedDispatch, calls: list[AuditedCall], objects: set[str], asked: Selection
) -> bool:
    start = asked.period.start
    return all([
        start is None or each.started_at >= start,
        not asked.signal or each.signal.text == asked.signal,
        not asked.object or asked.object in objects,
        not asked.actor or each.actor == asked.actor,
        not asked.label or each.actor_label == asked.label,
        not asked.request or each.request_id == asked.request,
        not asked.trace or each.trace_id == asked.trace,
        asked.parent is None or each.parent_id == asked.parent,
        asked.in_transaction is None or each.transaction_id == asked.in_transaction,
        not asked.method or each.get_method_display() == asked.method,
        not asked.origin or each.get_origin_display() == asked.origin,
        not asked.transaction
        or each.get_transaction_outcome_display().replace("no transaction", "none")
        == asked.transaction.replace("-", " "),
        _ended_so(each, asked.outcome),
        _called_so(calls, asked),
    ])  # fmt: skip


def _ended_so(each: AuditedDispatch, outcome: str) -> bool:
    failed = bool(each.is_failed)
    return {
        "": True,
        "failed": failed,
        "swallowed": failed and each.outcome == Ending.RETURNED,
        "raised": failed and each.outcome == Ending.RAISED,
        "skipped": failed and each.skipped_count > 0,
        "orphan": each.receiver_count == 0,
        "returned": not failed,
    }[outcome]


def _called_so(calls: list[AuditedCall], asked: Selection) -> bool:
    def fits(each: AuditedCall) -> bool:
        return all([
            not asked.receiver or each.receiver.text == asked.receiver,
            not asked.exception
            or (each.exception is not None and each.exception.text == asked.exception),
            not (asked.receiver and asked.outcome == "failed") or each.outcome == Ending.RAISED,
        ])  # fmt: skip

    return not (asked.receiver or asked.exception) or any(fits(each) for each in calls)


@pytest.mark.parametrize("world", [1, 2, 3], indirect=True)
def test_as_simple_reading(world: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for together, the pages together are what reading everything finds."""
    # Small stretches, so that every page is put together from many of them.
    monkeypatch.setattr(finding, "_SIZES", (3, 7, 20))
    monkeypatch.setattr(finding, "_SECONDS", 60)
    matched = 0
    for _ in range(40):
        asked = some_selection(world)
        expected = simply(asked)
        matched += len(expected)
        found: list[UUID] = []
        page = find(asked, 5)
        while True:
            found += page.ids
            if page.go_on is None:
                break
            page = find(asked, 5, before=page.go_on)
        assert found == expected, asked
        newer = find(asked, 5, after=UUID(int=0))
        assert newer.ids == expected[-5:], asked
    assert matched > 200


def test_a_line_of_code() -> None:
    """What a line of the project led to, and what it has sent itself."""
    views = dispatched("a.often", line="shop/views.py:41 Checkout.post")
    tasks = dispatched("a.often", line="shop/tasks.py:7 nightly")
    selection = Selection(line="shop/views.py:41 Checkout.post")
    assert find(selection, 5).ids == [views.id]
    sender = Selection(line="shop/services.py:131 place_order")
    assert find(sender, 5).ids == [tasks.id, views.id]
    assert find(Selection(line="shop/views.py:4"), 5).ids == []


def test_bounded(world: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search looks at so many dispatches and no more, and says where to go on."""
    monkeypatch.setattr(finding, "_SIZES", (10,))
    monkeypatch.setattr(finding, "_MOST", 30)
    monkeypatch.setattr(finding, "_SECONDS", 60)
    asked = Selection(label="nobody")
    page = find(asked, 5)
    assert (page.ids, page.stopped_after) == ([], 30)
    newest = AuditedDispatch.objects.order_by("-id").values_list("id", flat=True)
    assert page.go_on == newest[29]
    steps = 1
    while page.go_on is not None:
        page = find(asked, 5, before=page.go_on)
        steps += 1
    assert steps == 5


def test_stops_in_time(world: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that has taken its time stops after the stretch that it is in."""
    monkeypatch.setattr(finding, "_SIZES", (10,))
    monkeypatch.setattr(finding, "_SECONDS", -1)
    assert find(Selection(label="nobody"), 5).stopped_after == 10


def test_one_index_is_enough(world: random.Random) -> None:
    """One condition with an index of its own takes one query, of no more than the page."""
    with CaptureQueriesContext(connection) as queries:
        find(Selection(signal="a.often"), 5)
    assert len(queries) == 1
    assert "LIMIT 6" in queries[0]["sql"]


def test_rarest_index(world: random.Random) -> None:
    """Of several indexes the one with the fewest dispatches is read, and the others are tested."""
    asked = Selection(signal="a.once", request="r1", actor="auth.User:1")
    with CaptureQueriesContext(connection) as queries:
        (step,) = scan(asked)
    assert len(queries) == 4  # one for each index, and the test
    assert step.looked_at == AuditedDispatch.objects.filter(signal__text="a.once").count()
    assert step.ids == simply(asked)


def test_failures_of_a_signal(world: random.Random) -> None:
    """A signal's failures are read from an index of just these, and nothing else is tested."""
    asked = Selection(signal="a.seldom", outcome="failed")
    with CaptureQueriesContext(connection) as queries:
        (step,) = scan(asked)
    assert len(queries) == 1
    assert step.looked_at == len(step.ids) == len(simply(asked)) > 0


def explained(queryset: Any) -> str:
    return str(queryset.explain())


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"signal": "a.once"}, "by_signal"),
        ({"receiver": "r.rare"}, "by_receiver"),
        ({"exception": "x.Odd"}, "by_exception"),
        ({"outcome": "failed"}, "signal_audit_failed "),
        ({"signal": "a.once", "outcome": "skipped"}, "signal_audit_signal_failed "),
        ({"actor": "auth.User:1"}, "by_actor"),
        ({"request": "r1"}, "by_request"),
        ({"trace": "f" * 32}, "by_trace"),
        ({"parent": str(UUID(int=5))}, "by_parent"),
        ({"in_transaction": str(UUID(int=6))}, "by_transaction"),
        ({"object": "shop.Order:1"}, "signal_audit_object"),
    ],
)
def test_plans(world: random.Random, asked: dict[str, str], index: str) -> None:
    """SQLite reads each source from its index, without having looked at the table before."""
    if connection.vendor != "sqlite":
        pytest.skip("a server chooses by what it knows of a table, which is small here")
    condition = next(each for each in conditions_of(read_selection(asked)) if each.source)
    bounds = finding.bounds_of(Selection(period=read_period({"from": "2026-11-01"})))
    plan = explained(condition.source.ids(bounds)[:10])
    assert "SCAN" not in plan
    assert index in plan
    assert "SCAN" not in explained(everything().ids(bounds)[:10])
