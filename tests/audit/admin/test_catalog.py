"""The catalog in the admin: what is connected, beside what was counted of it."""

from __future__ import annotations

import re
import time
from typing import Any

import html5lib
import pytest
from django.dispatch import Signal, receiver
from django.test import Client

from signal_inspector.audit.admin import catalog
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.stats.counts import SLOT_SECONDS, Figures
from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.catalog.entries import marked
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Caller
from tests.audit.admin.conftest import client_of, person
from tests.audit.stats import story

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]
PAGE = "/admin/signal_audit/auditeddispatch/catalog/"
HERE = __name__

catalog_placed = Signal()
catalog_unheard = Signal()


@receiver(catalog_placed)
def on_placed(sender: object, **kwargs: Any) -> None: ...


@receiver(catalog_placed, sender=Client, dispatch_uid="<b>uid</b>")
async def on_placed_later(sender: object, **kwargs: Any) -> None: ...


def entry(name: str, **changes: Any) -> ReceiverEntry:
    told: dict[str, Any] = {
        "path": "/srv/shop/receivers.py",
        "line": 7,
        "sender": None,
        "is_async": False,
        "is_weak": True,
        "dispatch_uid": None,
        "connected_at": None,
        "is_dead": False,
    }
    return ReceiverEntry(receiver=name, **(told | changes))


def page(client: Client, **query: str) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return str(response.content.decode())


def words(html: str) -> str:
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    found = tree.find(".//div[@class='sa']")
    assert found is not None
    return re.sub(r"\s+", " ", "".join(found.itertext()))


def counted(kind: NameKind, name: str, number: int, failed: int = 0, ms: float = 2.0) -> None:
    """So many were counted just now."""
    figures = Figures()
    measures = figures.signals if kind is NameKind.SIGNAL else figures.receivers
    measures[story.name(kind, name)].merge(story.calls(number, failed, ms))
    slot = int(time.time()) // SLOT_SECONDS * SLOT_SECONDS
    story.count(slot, figures)


def test_connected(viewer: Client) -> None:
    """Signals with their receivers in order, their places, and marks for what is unusual."""
    said = words(page(viewer, q=HERE))
    assert f"{HERE}.catalog_placed" in said
    assert f"{HERE}.catalog_unheard no receiver" in said
    assert re.search(rf"1 ?{HERE}.on_placed ?tests/audit/admin/test_catalog.py:\d+", said)
    later = said[said.index(f"{HERE}.on_placed_later") :]
    for mark in ("async", "only django.test.client.Client", "uid <b>uid</b>"):
        assert mark in later


def test_figures(viewer: Client) -> None:
    """Calls, failures and times of the chosen period, with links to just these dispatches."""
    counted(NameKind.SIGNAL, f"{HERE}.catalog_placed", 1_200, 3)
    counted(NameKind.RECEIVER, f"{HERE}.on_placed", 1_100, 2, ms=40)
    html = page(viewer, q=HERE, when="1h")
    said = words(html)
    assert re.search(r"catalog_placed.*? 1,200 3 2\.\d ms 2\.\d ms", said)
    assert re.search(r"on_placed.*? 1,100 2 \d\d\.\d ms \d\d\.\d ms", said)
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    links = [each.get("href") for each in tree.iter("a") if "from=" in each.get("href", "")]
    assert len(links) == 4
    assert sum(f"signal={HERE}.catalog_placed" in link for link in links) == 4
    assert sum("outcome=failed" in link for link in links) == 2
    assert sum(f"receiver={HERE}.on_placed" in link for link in links) == 2
    for link in links:
        assert viewer.get(link).status_code == 200


def test_in_the_log_alone(viewer: Client) -> None:
    """Names that were counted and are not connected now stand apart."""
    counted(NameKind.SIGNAL, "shop.signals.<i>renamed</i>", 5)
    counted(NameKind.RECEIVER, "shop.receivers.gone", 7, 7)
    html = page(viewer)
    said = words(html)
    apart = said[said.index("In the log, not connected now") :]
    assert "shop.signals.<i>renamed</i> signal 5" in apart
    assert "shop.receivers.gone receiver 7 7" in apart
    assert "<i>renamed" not in html
    assert "not connected now" not in words(page(viewer, q="catalog_placed"))


