"""The audit in the shop's admin: found, read, copied; in light and dark, on a telephone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.test_looks import BROKEN_WORDS, LOW_CONTRAST

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.conftest import NewPage

LIST = "/admin/signal_audit/auditeddispatch/"
FAILED = f"{LIST}?signal=shop.signals.order_placed&outcome=failed"
# What sticks out of the page to the side, but for what its own parent scrolls or clips.
STICKS_OUT = """(page) => {
    const edge = page.getBoundingClientRect();
    return [...page.querySelectorAll("*")].filter((node) => {
        const box = node.getBoundingClientRect();
        const inside = node.closest("svg, pre, .si-sr, .si-symbols, thead, datalist");
        return box.width && !inside && (box.right > edge.right + 1 || box.left < edge.left - 1);
    }).map((node) => node.outerHTML.slice(0, 200));
}"""


def log_in(page: Page, shop: str, path: str = LIST) -> Page:
    """Log in as the admin, and go to a page of the audit."""
    page.goto(f"{shop}/admin/login/?next={LIST}")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{LIST}")
    if path != LIST:
        page.goto(shop + path)
    return page


def open_failed(page: Page, shop: str) -> Page:
    """The page of an order whose receiver award_points has failed."""
    log_in(page, shop, FAILED)
    page.locator(".sa-dispatches tbody a").first.click()
    expect(page.get_by_role("heading", name="Receivers, in the order they ran")).to_be_visible()
    return page


def sideways(page: Page) -> int:
    """How far the page can be scrolled to the side."""
    width: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


def test_order_is_found(page: Page, shop: str) -> None:
    """An order is found by what it is called, and its page tells who failed and why."""
    log_in(page, shop)
    page.get_by_label("Search the log").fill("award_points")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#sa-taken")).to_contain_text("is read as a receiver")
    page.locator(".sa-dispatches tr.sa-failed a").first.click()
    failure = page.get_by_role("region", name="Exception in award_points")
    expect(failure.locator("pre")).to_contain_text("loyalty/receivers.py in award_points(")
    around = page.get_by_role("region", name="Related")
    around.get_by_role("link", name=re.compile(r"^shop\.Order:\d+$")).click()
    expect(page.locator(".sa-dispatches tbody tr").first).to_be_visible()
    expect(page.locator(".sa-chips")).to_contain_text("carried: shop.Order:")


def test_rolled_back(page: Page, shop: str) -> None:
    """A payment that was declined is in the log although its transaction rolled back."""
    log_in(page, shop, f"{LIST}?transaction=rolled-back")
    row = page.locator(".sa-dispatches tbody tr").first
    expect(row).to_contain_text("rolled back")


def test_nested_and_back(page: Page, shop: str) -> None:
    """From a dispatch to one that its receiver sent, and back to the parent."""
    called = "inventory.receivers.sync_warehouse"  # it sends on; other tests fail before it
    log_in(page, shop, f"{LIST}?signal=shop.signals.order_placed&receiver={called}")
    page.locator(".sa-dispatches tbody a").first.click()
    here = page.url
    page.locator(".sa-nested a").first.click()
    page.get_by_role("region", name="Related").locator("li", has_text="Parent").get_by_role(
        "link"
    ).click()
    expect(page).to_have_url(here)


def test_filter_by_keyboard(page: Page, shop: str) -> None:
    """The filters open, are chosen and applied without a mouse; each can be taken away."""
    log_in(page, shop)
    page.locator(".sa-filters > summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Outcome").focus()
    page.keyboard.type("something")
    page.get_by_role("button", name="Apply").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("outcome=failed"))
    expect(page.locator(".sa-dispatches tbody tr:not(.sa-failed)")).to_have_count(0)
    page.get_by_role("link", name="Remove outcome: something failed").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".sa-chips")).to_have_count(0)


def test_focus_is_seen(page: Page, shop: str) -> None:
    """What has the focus has an outline."""
    log_in(page, shop)
    page.keyboard.press("Tab")
    page.locator(".sa-dispatches tbody a").first.focus()
    outline = "(link) => getComputedStyle(link).outlineStyle"
    assert page.locator(".sa-dispatches tbody a").first.evaluate(outline) == "solid"


def test_copy(page: Page, shop: str) -> None:
    """Copy as JSON puts the dispatch into the clipboard, and says so."""
    open_failed(page, shop)
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    data = json.loads(page.evaluate("navigator.clipboard.readText()"))["dispatch"]
    assert data["signal"] == "shop.signals.order_placed"
    assert "loyalty.receivers.award_points" in [each["receiver"] for each in data["calls"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(new_page: NewPage, shop: str, theme: str) -> None:
    """Every text has a contrast of 4.5 at least, in both themes."""
    page = log_in(new_page(color_scheme=theme), shop, f"{LIST}?outcome=failed")
    assert page.locator(".sa").evaluate(LOW_CONTRAST) == []
    page.goto(f"{shop}{FAILED}")
    page.locator(".sa-dispatches tbody a").first.click()
    assert page.locator(".sa").evaluate(LOW_CONTRAST) == []


def test_theme_button(page: Page, shop: str) -> None:
    """The admin's own theme button changes the colors of outcomes."""
    log_in(page, shop)
    colors = set()
    for _ in range(3):  # auto, light, dark
        sight = "getComputedStyle(document.querySelector('.si-outcome > .si-i')).color"
        colors.add(page.evaluate(sight))
        page.locator("#user-tools .theme-toggle").click()
    assert len(colors) == 2


