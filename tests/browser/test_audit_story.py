"""What the guide's chapter on the audit says, done: from an order to its record, and on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.shops import Mode
from tests.browser.test_audit import LIST, STICKS_OUT, log_in, sideways
from tests.browser.test_looks import LOW_CONTRAST
from tests.browser.visits import begin, expand, open_order, row

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import NewPage

SERVERS = [Mode(), Mode(asgi=True)]


def order(page: Page, shop: str, button: str) -> None:
    """Place an order as the guide's button prepares it."""
    begin(page, shop, button)
    page.get_by_role("button", name="Place order").click()
    page.wait_for_load_state()


def open_list(page: Page) -> None:
    """Go from the shop to the list of dispatches, as the guide says."""
    page.get_by_role("link", name="Audit", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Signal audit")
    page.locator("#content").get_by_role("link", name="All dispatches").click()


def listed(page: Page, signal: str) -> Locator:
    """The newest row of a signal."""
    return page.locator(".sa-dispatches tbody tr", has=page.get_by_text(signal, exact=True)).first


# First, as other tests take the newest order of a shop for one that went well.
@pytest.mark.parametrize("mode", SERVERS, ids=str)
def test_a_declined_payment(page: Page, shop: str) -> None:
    """The order is nowhere in the shop; in the log it is, and the failed payment after it."""
    order(page, shop, "Decline a payment")
    expect(page.get_by_text("The bank has declined this card.")).to_be_visible()
    open_list(page)
    expect(listed(page, "order_placed")).to_contain_text("rolled back")
    failed = listed(page, "payment_failed")
    expect(failed).to_contain_text("none")
    failed.get_by_role("link").first.click()
    payload = page.get_by_role("region", name="Payload")
    expect(payload).to_contain_text("redacted")
    expect(payload).not_to_contain_text("tok_")


@pytest.mark.parametrize("mode", SERVERS, ids=str)
def test_an_order(page: Page, shop: str) -> None:
    """The order that was just placed is in the list, with its receivers on its page."""
    order(page, shop, "Order as the admin")
    number = re.search(r"/orders/(\d+)/", page.url)
    assert number is not None
    open_list(page)
    placed = listed(page, "order_placed")
    for told in ("raised, swallowed", "POST /checkout/", "admin", "committed"):
        expect(placed).to_contain_text(told)
    placed.get_by_role("link").first.click()
    for receiver in ("log_order", "award_points", "sync_warehouse"):
        expect(page.locator(".sa").get_by_role("link", name=receiver).first).to_be_visible()
    key = f"shop.Order:{number[1]}"
    expect(page.locator(".sa").get_by_role("link", name=key).first).to_be_visible()
    page.goto(f"{shop}{LIST}?q={key}")
    for signal in ("stock_reserved", "warehouse_synced", "payment_captured", "order_completed"):
        expect(listed(page, signal)).to_be_visible()


def test_from_the_panel_to_the_trace(page: Page, shop: str) -> None:
    """The id in the panel leads to the dispatch in the log, and that to the shop's trace."""
    log_in(page, shop)
    panel = open_order(page, shop)
    placed = row(panel, "order_placed").first
    expand(placed)
    identity = panel.locator(".si-id:visible a[title$='in the audit log']").first
    with page.expect_popup() as opened:
        identity.click()
    kept = opened.value
    kept.wait_for_load_state()
    if kept.locator("#id_username").count():  # the order was placed as a customer
        kept.locator("#id_username").fill("admin")
        kept.locator("#id_password").fill("admin")
        kept.get_by_role("button", name="Log in").click()
    signal = str(identity.get_attribute("title")).partition(" ")[0]
    expect(kept.locator(".sa")).to_contain_text(signal)
    around = kept.get_by_role("region", name="Related")
    around.get_by_role("link", name="Trace", exact=True).click()
    expect(kept.get_by_role("heading", level=1)).to_contain_text("POST /checkout/")


def test_mended_and_run_again(page: Page, shop: str) -> None:
    """With the account that was missing, the receiver that failed runs again and succeeds."""
    order(page, shop, "Order as the admin")
    begin(page, shop, "Mend what failed")
    page.locator("#id_user").select_option(label="admin")
    page.locator("#id_points").fill("0")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(shop + LIST)
    listed(page, "order_placed").get_by_role("link").first.click()
    page.wait_for_timeout(5_000)  # the least age at which the shop lets a receiver run again
    page.reload()
    again = page.get_by_role("region", name="Run award_points again")
    again.get_by_role("textbox").fill("The account exists by now")
    again.get_by_role("button", name="Review and confirm").click()
    page.locator("#content").get_by_role("button", name=re.compile("^Run")).click()
    expect(page.locator("#content")).to_contain_text("The account exists by now")
    page.goto(f"{shop}/admin/loyalty/loyaltyaccount/")
    row = page.locator("#result_list tr", has=page.get_by_role("link", name="admin"))
    points = int(row.locator(".field-points").inner_text())
    assert points > 0
    row.get_by_role("checkbox").check()  # away with it: other tests want award_points to fail
    page.get_by_label("Action:").select_option("delete_selected")
    page.locator(".actions button[name=index]").click()  # "Go" before Django 6.0
    page.locator("#content input[type=submit]").click()
    expect(page.locator(".success")).to_be_visible()


def test_who_sees_what(page: Page, shop: str) -> None:
    """Hedy sees who did what; what was sent, and the words of exceptions, she does not."""
    begin(page, shop, "See the list as Hedy")
    page.goto(f"{shop}{LIST}?signal=shop.signals.order_placed&outcome=failed")
    page.locator(".sa-dispatches tbody a").first.click()
    expect(page.get_by_role("region", name="Exception in award_points")).to_contain_text(
        "LoyaltyAccount.DoesNotExist"
    )
    for hidden in ("matching query", "Traceback (most", "'web'"):
        expect(page.locator("#content")).not_to_contain_text(hidden)
    expect(page.get_by_role("button", name="Review and confirm")).to_have_count(0)
    page.goto(shop + LIST)
    expect(page.get_by_role("link", name="Export", exact=True)).to_have_count(0)


def test_an_export(page: Page, shop: str, tmp_path: Path) -> None:
    """Joan exports what failed as JSON Lines, and that is noted."""
    begin(page, shop, "See the overview as Joan")
    page.goto(f"{shop}{LIST}?outcome=failed")
    page.get_by_role("link", name="Export", exact=True).click()
    page.get_by_label("Format").select_option("jsonl")
    with page.expect_download() as started:
        page.locator("#content").get_by_role("button", name="Export").click()
    file = tmp_path / "export.jsonl"
    started.value.save_as(file)
    dispatches = [json.loads(line) for line in file.read_text().splitlines()]
    assert dispatches
    assert all(each["context"]["failed_count"] for each in dispatches)
    page.goto(f"{shop}/admin/signal_audit/operation/")
    expect(page.locator("#result_list tbody tr").first).to_contain_text("joan")


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_overview(new_page: NewPage, shop: str, pictures: Path, look: str) -> None:
    """The overview names receivers that fail, is legible, and stays within the page's width."""
    size = {"width": 400, "height": 900} if look == "phone" else {"width": 1400, "height": 1000}
    theme = "dark" if look == "dark" else "light"
    page = log_in(new_page(viewport=size, color_scheme=theme), shop, "/admin/signal_audit/")
    started = page.get_by_role("region", name="Receivers that started failing")
    expect(started.get_by_role("link", name="award_points")).to_be_visible()
    assert page.locator(".sa").evaluate(LOW_CONTRAST) == []
    assert page.locator(".sa").evaluate(STICKS_OUT) == []
    assert sideways(page) <= 0
    page.screenshot(path=pictures / f"audit-overview-{look}.png", full_page=True)