def test_receiver_of_several_signals(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are of all of them together, which is said."""
    both = [SignalEntry(signal=f"s.{n}", receivers=(entry("r.same"),)) for n in "ab"]
    monkeypatch.setattr(catalog, "describe", lambda: both)
    counted(NameKind.RECEIVER, "r.same", 9)
    html = page(viewer)
    assert words(html).count("counted for all 2 of its signals together") == 2
    assert "signal=s.a" not in html


@pytest.mark.parametrize("path", ["", "/srv/shop/receivers.py"])
def test_where_a_receiver_is_connected(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Both places have a comma between them; one alone has none."""
    at = Caller("/srv/shop/apps.py", 8, "ready")
    signal = SignalEntry(signal="s.a", receivers=(entry("r.a", path=path, connected_at=at),))
    monkeypatch.setattr(catalog, "describe", lambda: [signal])
    html = page(viewer)
    places = "/srv/shop/receivers.py:7, " if path else ""
    assert f">{places}connected at /srv/shop/apps.py:8<" in html


def test_marks() -> None:
    """Only what is unusual has a mark; what would not run has no number."""
    signal = SignalEntry(
        signal="s",
        receivers=(
            entry("r.usual"),
            entry("r.twice", repetition=2),
            entry("r.twice", dispatch_uid="x", repetition=2),
            entry("r.strong", is_weak=False),
            entry("r.unknown", sender="?", is_weak=None),
            entry("r.dead", is_dead=True),
        ),
        pending=(entry("r.pending", sender="shop.order", is_pending=True),),
        taken_out=(entry("r.muted"),),
    )
    told = {
        (each.order, each.entry.receiver): [m.text for m in each.marks] for each in marked(signal)
    }
    assert told == {
        (1, "r.usual"): [],
        (2, "r.twice"): ["connected twice"],
        (3, "r.twice"): ["uid x", "connected twice"],
        (4, "r.strong"): ["strong"],
        (5, "r.unknown"): ["one sender only"],
        (0, "r.dead"): ["dead reference"],
        (0, "r.pending"): ["waits for the model shop.order"],
        (0, "r.muted"): ["taken out of the signal"],
    }


def test_nobody_else(client: Client, db: None) -> None:
    """Without the permission to see dispatches there is no page, and no link to it."""
    other = client_of(person("view_gap"))
    assert other.get(PAGE).status_code == 403
    assert "catalog/" not in other.get("/admin/signal_audit/").content.decode()
    assert client.get(PAGE).status_code == 302


def test_linked_from_the_overview(viewer: Client) -> None:
    """Whoever may see dispatches finds it on the overview."""
    assert f'href="{PAGE}"' in viewer.get("/admin/signal_audit/").content.decode()


@pytest.mark.parametrize("query", [{"when": "<b>"}, {"q": "<script>x\0"}, {"q": "x" * 5_000}])
def test_strange_queries(viewer: Client, query: dict[str, str]) -> None:
    """Whatever is asked for is escaped, and what is no time is a day."""
    html = page(viewer, **query)
    assert "<script>x" not in html
    assert 'href="?when=24h' in html


def test_catalog_that_cannot_be_read(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours costs the rows alone."""

    def broken() -> list[SignalEntry]:
        raise RuntimeError("no")

    monkeypatch.setattr(catalog, "describe", broken)
    assert "This process has no custom signals." in words(page(viewer))
    assert internal_errors.counts() == {"the catalog": 1}


def test_many_names(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    """Of thousands a bounded part is shown, by a fixed number of queries."""
    many = [
        SignalEntry(signal=f"s.signal_{n:04}", receivers=(entry(f"r.a_{n}"), entry(f"r.b_{n}")))
        for n in range(3_000)
    ]
    monkeypatch.setattr(catalog, "describe", lambda: many)
    story.tell(more_receivers=300)
    page(viewer)
    with django_assert_max_num_queries(8):
        html = page(viewer, when="30d")
    assert html.count('class="sa-signal') == catalog.MOST_SIGNALS
    assert html.count("sa-step") == catalog.MOST_RECEIVERS
    assert "200 of 3,000 custom signals" in words(html)
    assert "Search for a part of the name" in html
    assert words(page(viewer, q="signal_2999")).count("s.signal_") == 1