@pytest.mark.parametrize("width", [1400, 1000, 400])
def test_widths(new_page: NewPage, shop: str, width: int) -> None:
    """Nothing sticks out to the side at 1400, 1000 and 400 px, in the list and on the page."""
    page = open_failed(new_page(viewport={"width": width, "height": 900}), shop)
    for url in (page.url, f"{shop}{LIST}?outcome=failed", f"{shop}{LIST}?q=nothing"):
        page.goto(url)
        expect(page.locator(".sa")).to_be_visible()
        assert page.locator(".sa").evaluate(STICKS_OUT) == []
        assert sideways(page) <= 0


@pytest.mark.parametrize("width", [1200, 900])
def test_names_in_the_list(new_page: NewPage, shop: str, width: int) -> None:
    """A line breaks between the words of a signal's name, not inside one."""
    page = log_in(new_page(viewport={"width": width, "height": 900}), shop)
    assert page.locator(".sa-dispatches").evaluate(BROKEN_WORDS) == []


def test_telephone(new_page: NewPage, shop: str) -> None:
    """At 400 px rows are cards, whose numbers keep their names."""
    page = log_in(new_page(viewport={"width": 400, "height": 900}), shop)
    row = page.locator(".sa-dispatches tbody tr").first
    assert row.evaluate("(row) => getComputedStyle(row).display") == "grid"
    name = "(cell) => getComputedStyle(cell, '::before').content"
    assert "Took" in row.locator('[data-sa-label="Took"]').evaluate(name)


def test_structure(page: Page, shop: str) -> None:
    """One heading of the first rank, one of the second for each section, and named tables."""
    open_failed(page, shop)
    content = page.locator("#content")
    assert content.locator("h1").count() == 1
    assert content.locator("section").count() == content.locator("section > h2").count()
    expect(page.get_by_role("img", name=re.compile("award_points, raised"))).to_be_visible()
    page.goto(f"{shop}{LIST}")
    expect(page.get_by_role("table", name=re.compile("Dispatches, newest first"))).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pictures(new_page: NewPage, shop: str, pictures: Path, look: str) -> None:
    """Pictures of the list and of the page of a dispatch."""
    size = {"width": 400, "height": 900} if look == "phone" else {"width": 1400, "height": 1000}
    theme = "dark" if look == "dark" else "light"
    page = log_in(new_page(viewport=size, color_scheme=theme), shop)
    page.screenshot(path=pictures / f"audit-list-{look}.png", full_page=True)
    page.goto(f"{shop}{FAILED}")
    page.screenshot(path=pictures / f"audit-filtered-{look}.png", full_page=True)
    page.locator(".sa-dispatches tbody a").first.click()
    expect(page.get_by_role("region", name="Related")).to_be_visible()
    page.screenshot(path=pictures / f"audit-detail-{look}.png", full_page=True)
    names = ("list", "filtered", "detail")
    assert all((pictures / f"audit-{name}-{look}.png").stat().st_size > 20_000 for name in names)
