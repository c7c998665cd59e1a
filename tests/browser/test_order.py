"""An order, read in the panel of its request."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.browser.playing import expect
from tests.browser.visits import (
    TIMES,
    expand,
    open_order,
    open_panel,
    place_order,
    row,
    visible_names,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def test_after_redirect(page: Page, shop: str) -> None:
    """The page after the redirect sent nothing, and the panel names the POST that did."""
    place_order(page, shop)
    panel = open_panel(page)
    expect(panel.locator(".si-request")).to_contain_text("GET /orders/")
    nothing = panel.get_by_role("region", name="Nothing was sent")
    expect(nothing).to_contain_text("This request sent no custom signal")
    newest = nothing.get_by_role("listitem").first
    expect(newest).to_contain_text("POST /checkout/")
    expect(newest).to_contain_text("sent 16")


def test_other_request_opens_in_one_click(page: Page, shop: str) -> None:
    """One click on it switches the whole toolbar to that request, and the focus goes there."""
    place_order(page, shop)
    panel = open_panel(page)
    panel.get_by_role("button", name="POST /checkout/").first.click()
    expect(panel.locator(".si-request")).to_contain_text("POST /checkout/ 302")
    expect(panel.locator(".si-request")).to_be_focused()
    expect(page.locator("#djdt-RequestPanel")).to_contain_text("CheckoutView")
    expect(page.locator("#djdt-SignalInspectorPanel")).to_contain_text("16 dispatches, ")


def test_figures(order: Locator) -> None:
    """Eight figures say what happened; a zero is told from what failed by word and glyph."""
    cells = order.locator(".si-figures td")
    expect(cells).to_have_count(8)
    told = {
        cell.get_attribute("data-si-label"): cell.inner_text().split("\n") for cell in cells.all()
    }
    assert told["Dispatches"] == ["16", "14 top-level, 2 nested"]
    assert told["Receiver calls"] == ["20", "18 sync, 2 async"]
    assert told["Failed"] == ["1", "1 swallowed"]
    assert told["Dropped"] == ["0", "limit 5,000"]
    failed = order.locator(".si-figures td[data-si-label=Failed]")
    assert "swallowed" in str(failed.locator("use").get_attribute("href"))


def test_rows(order: Locator) -> None:
    """The timeline shows dispatches and receivers in their order, failures and advice open."""
    # On a busy machine this one is slow enough to be advised on, and so in sight.
    names = [name for name in visible_names(order) if name != "refresh_bestsellers"]
    assert names == [
        "stock_reserved",
        "order_placed",
        "log_order",
        "award_points",
        "sync_warehouse",
        "stock_low",
        "warehouse_synced",
        "award_points_for_patience",
        "subscribe",
        "payment_captured",
        "order_completed",
        "send_invoice_email",
        "send_thank_you_email",
        "send_thank_you_email",
        "book_courier",
        "reserve_delivery_slot",
    ]
    expect(row(order, "stock_reserved")).to_contain_text(f"11 {TIMES}")
    placed = row(order, "order_placed").first
    expect(placed).to_contain_text("from shop.services.Checkout, shop/services.py:")
    expect(placed).to_contain_text("in transaction")
    expect(placed).to_contain_text("1 of 3 raised, swallowed")
    expect(row(order, "sync_warehouse")).to_contain_text("self ")
    expect(row(order, "payment_captured")).to_contain_text("nobody received it")
    expect(row(order, "subscribe")).to_contain_text("its weak reference is dead")


def test_failure_is_read_without_a_click(order: Locator) -> None:
    """Exception class and message stand in the receiver's row, and its traceback a click away."""
    failed = row(order, "award_points").first
    expect(failed.locator(".si-error")).to_contain_text("LoyaltyAccount.DoesNotExist: ")
    toggle = failed.get_by_role("button", name="Details of award_points")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    traceback = order.locator("details[open]", has_text="Traceback")
    expect(traceback.locator("pre")).to_contain_text("receivers.py in award_points")
    expect(traceback.locator("pre")).to_contain_text("LoyaltyAccount.objects.get(")
    toggle.click()
    expect(traceback.locator("pre")).to_be_hidden()


def test_payload_and_stack(order: Locator) -> None:
    """The payload is one line that opens to a table, and the call stack opens beside it."""
    expand(row(order, "payment_captured"))
    summary = order.locator("summary", has_text="card_token=redacted")
    summary.click()
    table = order.locator(".si-payload[open] table")
    expect(table.get_by_role("row", name="card_token redacted")).to_be_visible()
    facts = order.locator(".si-details").filter(has_text="card_token=redacted")
    stack = facts.locator("details", has_text="Call stack")
    stack.locator("summary").click()
    expect(stack.locator("pre")).to_contain_text("services.py in Checkout.take_payment")


def test_queries_of_nested_receiver(order: Locator) -> None:
    """A nested dispatch opens under its receiver; equal statements are counted together."""
    expand(row(order, "warehouse_synced"))
    expand(row(order, "refresh_bestsellers"))
    queries = order.locator("details:visible", has_text="29 queries in")
    queries.locator("summary").click()
    expect(queries.locator("tbody tr").filter(has_text=f"28 {TIMES}")).to_have_count(1)


