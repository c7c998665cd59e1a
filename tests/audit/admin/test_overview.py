"""The overview in the admin, as HTML, on the database of the tests."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import html5lib
import pytest
from django.db import DatabaseError
from django.test import Client, override_settings
from django.utils import timezone

from signal_inspector.audit.admin import overview
from signal_inspector.audit.admin.overview_rows import gaps_of
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.models import Ending, GapReason, Origin
from signal_inspector.audit.stats.overview import KINDS, Span
from tests.audit.admin.conftest import auditor, client_of, person, superuser, viewer
from tests.audit.rows_made import many_rows, with_column
from tests.audit.stats import story

__all__ = ["auditor", "superuser", "viewer"]

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]
SVG = "{http://www.w3.org/2000/svg}svg"
PAGE = "/admin/signal_audit/"
HOSTILE = "shop.<script>alert(1)</script>.on_\"order' &amp; style=x"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> int:
    """The page is looked at when the story ends."""

    def read(params: Any, now: Any = None) -> Span:
        key = params.get("when", "24h")
        return Span(key if key in KINDS else "24h", story.NOW)

    monkeypatch.setattr(overview, "read_span", read)
    return story.NOW


def page(client: Client, **query: str) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return str(response.content.decode())


def words(html: str) -> str:
    """What a person reads."""
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    main = tree.find(".//div[@id='content-main']")
    assert main is not None
    return re.sub(r"\s+", " ", "".join(main.itertext()))


@pytest.mark.parametrize("when", list(KINDS))
def test_empty(viewer: Client, when: str) -> None:
    """An empty log says so, at any time that is asked for."""
    said = words(page(viewer, when=when))
    assert "Nothing has been counted yet" in said
    assert "Dispatches 0" in said


@pytest.mark.parametrize("when", list(KINDS))
def test_one_dispatch(viewer: Client, when: str) -> None:
    """One dispatch that was written just now is on the page, with its receivers."""
    write(many_rows(1), "default")
    said = words(page(viewer, when=when))
    assert "Dispatches 1" in said
    assert "tests.audit.rows_made.on_order_badly" in said
    assert "1 of 1 call" in said
    assert "no call" in said


def test_retries(viewer: Client) -> None:
    """What somebody ran again changes no figure, nor the effect of a failure; it is told apart."""
    first, second, third = many_rows(3)
    write([first, second], "default")
    before = _without_ages(words(page(viewer)))
    columns = {"origin": int(Origin.RETRY), "outcome": int(Ending.RAISED)}
    for column, value in columns.items():
        third = with_column(third, column, value)
    write([third], "default")
    said = _without_ages(words(page(viewer)))
    assert "swallowed" in before
    assert re.sub(r"not counting 1 retry, 1 failed ?", "", said) == before


def _without_ages(said: str) -> str:
    """What a page says, whenever it is looked at."""
    return re.sub(r"\d+ (s|min) ago", "", said)


def test_unknown_time(viewer: Client) -> None:
    """What is no time to choose is 24 hours."""
    html = page(viewer, when="<b>", receivers="x")
    assert re.search(r'<a href="\?when=24h" aria-current="true">', html)
    assert "<b>" not in html.split("sa-choice")[1].split("</ul>")[0]


@pytest.mark.parametrize("when", list(KINDS))
def test_story(viewer: Client, now: int, when: str) -> None:
    """The page tells what fails since when, with what effect, whatever time is looked at."""
    story.tell(now)
    said = words(page(viewer, when=when))
    assert "loyalty.receivers.award_points" in said
    assert "LoyaltyAccount.DoesNotExist" in said
    assert "swallowed" in said
    assert re.search(r"stopped \d+ calls", said)
    since = timezone.localtime(datetime.fromtimestamp(now - 51 * 60, UTC))
    assert f"{since:%H:%M:%S} 51 min ago" in said
    assert ("recovered" in said) is (when != "1h")


def test_figures(viewer: Client, now: int) -> None:
    """The figures are the sums of what was counted, beside those of the time before."""
    slot = now // story.HOUR * story.HOUR
    story.called(slot - story.HOUR, "shop.on_order", 300, 3)
    story.called(slot, "shop.on_order", 7)
    story.called(slot - story.DAY - story.HOUR, "shop.on_order", 200, 1)
    said = words(page(viewer))
    assert "Dispatches 307 50% more than the day before" in said
    assert "Failed 3 1.0%, the day before 0.5%" in said


def test_gaps(auditor: Client, viewer: Client, now: int) -> None:
    """Gaps stand before all figures, with how many dispatches are missing and why."""
    story.called(now // 300 * 300, "shop.on_order", 7)
    story.gap(now - 5_000, 267, 1_204)
    story.gap(now - 9_000, 2, 412, is_upper_bound=True, reason=GapReason.DEAD_WRITER)
    story.gap(now - 5 * story.DAY, 60, 99)
    for client in (auditor, viewer):
        said = words(page(client))
        told = "The log has 2 gaps in this time: 1,204 dispatches are missing and up to 412 more."
        assert said.index(told) < said.index("Dispatches 7")
        assert "The process ended before it had written all its dispatches." in said
        assert "the exact number is not known" in said
    assert "/signal_audit/gap/" in page(auditor)
    assert "/signal_audit/gap/" not in page(viewer)
    assert "3 gaps" in words(page(viewer, when="7d"))


def test_open_gap(viewer: Client, now: int) -> None:
    """A gap that has not ended reaches until now."""
    story.called(now // 300 * 300, "shop.on_order", 7)
    story.gap(now - 3_000, None, 5)
    said = words(page(viewer))
    assert "1 gap in this time: 5 dispatches are missing" in said
    assert "its end is not known yet" in said


def test_hostile_names(viewer: Client, now: int) -> None:
    """Names are text wherever they stand: in cells, attributes, plots and links."""
    story.called(now // 300 * 300, HOSTILE, 40, 4, exception=f"{HOSTILE}.Error")
    html = page(viewer)
    assert "<script>alert" not in html
    assert "style=x" in html
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    names = ["".join(each.itertext()) for each in tree.iter() if each.get("class") == "si-dotted"]
    assert names.count(HOSTILE) == 3
    for element in tree.iter():
        assert not {"style", "onload", "onclick"} & element.attrib.keys()


def test_gone_names(viewer: Client, now: int) -> None:
    """A receiver whose name is not in the log is shown, without a link to nowhere."""
    story.called(now // 300 * 300, "shop.on_order", 40, 4)
    story.Name.objects.all().delete()
    html = page(viewer)
    assert "(name not found)" in html
    assert "receiver=%28name" not in html


def test_no_inline_code(viewer: Client, now: int) -> None:
    """Nothing on the page needs a policy that allows styles or scripts in the page itself."""
    story.tell(now)
    html = page(viewer)
    content = html.split('id="content-main"')[1].split("<footer")[0]
    assert "<script" not in content
    assert "<style" not in content
    assert " style=" not in content
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    assert not [each for each in tree.iter() if any(key.startswith("on") for key in each.attrib)]


def test_alternatives(viewer: Client, now: int) -> None:
    """Every plot has a name that tells what it shows, and its numbers as a table."""
    story.tell(now)
    tree = html5lib.parse(page(viewer), namespaceHTMLElements=False)
    plots = [each for each in tree.iter(SVG) if each.get("role") == "img"]
    assert len(plots) == 2 + 6 + 6 + 1  # with the axis of the slowest receivers
    assert all(each.get("aria-label") for each in plots)
    assert len(list(tree.iter("details"))) == 1 + 6
    hidden = [each for each in tree.iter(SVG) if each.get("aria-hidden") == "true"]
    assert not [each for each in hidden if each.get("aria-label")]


def test_links(viewer: Client, now: int) -> None:
    """Figures lead to a list of the dispatches that they count, of no retries."""
    rows = many_rows(2)
    rows[1] = with_column(rows[1], "origin", int(Origin.RETRY))
    write(rows, "default")
    tree = html5lib.parse(client_page(viewer), namespaceHTMLElements=False)
    links = {each.get("href") for each in tree.iter("a") if "auditeddispatch" in each.get("href")}
    links = {
        link for link in links if not link.endswith("/catalog/")
    }  # which counts nothing itself
    assert len(links) >= 5
    for link in links:
        listed = viewer.get(link).content.decode()
        assert rows[0].id in listed, link
        if "?" in link:  # and not all that there are
            assert rows[1].id not in listed, link


def client_page(client: Client) -> str:
    """The page at the real time."""
    return page(client)


@pytest.mark.parametrize("when", ["24h", "30d"])
@pytest.mark.parametrize("receivers", [0, 120])
def test_queries(now: int, when: str, receivers: int, django_assert_max_num_queries: Any) -> None:
    """The number of queries is the same for a small log and for one of many receivers."""
    story.tell(now, more_receivers=receivers)
    client = client_of(person(is_superuser=True))
    page(client)
    with django_assert_max_num_queries(13):
        html = page(client, when=when, receivers="all")
    assert html.count('class="sa-multiple"') == min(8 + receivers, 60)


def test_permission() -> None:
    """Without the permission to see dispatches there are no figures, and no page without any."""
    story.called(int(datetime.now(UTC).timestamp()) // 300 * 300, "shop.on_order", 7)
    html = page(client_of(person("view_gap")))
    assert "shop.on_order" not in html
    assert "sa-figure" not in html
    assert "/signal_audit/gap/" in html
    assert client_of(person()).get(PAGE).status_code in (403, 404)
    assert Client().get(PAGE).status_code == 302


def test_unreadable(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the figures cannot be read, the page says so and still leads to the lists."""

    def fail(*args: Any) -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(overview, "read", fail)
    html = page(viewer)
    assert "The figures of the overview cannot be read" in html
    assert "auditeddispatch" in html
    assert "no such table" not in html


