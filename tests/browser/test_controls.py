"""Tabs, filters and toggles, with the mouse and with the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.visits import open_panel, row, visible_names

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


@pytest.fixture
def count(order: Locator) -> Locator:
    """What the panel says aloud of how much a filter leaves."""
    return order.locator("[role=status][data-si-count]")


def slide(order: Locator, milliseconds: str) -> None:
    """Move the threshold with the keyboard until it says this."""
    slider = order.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    while slider.get_attribute("aria-valuetext") != f"{milliseconds} ms":
        before = slider.input_value()
        slider.press("ArrowRight")
        assert slider.input_value() != before, "the end of the slider"


def test_text_opens_what_holds_a_match(order: Locator, count: Locator) -> None:
    """The text filter opens what holds a match, and closes it again when it is cleared."""
    before = visible_names(order)
    field = order.get_by_role("searchbox")
    field.fill("refresh_best")
    nested = ["sync_warehouse", "warehouse_synced", "refresh_bestsellers"]
    assert visible_names(order) == ["order_placed", *nested]
    expect(count).to_have_text("2 of 9 dispatch rows")
    field.fill("")
    assert visible_names(order) == before
    expect(count).to_have_text("")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("TelephoneCheckout", "award_points_for_patience"),  # a sender
        ("inventory/receivers.py:24", "sync_warehouse"),  # a file
        ("matching query does not exist", "award_points"),  # a message
        ("tomorrow, 8 to 12", "reserve_delivery_slot"),  # a returned value
        ("card_token", "payment_captured"),  # an argument
    ],
)
def test_text_matches(order: Locator, text: str, found: str) -> None:
    """Text matches senders, files, messages, returned values and arguments, in any case."""
    order.get_by_role("searchbox").fill(text.upper())
    names = visible_names(order)
    assert found in names
    assert "log_order" not in names


def test_text_keeps_receivers_of_a_dispatch(order: Locator) -> None:
    """The receivers of a dispatch that matches stay in sight under it."""
    order.get_by_role("searchbox").fill("order_completed")
    assert visible_names(order)[0] == "order_completed"
    assert "book_courier" in visible_names(order)


def test_text_without_match(order: Locator, count: Locator) -> None:
    """Text that nothing matches leaves nothing, and that is said."""
    order.get_by_role("searchbox").fill("nobody is called so")
    assert visible_names(order) == []
    expect(count).to_have_text("0 of 9 dispatch rows")


def test_escape_empties_the_text(order: Locator) -> None:
    """Escape in the filter empties it and leaves the panel open; elsewhere it closes the panel."""
    field = order.get_by_role("searchbox")
    field.fill("courier")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(order).to_be_visible()
    assert "order_placed" in visible_names(order)
    field.press("Escape")
    expect(order).to_be_visible()
    order.get_by_role("tab", name="Timeline").press("Escape")
    expect(order).to_be_hidden()


def test_typing_is_no_shortcut_of_the_page(order: Locator, page: Page) -> None:
    """Keys typed into the filter do not reach shortcuts of the page."""
    page.evaluate("document.addEventListener('keydown', () => { globalThis.siHeard = true; })")
    order.get_by_role("searchbox").press_sequentially("gs")
    assert page.evaluate("globalThis.siHeard") is None


def test_threshold(order: Locator, count: Locator) -> None:
    """The threshold hides what was quick, and never failures or orphans."""
    slide(order, "100")
    names = visible_names(order)
    assert "sync_warehouse" in names
    assert not {"log_order", "stock_reserved", "send_invoice_email"} & set(names)
    assert {"award_points", "stock_low", "payment_captured"} <= set(names)
    expect(count).to_contain_text(" of 9 dispatch rows")
    slide(order, "0")
    expect(count).to_have_text("")


def test_failures_only(order: Locator, count: Locator) -> None:
    """Failures only leaves what failed and the dispatch it failed in."""
    order.get_by_role("checkbox", name="Failures only").check()
    assert visible_names(order) == ["order_placed", "award_points"]
    expect(count).to_have_text("1 of 9 dispatch rows")


def test_filters_hold_in_other_tabs(order: Locator, count: Locator) -> None:
    """The filters apply to By receiver too; the catalog has no times and filters by text."""
    order.get_by_role("checkbox", name="Failures only").check()
    order.get_by_role("tab", name="By receiver").click()
    expect(order.locator(".si-receivers tbody tr:visible")).to_have_count(1)
    expect(count).to_have_text("1 of 9 receivers")
    order.get_by_role("tab", name="Catalog").click()
    expect(order.get_by_role("checkbox", name="Failures only")).to_be_hidden()
    order.get_by_role("searchbox").fill("coupon")
    expect(order.locator(".si-catalog tbody tr:visible")).to_have_count(1)
    expect(count).to_have_text("1 of 13 signals")


def test_closed_by_hand_stays_closed(order: Locator) -> None:
    """What the reader closed is closed after a filter has come and gone."""
    toggle = row(order, "order_placed").first.get_by_role("button").first
    toggle.click()
    assert "log_order" not in visible_names(order)
    field = order.get_by_role("searchbox")
    field.fill("log_order")
    assert visible_names(order) == ["order_placed", "log_order"]
    expect(toggle).to_have_attribute("aria-expanded", "true")
    field.fill("")
    assert "log_order" not in visible_names(order)
    expect(toggle).to_have_attribute("aria-expanded", "false")


def test_show_clears_the_filters(order: Locator) -> None:
    """Show finds its row whatever is filtered, and from any tab."""
    order.get_by_role("searchbox").fill("nobody is called so")
    order.get_by_role("tab", name="Catalog").click()
    order.get_by_role("button", name="Show its row: Slow in a transaction").first.click()
    expect(order.get_by_role("tab", name="Timeline")).to_have_attribute("aria-selected", "true")
    expect(order.get_by_role("searchbox")).to_have_value("")
    expect(row(order, "sync_warehouse").get_by_role("button").first).to_be_focused()


def test_tabs_by_arrow_keys(order: Locator) -> None:
    """One tab is in the order of Tab; arrows, Home and End move among them, and around."""
    tabs = [order.get_by_role("tab", name=n) for n in ("Timeline", "By receiver", "Catalog")]
    tabs[0].focus()
    for key, at in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowRight", 0),
        ("ArrowLeft", 2),
        ("Home", 0),
        ("End", 2),
    ):
        order.page.keyboard.press(key)
        expect(tabs[at]).to_be_focused()
        expect(tabs[at]).to_have_attribute("aria-selected", "true")
        panel = order.page.locator(f"[id='{tabs[at].get_attribute('aria-controls')}']")
        expect(panel).to_be_visible()
        assert [tab.get_attribute("tabindex") or "0" for tab in tabs].count("0") == 1


def test_keyboard_walk(order: Locator, page: Page) -> None:
    """With Tab, Space and Enter alone: from the request to advice, tabs, filters and a row."""
    order.locator(".si-request").focus()
    walk = [
        order.locator(".si-request").get_by_role("link"),  # its trace
        *order.locator(".si-advice > ul button").all(),
        order.locator(".si-advice summary"),
        order.get_by_role("tab", name="Timeline"),
        order.get_by_role("searchbox"),
        order.get_by_role("slider"),
        order.get_by_role("checkbox", name="Failures only"),
        order.get_by_role("button", name="Copy as JSON").first,
        order.get_by_role("link", name="Download JSON"),
        order.get_by_role("button", name="11 dispatches of stock_reserved"),
    ]
    for stop in walk:
        page.keyboard.press("Tab")
        expect(stop).to_be_focused()
        assert stop.evaluate("(node) => getComputedStyle(node).outlineStyle") != "none"
    toggle = walk[-1]
    page.keyboard.press("Enter")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Space")
    expect(toggle).to_have_attribute("aria-expanded", "false")


def test_script_agrees_with_what_was_rendered(order: Locator) -> None:
    """A filter that lets everything pass leaves exactly the rows in sight that came so."""
    hidden = "(body) => [...body.rows].filter((row) => row.hidden).map((row) => row.dataset.siId)"
    body = order.locator("[data-si-rows]")
    before = body.evaluate(hidden)
    assert before
    order.get_by_role("searchbox").fill(" ")
    assert body.evaluate(hidden) == before


def test_set_up_once(page: Page, shop: str) -> None:
    """Closing and opening the panel again does not make its buttons act twice."""
    page.goto(f"{shop}/guide/")
    panel = open_panel(page)
    button = page.locator("#djDebugPanelList a.SignalInspectorPanel")
    button.click()
    expect(panel).to_be_hidden()
    button.click()
    expect(panel).to_be_visible()
    assert (
        page.evaluate(
            """() => (document.getElementById('djDebugRoot').shadowRoot ?? document)
            .querySelectorAll('link[data-si-style]').length"""
        )
        == 3  # palette, dispatch, panel: each once
    )
