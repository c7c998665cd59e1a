"""The example's pages of traces: reached from the panel, legible, worked with the keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.shops import Mode
from tests.browser.test_looks import LOW_CONTRAST
from tests.browser.visits import begin, expand, open_order, place_order, row

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import NewPage

SERVERS = [Mode(), Mode(asgi=True)]


@pytest.fixture(autouse=True)
def _order(page: Page, shop: str, ordered: set[str]) -> None:
    """The latest checkout of each shop is Grace's, whoever's failed in it before."""
    if shop not in ordered:
        ordered.add(shop)
        place_order(page, shop)


@pytest.fixture(scope="module")
def ordered() -> set[str]:
    """The shops in which an order has been placed."""
    return set()


def open_trace(page: Page, shop: str) -> Page:
    """Follow the number of the latest order's trace in the panel."""
    order = open_order(page, shop)
    link = order.locator(".si-request").get_by_role("link", name=re.compile("^[0-9a-f]{32}$"))
    with page.expect_popup() as opened:
        link.click()
    trace = opened.value
    trace.wait_for_load_state()
    return trace


def span(trace: Page, name: str) -> Locator:
    """The first item that is named so, with all that is within it."""
    return trace.locator(".spans li").filter(
        has=trace.locator(":scope > details > summary b", has_text=re.compile(f"^{name}$"))
    )


def names_within(item: Locator) -> list[str]:
    """What stands right under a span."""
    return item.locator(":scope > ol > li > details > summary b").all_inner_texts()


@pytest.mark.parametrize("mode", SERVERS, ids=str)
def test_from_the_panel_to_the_trace(page: Page, shop: str) -> None:
    """The panel's trace id leads to the order: its signal, receivers and their statements."""
    trace = open_trace(page, shop)
    expect(trace.get_by_role("heading", level=1)).to_contain_text("POST /checkout/")
    placed = span(trace, "order_placed").first
    expect(placed.locator(".kind").first).to_have_text("Signal")
    receivers = ["log_order", "award_points", "sync_warehouse"]
    assert names_within(placed) == receivers
    award = span(trace, "award_points").first
    assert names_within(award) == ["loyalty_loyaltyaccount"]
    bestsellers = span(trace, "refresh_bestsellers").first
    expect(bestsellers.locator(".times")).to_have_text(re.compile(r"28$"))


def test_from_a_dispatch(page: Page, shop: str) -> None:
    """Each dispatch of the panel leads to the same trace."""
    order = open_order(page, shop)
    dispatch = row(order, "order_placed").first
    expand(dispatch)
    of_request = order.locator(".si-request a.si-mono").get_attribute("href")
    links = order.locator(".si-id a.si-mono[href^='/traces/']:visible")
    assert {link.get_attribute("href") for link in links.all()} == {of_request}
    assert re.fullmatch("/traces/[0-9a-f]{32}/", str(of_request))


@pytest.mark.parametrize("mode", SERVERS, ids=str)
def test_failure(page: Page, shop: str) -> None:
    """The failure is named at the top, and leads to the receiver with its stack trace."""
    trace = open_trace(page, shop)
    failures = trace.get_by_role("region", name="1 failure")
    expect(failures).to_contain_text("DoesNotExist: LoyaltyAccount matching query")
    award = span(trace, "award_points").first
    expect(award.locator(".failure")).to_contain_text("failed: DoesNotExist")
    expect(award.locator("pre")).not_to_be_visible()
    failures.get_by_role("link", name="award_points").click()
    expect(award.locator("pre")).to_be_visible()
    expect(award.locator("pre")).to_contain_text("loyalty/receivers.py")
    expect(span(trace, "order_placed").first.locator("summary").first).to_contain_text(
        "1 receiver failed, and that was swallowed"
    )


def test_with_the_keyboard(page: Page, shop: str) -> None:
    """A span opens with Enter, and shows its attributes."""
    trace = open_trace(page, shop)
    placed = span(trace, "order_placed").first
    summary = placed.locator("summary").first
    summary.focus()
    summary.press("Enter")
    more = placed.locator(".more").first
    expect(more).to_be_visible()
    expect(more).to_contain_text("django.signal.sender")
    expect(more).to_contain_text("shop.services.Checkout")