def test_advice_shows_its_row(order: Locator) -> None:
    """Show opens what the advice speaks of, and the focus goes there."""
    order.locator(".si-advice summary").click()
    order.get_by_role("button", name="Show its row: Repeated query").click()
    found = row(order, "refresh_bestsellers")
    expect(found).to_be_visible()
    expect(found.get_by_role("button").first).to_be_focused()
    expect(found).to_be_in_viewport()


def test_group(order: Locator) -> None:
    """A group opens to its slowest dispatches, each of which opens, and the rest is fetched."""
    expand(row(order, "stock_reserved"))
    expect(order.get_by_text("The 3 slowest")).to_be_visible()
    members = order.locator(".si-member:visible")
    expect(members).to_have_count(3)
    order.get_by_role("button", name="Show the other 8").click()
    expect(members).to_have_count(11)
    heading = order.locator(
        ".si-heading", has_text="The others, in the order in which they were sent"
    )
    expect(heading).to_be_focused()
    members.nth(5).get_by_role("button").click()
    expect(row(order, "take_from_shelf").locator("visible=true")).to_have_count(1)


def test_by_receiver(order: Locator) -> None:
    """By receiver, repetition shows, and a column's button sorts by it."""
    order.get_by_role("tab", name="By receiver").click()
    rows = order.locator(".si-receivers tbody tr")
    # The two that take long: which of them took longer by itself is up to the machine.
    expect(rows.first).to_contain_text(re.compile("sync_warehouse|refresh_bestsellers"))
    expect(rows.filter(has_text="take_from_shelf")).to_contain_text(f"11 {TIMES}")
    order.get_by_role("button", name="Calls", exact=True).click()
    expect(rows.first).to_contain_text("take_from_shelf")
    head = order.get_by_role("columnheader", name="Calls", exact=True)
    expect(head).to_have_attribute("aria-sort", "descending")
    order.get_by_role("button", name="Calls", exact=True).click()
    expect(rows.last).to_contain_text("take_from_shelf")


def test_catalog(order: Locator) -> None:
    """The catalog lists who is connected to what, and marks only what is unusual."""
    order.get_by_role("tab", name="Catalog").click()
    signals = order.locator(".si-catalog tbody tr")
    completed = signals.filter(has_text="shop.signals.order_completed")
    expect(completed.get_by_role("listitem")).to_have_count(5)
    expect(completed).to_contain_text("one receiver connected twice")
    marks = ["connected twice", "uid thank-you", "connected twice", "async", "async"]
    expect(completed.locator(".si-badge")).to_have_text(marks)


def test_copy_request(order: Locator, page: Page) -> None:
    """Copy as JSON puts the whole request on the clipboard, and says so."""
    order.get_by_role("button", name="Copy as JSON").first.click()
    expect(order.get_by_role("status").filter(has_text="Copied as JSON.")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied[0]["context"]["request"]["path"] == "/checkout/"
    assert len(copied) == 16


def test_copy_dispatch(order: Locator, page: Page) -> None:
    """Each dispatch can be copied by itself."""
    facts = order.locator(".si-details:visible").first
    facts.get_by_role("button", name="Copy as JSON").click()
    expect(order.get_by_role("status").filter(has_text="Copied as JSON.")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))["dispatch"]
    assert copied["signal"] == "shop.signals.order_placed"
    assert [call["outcome"] for call in copied["calls"]] == ["returned", "raised", "returned"]


def test_copy_without_clipboard(page: Page, shop: str) -> None:
    """Where the page has no clipboard, the text is copied the old way."""
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    order = open_order(page, shop)
    order.get_by_role("button", name="Copy as JSON").first.click()
    expect(order.get_by_role("status").filter(has_text="Copied as JSON.")).to_be_visible()
    field = order.get_by_role("searchbox")
    field.press("Control+v")
    assert '"path": "/checkout/"' in field.input_value()


def test_download(order: Locator, page: Page) -> None:
    """The same can be downloaded as a file."""
    with page.expect_download() as waiting:
        order.get_by_role("link", name="Download JSON").click()
    told = json.loads(waiting.value.path().read_text())
    assert waiting.value.suggested_filename.endswith(".json")
    assert len(told) == 16


def test_editor_links(order: Locator) -> None:
    """File and line open in the editor that the settings name."""
    link = row(order, "log_order").get_by_role("link")
    href = str(link.get_attribute("href"))
    assert href.startswith("vscode://file/")
    assert "/shop/receivers.py:" in href


def test_declined_payment(page: Page, shop: str) -> None:
    """After a declined payment the dispatches of the order say that they were rolled back."""
    place_order(page, shop, "Checkout with a declined card")
    panel = open_panel(page)
    expect(panel.locator(".si-request")).to_contain_text("POST /checkout/")
    expect(row(panel, "order_placed").first).to_contain_text("rolled back")
    expect(row(panel, "payment_failed").first).not_to_contain_text("rolled back")


def test_stopped_receivers(page: Page, shop: str) -> None:
    """After a raise under send, the receivers that never ran say who stopped them."""
    place_order(page, shop, "Checkout with a used coupon")
    panel = open_panel(page)
    expect(row(panel, "coupon_redeemed").first).to_contain_text("raised to the sender")
    for name in ("count_redemption", "confirm_coupon"):
        expect(row(panel, name)).to_contain_text("skipped")
        expect(row(panel, name)).to_contain_text("stopped by check_velocity")
    expect(panel.locator(".si-advice")).to_contain_text("Stopped others")
