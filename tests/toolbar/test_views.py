"""The panel's own URLs."""

from __future__ import annotations

import json
import re

import html5lib
import pytest
from django.test import Client

from signal_inspector.core import internal_errors
from signal_inspector.toolbar import views
from tests.toolbar.conftest import Shown

ROWS = "/__debug__/signal_inspector/rows/"
JSON = "/__debug__/signal_inspector/dispatches.json"

pytestmark = pytest.mark.django_db


def fetched(content: str) -> list[str]:
    """The URLs that a page would fetch rows from."""
    found = re.findall(r'data-si-(?:fetch|more)="([^"]+)"', content)
    return [url.replace("&amp;", "&") for url in found]


def test_every_url_in_the_panel_answers_with_rows(shown: Shown) -> None:
    """Rows that are not in the page are valid rows when they are asked for."""
    content = shown.panel(shown.request_id(shown.client.get("/many/300/")))
    urls = fetched(content)
    assert urls
    for url in urls:
        html = shown.client.get(url).json()["html"]
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        rows = parser.parseFragment(html, container="tbody")
        assert [element.tag for element in rows] == ["tr"] * len(rows)
        assert len(rows) > 0


def test_pages_of_a_group_lead_on(shown: Shown) -> None:
    """Each page of a group ends with the way to the next, until there is none."""
    html = shown.panel(shown.request_id(shown.client.get("/many/300/")))
    seen: set[str] = set()
    pages = 0
    while more := re.search(r'data-si-more="([^"]+)"', html):
        html = shown.client.get(more[1].replace("&amp;", "&")).json()["html"]
        members = set(re.findall(r'data-si-id="(g0-d\d+)"', html))
        assert not members & seen
        seen |= members
        pages += 1
    assert (pages, len(seen)) == (3, 297)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, "no longer keeps"),
        ({"request_id": "gone", "row": "d0"}, "no longer keeps"),
        ({"request_id": "REAL"}, "no such row"),
        ({"request_id": "REAL", "row": "d99"}, "no such row"),
        ({"request_id": "REAL", "row": "<script>"}, "no such row"),
        ({"request_id": "REAL", "row": "g0-d0", "offset": "-1"}, ""),
        ({"request_id": "REAL", "row": "g0", "offset": "9" * 50}, ""),
        ({"request_id": "REAL", "row": "g0", "offset": "4000"}, ""),
    ],
)
def test_rows_of_unknown_things(shown: Shown, query: dict[str, str], error: str) -> None:
    """Whatever is asked for, the answer is JSON: rows, or 404 with a sentence."""
    request_id = shown.request_id(shown.client.get("/many/10/"))
    query = {key: request_id if value == "REAL" else value for key, value in query.items()}
    answer = shown.client.get(ROWS, query)
    if error:
        assert answer.status_code == 404
        assert error in answer.json()["error"]
    else:
        assert answer.status_code == 200
        assert "html" in answer.json()
    assert internal_errors.counts() == {}


def test_json_of_a_request(shown: Shown) -> None:
    """All dispatches of a request are a file to keep: a list of what each is by itself."""
    request_id = shown.request_id(shown.client.get("/checkout/"))
    answer = shown.client.get(JSON, {"request_id": request_id})
    assert answer.headers["Content-Type"] == "application/json"
    name = f'attachment; filename="signals-{request_id[:8]}.json"'
    assert answer.headers["Content-Disposition"] == name
    data = json.loads(answer.content)
    assert len(data) == 17
    assert data[4]["context"]["request"]["path"] == "/checkout/"
    query = {"request_id": request_id, "dispatch": data[4]["dispatch"]["id"]}
    assert shown.client.get(JSON, query).json() == data[4]


def test_json_of_one_dispatch(shown: Shown) -> None:
    """One dispatch alone, by its id."""
    request_id = shown.request_id(shown.client.get("/checkout/"))
    wanted = shown.dispatches(request_id)[4]
    answer = shown.client.get(JSON, {"request_id": request_id, "dispatch": wanted["id"]})
    data = answer.json()
    assert (data["version"], data["dispatch"]) == (1, wanted)
    assert data["context"]["request"]["id"] == request_id


@pytest.mark.parametrize(
    "query", [{}, {"request_id": "gone"}, {"request_id": "REAL", "dispatch": "x"}]
)
def test_json_of_unknown_things(shown: Shown, query: dict[str, str]) -> None:
    """What is not there is 404 with a sentence."""
    request_id = shown.request_id(shown.client.get("/many/10/"))
    query = {key: request_id if value == "REAL" else value for key, value in query.items()}
    answer = shown.client.get(JSON, query)
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize("url", [ROWS, JSON])
def test_only_for_those_who_see_the_toolbar(shown: Shown, url: str) -> None:
    """Without the toolbar there are no such pages."""
    request_id = shown.request_id(shown.client.get("/checkout/"))
    query = {"request_id": request_id, "row": "d0"}
    assert shown.client.get(url, query).status_code == 200
    assert Client(REMOTE_ADDR="203.0.113.9").get(url, query).status_code == 404


def test_a_view_that_fails_says_so_in_json(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours is counted and answered with a sentence."""

    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    request_id = shown.request_id(shown.client.get("/checkout/"))
    monkeypatch.setattr(views, "story", broken)
    answer = shown.client.get(ROWS, {"request_id": request_id, "row": "d0"})
    assert answer.status_code == 500
    assert "Signal Inspector failed here" in answer.json()["error"]
    assert internal_errors.counts() == {"the view si_rows": 1}
