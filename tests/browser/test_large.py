"""A request with thousands of dispatches stays quick and readable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.visits import TIMES, begin, open_panel

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# Milliseconds that a keystroke takes, with the layout it causes.
TYPE = """(field) => {
    field.value = "supplier-04";
    const started = performance.now();
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.closest(".si").getBoundingClientRect();
    return performance.now() - started;
}"""


@pytest.fixture
def imported(page: Page, shop: str) -> Locator:
    """The panel of a request with 5,000 dispatches."""
    begin(page, shop, "Import a price list")
    page.get_by_label("Rows").select_option("5000")
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_load_state()
    return open_panel(page)


def test_one_row_for_all(imported: Locator) -> None:
    """5,000 dispatches are one row with a lane of columns; at most 300 rows come at first."""
    expect(imported.locator(".si-figures td").first).to_contain_text("5,000")
    group = imported.locator("[data-si-rows] > tr").first
    expect(group).to_contain_text(f"5,000 {TIMES}")
    assert group.locator(".si-lane .si-span rect").count() <= 120
    assert imported.locator("[data-si-rows] > tr").count() <= 300


def test_failures_of_the_group(imported: Locator) -> None:
    """The group is open at what failed, each with its message and a mark in the lane."""
    expect(imported.get_by_text("All 20 that failed")).to_be_visible()
    expect(imported.locator(".si-member:visible .si-error")).to_have_count(20)
    expect(imported.locator("[data-si-rows] > tr").first.locator(".si-mark")).to_have_count(20)
    imported.get_by_role("checkbox", name="Failures only").check()
    expect(imported.get_by_text("The 3 slowest of the others")).to_be_hidden()


def test_next_hundred(imported: Locator) -> None:
    """The next 100 are fetched, take the focus, and are found by the filter at once."""
    before = imported.locator(".si-member").count()
    imported.get_by_role("button", name="Show the next 100").click()
    expect(imported.locator(".si-member")).to_have_count(before + 100)
    imported.get_by_role("button", name="Show the next 100").click()
    expect(imported.locator(".si-member")).to_have_count(before + 200)
    assert imported.get_by_role("searchbox").evaluate(TYPE) < 300


def test_fetched_dispatch_opens(imported: Locator) -> None:
    """A dispatch whose receivers are not in the page yet fetches them when it is opened."""
    member = imported.locator(".si-member:visible").first
    member.get_by_role("button").click()
    expect(imported.locator(".si-call:visible")).to_have_count(2)
    expect(imported.locator(".si-details:visible")).to_have_count(1)


def test_fetch_that_fails(imported: Locator, page: Page) -> None:
    """When rows cannot be fetched, the panel says so, and the button can be pressed again."""
    answer = {"status": 200, "json": {"error": "The toolbar no longer keeps this request."}}
    page.route("**/signal_inspector/rows/**", lambda route: route.fulfill(**answer))
    button = imported.get_by_role("button", name="Show the next 100")
    button.click()
    expect(imported.get_by_role("status").filter(has_text="no longer keeps")).to_be_visible()
    expect(button).to_be_enabled()
    page.unroute("**/signal_inspector/rows/**")
    before = imported.locator(".si-member").count()
    button.click()
    expect(imported.locator(".si-member")).to_have_count(before + 100)
