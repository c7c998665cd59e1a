"""The list of dispatches."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from signal_inspector.audit.search.conditions import everything
from signal_inspector.audit.search.finding import count_ids
from signal_inspector.audit.search.selection import Selection
from tests.audit.admin.conftest import LIST, Visit
from tests.audit.admin.logged import START, call, dispatched, gap, history, order_42

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

_ROW = re.compile(r'/auditeddispatch/([0-9a-f-]{36})/change/"')


def shown(page: str) -> list[str]:
    return _ROW.findall(page)


def link(page: str, rel: str) -> str:
    """Where the link to the next or the previous page leads; "" without one."""
    found = re.search(rf'<a href="([^"]*)" rel="{rel}"', page)
    return html.unescape(found.group(1)) if found else ""


def test_newest_first(visit: Visit) -> None:
    """The newest dispatch stands first."""
    dispatches = [dispatched() for _ in range(3)]
    assert shown(visit()) == [str(each.id) for each in reversed(dispatches)]


def test_row(visit: Visit) -> None:
    """A row tells time, signal, outcome, receivers, duration, actor, origin and transaction."""
    order_42()
    html = visit(signal="shop.signals.order_placed").replace("<wbr>", "")
    text = " ".join(re.sub("<[^>]+>", " ", html).split())
    assert "shop.signals. order_placed" in text
    assert "1 of 3 raised, swallowed 3 1 failed 186.2 ms anna POST /checkout/ committed" in text


def test_pages(auditor: Client) -> None:
    """Older and newer pages go by id, hold every dispatch once, and come back."""
    ids = [str(dispatched().id) for _ in range(120)][::-1]
    pages, url = [], ""
    for _ in range(3):
        page = auditor.get(f"{LIST}{url}").content.decode()
        pages.append(shown(page))
        url = link(page, "next")
    assert (url, [*pages[0], *pages[1], *pages[2]]) == ("", ids)
    back = auditor.get(LIST + link(page, "prev")).content.decode()
    assert shown(back) == pages[1]
    first = auditor.get(LIST + link(back, "prev")).content.decode()
    assert shown(first) == pages[0]
    assert link(first, "prev") == ""


def test_stable_pages(auditor: Client) -> None:
    """A page's URL shows the same dispatches when newer ones have come."""
    for _ in range(60):
        dispatched()
    older = link(auditor.get(LIST).content.decode(), "next")
    before = shown(auditor.get(LIST + older).content.decode())
    dispatched()
    assert shown(auditor.get(LIST + older).content.decode()) == before


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"signal": "shop.signals.order_placed"}, 24),
        ({"signal": "no.such.signal"}, 0),
        ({"receiver": "crm.receivers.push_order"}, 24),
        ({"receiver": "crm.receivers.push_order", "outcome": "failed"}, 12),
        ({"receiver": "shop.receivers.log_order", "outcome": "failed"}, 0),
        ({"receiver": "crm.receivers.push_order", "exception": "httpx.ReadTimeout"}, 12),
        ({"receiver": "shop.receivers.log_order", "exception": "httpx.ReadTimeout"}, 0),
        ({"exception": "httpx.ReadTimeout"}, 12),
        ({"outcome": "failed"}, 24),
        ({"outcome": "swallowed"}, 12),
        ({"outcome": "raised"}, 12),
        ({"outcome": "skipped"}, 12),
        ({"outcome": "cancelled"}, 0),
        ({"outcome": "orphan"}, 12),
        ({"outcome": "returned"}, 36),
        ({"transaction": "rolled-back"}, 12),
        ({"transaction": "none", "origin": "command"}, 12),
        ({"method": "asend"}, 12),
        ({"method": "send", "outcome": "raised", "transaction": "rolled-back"}, 12),
        ({"actor": "auth.User:7"}, 48),
        ({"label": "anna", "outcome": "failed"}, 24),
        ({"request": "req-8f3c1b2e"}, 48),
        ({"outcome": "nonsense", "method": "teleport", "id": "no id"}, 50),
    ],
)
def test_filters(visit: Visit, query: dict[str, str], number: int) -> None:
    """Each filter, and several together, show exactly the dispatches that are asked for."""
    history(60)
    assert len(shown(visit(**query))) == number


def test_time(visit: Visit) -> None:
    """Dates are ranges of ids, whole days and minutes at their end."""
    for hours in (-30, -2, 0):
        dispatched(at=START + timedelta(hours=hours))
    day = START.date().isoformat()
    # The tests run in Chicago, where START is before six in the morning.
    assert len(shown(visit(day=day))) == 2
    assert len(shown(visit(**{"from": day, "to": day}))) == 2
    assert len(shown(visit(to="2026-11-21"))) == 1
    assert len(shown(visit(**{"from": "2026-11-22T04:14", "to": "2026-11-22T04:14"}))) == 1
    assert len(shown(visit(**{"from": "never", "day": "32"}))) == 3


def test_presets(visit: Visit) -> None:
    """A preset reaches back from now."""
    now = timezone.now()
    for hours in (0.5, 5, 100, 500, 5_000):
        dispatched(at=now - timedelta(hours=hours))
    numbers = [len(shown(visit(when=when))) for when in ("1h", "24h", "7d", "30d")]
    assert numbers == [1, 2, 3, 4]


def test_gaps_are_told(visit: Visit) -> None:
    """The list says when the log has gaps in the time that it shows."""
    gap()
    assert "The log has <b>1 gap</b>" in visit()
    assert "The log has" not in visit(day="2026-11-20")


def test_count(visit: Visit) -> None:
    """A dispatch counts once, whichever of its receivers are called twice; counts have a cap."""
    for _ in range(12):
        dispatched("shop.signals.order_placed", call(), call())
    assert "12 dispatches" in visit(receiver="shop.receivers.log_order")
    assert count_ids(everything(), Selection(), cap=10).words == "more than 10 dispatches"
    assert count_ids(everything(), Selection(), cap=12).words == "12 dispatches"


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ({}, 10),
        ({"signal": "shop.signals.order_placed"}, 9),
        ({"receiver": "crm.receivers.push_order", "outcome": "failed"}, 12),
        ({"q": "shop.Order:42"}, 13),
        ({"transaction": "rolled-back", "method": "send"}, 9),
    ],
)
def test_queries(auditor: Client, query: dict[str, str], most: int) -> None:
    """A page needs a fixed number of queries, however many rows it has; none counts the table."""
    history(60)
    order_42()
    with CaptureQueriesContext(connection) as queries:
        auditor.get(LIST, query)
    # The session, the user and two queries for permissions are the admin's.
    assert len(queries) <= most + 2
    assert not [each["sql"] for each in queries if "OFFSET" in each["sql"]]
