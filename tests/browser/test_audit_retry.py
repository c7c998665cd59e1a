"""Running a failed receiver again in the shop's admin: asked for, run, told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.browser.playing import expect
from tests.browser.test_audit import FAILED, STICKS_OUT, log_in, open_failed, sideways
from tests.browser.test_looks import LOW_CONTRAST
from tests.browser.visits import place_order

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page


# The page of the result has fewer texts than are looked for elsewhere.
CONTRAST = LOW_CONTRAST.replace("looked > 50", "looked > 15")
ACCOUNTS = "/admin/loyalty/loyaltyaccount/"


def section(page: Page) -> Locator:
    return page.get_by_role("region", name="Run award_points again")


def go_on(page: Page, reason: str) -> None:
    """From the page of the dispatch to the one that asks."""
    section(page).get_by_label("Reason").fill(reason)
    section(page).get_by_role("button", name="Review and confirm").click()
    expect(page.get_by_role("region", name="What will run", exact=True)).to_be_visible()


def run(page: Page) -> None:
    page.get_by_role("button", name="Run award_points now").click()
    expect(page.get_by_role("heading", name=re.compile(r"^Attempt \d"))).to_be_visible()


def fail_now(page: Page, shop: str) -> Page:
    """Place an order in which award_points fails, and open its dispatch when it is old enough."""
    place_order(page, shop)
    open_failed(log_out(page, shop), shop)
    for _ in range(20):
        if section(page).get_by_role("button").count():
            return page
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(section(page).inner_text())


def log_out(page: Page, shop: str) -> Page:
    page.context.clear_cookies()
    return page


def test_again_and_again(page: Page, shop: str) -> None:
    """Without an account it raises again; with one the points are awarded, and that is that."""
    fail_now(page, shop)
    here = page.url
    expect(section(page).locator(".sa-conditions > li.sa-ok")).to_have_count(7)
    reason = "to see <b>whether</b> it does"
    go_on(page, reason)
    expect(page.get_by_label("Reason")).to_have_value(reason)
    will = page.get_by_role("region", name="What will run", exact=True)
    expect(will).to_contain_text("loyalty/receivers.py")
    expect(will).to_contain_text(re.compile(r"shop\.Order:\d+"))
    run(page)
    expect(page.locator(".sa-badge")).to_contain_text("raised")
    expect(page.get_by_role("region", name="Exception")).to_contain_text("DoesNotExist")
    page.get_by_role("link", name="Back to the dispatch").click()
    expect(section(page).locator("tbody tr").first).to_contain_text(reason)

    page.goto(f"{shop}{ACCOUNTS}add/")
    page.locator("#id_user").select_option(label="grace")
    page.get_by_role("button", name="Save", exact=True).click()
    try:
        page.goto(here)
        go_on(page, "the account exists by now")
        run(page)
        expect(page.locator(".sa-badge")).to_have_text("returned")
        page.get_by_role("link", name="as its own dispatch").click()
        expect(page.locator("#content")).to_contain_text(re.compile(r"retry \d+"))
        page.goto(f"{shop}{ACCOUNTS}")
        points = page.locator("tr", has_text="grace").locator(".field-points")
        expect(points).to_have_text(re.compile(r"^[1-9]\d*$"))
    finally:
        page.goto(f"{shop}{ACCOUNTS}")
        page.locator("tr", has_text="grace").get_by_role("link").first.click()
        page.locator(".deletelink").click()
        page.locator("#content form input[type=submit]").click()
    page.goto(here)
    expect(section(page)).to_contain_text("Attempt 2 has succeeded")
    expect(section(page).get_by_role("button")).to_have_count(0)


def test_rolled_back(page: Page, shop: str) -> None:
    """What was undone by a rollback cannot be acted on, and the page says so."""
    log_in(page, shop, f"{FAILED}&transaction=rolled-back")
    page.locator(".sa-dispatches tbody a").first.click()
    unmet = section(page).locator(".sa-conditions > li.sa-bad")  # of a new one its age, too
    expect(unmet.filter(has_text="transaction")).to_contain_text("rolled back")
    expect(section(page).get_by_role("button")).to_have_count(0)


def test_pictures(page: Page, shop: str, pictures: Path) -> None:
    """Readable and within the page in light, in dark and at 400 px; with pictures."""
    fail_now(page, shop)
    for name in ("section", "confirm", "result"):
        if name == "confirm":
            go_on(page, "a picture of it")
        elif name == "result":
            run(page)
        content = page.locator("#content")
        assert content.locator("h1").count() == 1
        assert content.locator("section").count() == content.locator("section > h2").count()
        for look in ("light", "dark", "phone"):
            look_at(page, look)
            assert page.locator(".sa").evaluate(CONTRAST) == []
            assert page.locator(".sa").evaluate(STICKS_OUT) == []
            assert sideways(page) <= 0
            picture = pictures / f"audit-retry-{name}-{look}.png"
            page.screenshot(path=picture, full_page=True)
            assert picture.stat().st_size > 20_000
        look_at(page, "light")


def look_at(page: Page, look: str) -> None:
    size = {"width": 400, "height": 900} if look == "phone" else {"width": 1400, "height": 1000}
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark" if look == "dark" else "light")
    page.wait_for_timeout(400)  # colors of links change gently