def test_other_version(viewer: Client, now: int) -> None:
    """A tally that another version wrote is left out, which is told."""
    story.called(now // 300 * 300, "shop.on_order", 7)
    story.Tally.objects.create(id=1, slot=now // 300 * 300, seconds=300, content='{"v": 99}')
    said = words(page(viewer))
    assert "written by another version" in said
    assert "Dispatches 7" in said


@pytest.mark.django_db(databases=["default", "other"])
@override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "other"}})
def test_other_database() -> None:
    """The figures are those of the database that the settings name."""
    write(many_rows(2), "other")
    said = words(page(client_of(person("view_auditeddispatch"))))
    assert "Dispatches 2" in said


@override_settings(USE_TZ=False)
def test_naive_times() -> None:
    """A project without time zones sees the page, too."""
    client = client_of(person("view_auditeddispatch"))
    now = datetime.now()
    story.Gap.objects.create(
        from_at=now - timedelta(minutes=5), to_at=now, missing=5, reason=1, key="x", written_at=now
    )
    write(many_rows(1), "default")
    said = words(page(client))
    assert "5 dispatches are missing" in said
    assert "Dispatches 1" in said


@override_settings(USE_TZ=False)
def test_gaps_for_a_reader_elsewhere() -> None:
    """A gap at the start of the span is found, whichever time zone the reader is in."""
    span = Span("24h", story.NOW)
    at = datetime.fromtimestamp(span.start + 60, UTC).replace(tzinfo=None)
    story.Gap.objects.create(from_at=at, to_at=at, missing=5, reason=1, key="x", written_at=at)
    with override_settings(TIME_ZONE="UTC"), timezone.override("America/New_York"):
        assert gaps_of(span).count == 1