def test_without_statements(page: Page, shop: str) -> None:
    """Database statements can be put away, and signals and receivers stay."""
    trace = open_trace(page, shop)
    statements = trace.locator(".spans .database:visible")
    assert statements.count() > 10
    trace.get_by_role("checkbox", name="Database statements").uncheck()
    expect(statements).to_have_count(0)
    expect(span(trace, "award_points").first).to_be_visible()


def test_told_apart_without_color(page: Page, shop: str) -> None:
    """Kinds differ in word and sign; what failed is told by word, sign and texture."""
    trace = open_trace(page, shop)
    told = trace.locator(".spans summary .what").evaluate_all(
        """(all) => [...new Set(all.map((what) =>
            what.querySelector("use").getAttribute("href")
            + " " + what.querySelector(".kind").textContent))]"""
    )
    assert sorted(told) == [
        "#icon-database Database",
        "#icon-receiver Receiver",
        "#icon-request Request",
        "#icon-signal Signal",
    ]
    bar = "summary >> rect"
    fill = "(bar) => getComputedStyle(bar).fill"
    assert "hatch" in span(trace, "award_points").first.locator(bar).first.evaluate(fill)
    assert "hatch" not in span(trace, "log_order").first.locator(bar).first.evaluate(fill)


def test_bars_lie_on_the_axis(page: Page, shop: str) -> None:
    """Each bar is as wide as its share of the time, and within the bar of its parent."""
    trace = open_trace(page, shop)
    boxes = {
        name: span(trace, name).first.locator("summary >> rect").first.bounding_box()
        for name in ("/checkout/", "order_placed", "sync_warehouse")
    }
    request, placed, sync = (box for box in boxes.values() if box is not None)
    assert request["width"] > placed["width"] > sync["width"] > 20
    assert request["x"] <= placed["x"] <= sync["x"]
    assert sync["x"] + sync["width"] <= placed["x"] + placed["width"] + 2


def test_list(page: Page, shop: str) -> None:
    """The list has the last requests, can leave out those without signals, and opens each."""
    place_order(page, shop)
    page.get_by_role("link", name="Traces", exact=True).click()
    requests = page.locator(".traces tbody tr")
    expect(requests.first).to_contain_text("GET /orders/")
    expect(requests.nth(1)).to_contain_text("POST /checkout/")
    expect(requests.nth(1).locator(".failure")).to_have_text(re.compile("1"))
    page.get_by_role("link", name="Those that sent signals").click()
    expect(requests.first).to_contain_text("POST /checkout/")
    requests.first.get_by_role("link").click()
    expect(span(page, "order_placed").first).to_be_visible()


def test_guide(page: Page, shop: str) -> None:
    """The step of the guide leads where it says."""
    begin(page, shop, "Order, and see its trace")
    page.get_by_role("button", name="Place order").click()
    page.wait_for_load_state()
    page.goto(f"{shop}/traces/?signals")
    expect(page.locator(".traces tbody tr").first).to_contain_text("POST /checkout/")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800, 400])
def test_looks(new_page: NewPage, shop: str, pictures: Path, theme: str, width: int) -> None:
    """In both themes and at any width: every text legible, nothing sticks out. With pictures."""
    page = new_page(color_scheme=theme, viewport={"width": width, "height": 1000})
    place_order(page, shop)
    page.goto(f"{shop}/traces/?signals")
    page.screenshot(path=pictures / f"traces-{theme}-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".traces tbody a").first.click()
    page.screenshot(path=pictures / f"trace-{theme}-{width}.png")
    page.locator("main details").evaluate_all(
        "(all) => all.forEach((details) => { details.open = true; })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("main").evaluate(LOW_CONTRAST) == []
    page.get_by_text("Traceback (most recent call last)").scroll_into_view_if_needed()
    page.screenshot(path=pictures / f"trace-opened-{theme}-{width}.png")
    for name in ("traces", "trace", "trace-opened"):
        assert (pictures / f"{name}-{theme}-{width}.png").stat().st_size > 20_000
