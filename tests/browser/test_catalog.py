"""What is connected: the page in the admin, and the tab of the panel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.test_audit import STICKS_OUT, log_in, sideways
from tests.browser.test_looks import LOW_CONTRAST
from tests.browser.visits import begin, place_order

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import NewPage

PAGE = "/admin/signal_audit/auditeddispatch/catalog/"


def row(page: Page, name: str) -> Locator:
    """The first row of the page whose name ends so."""
    return page.locator(".sa-catalog tbody tr", has=page.locator("b", has_text=name)).first


def test_from_the_overview_to_the_dispatches(page: Page, shop: str) -> None:
    """Joan goes from the overview to the catalog, and on to the failures of a receiver."""
    place_order(page, shop)
    begin(page, shop, "See the overview as Joan")
    page.get_by_role("link", name="Signals and receivers").click()
    expect(page.get_by_role("heading", name="Signals and receivers")).to_be_visible()
    award = row(page, "award_points")
    expect(award).to_have_class(re.compile("sa-failed"))
    award.locator('[data-sa-label="Failed"] a').click()
    expect(page.locator(".sa-chips")).to_contain_text("loyalty.receivers.award_points")
    failed = page.locator(".sa-dispatches tbody tr")
    expect(failed.first).to_contain_text("order_placed")
    expect(failed.first).to_contain_text("raised, swallowed")
    # Others may have run it again, by a send that raises.
    expect(page.locator(".sa-dispatches tbody tr:not(.sa-failed)")).to_have_count(0)


def test_marks(page: Page, shop: str) -> None:
    """What is unusual is marked, in the order of execution; what is dead has no number."""
    log_in(page, shop, PAGE)
    twice = page.locator(".sa-catalog tr", has_text="send_thank_you_email")
    expect(twice).to_have_count(2)
    expect(twice.nth(1).locator(".sa-tag")).to_have_text(["uid thank-you", "connected twice"])
    dead = row(page, "subscribe")
    expect(dead.locator(".sa-tag")).to_have_text(["dead reference"])
    expect(dead.locator(".sa-step > span")).to_be_empty()
    expect(row(page, "payment_captured").locator(".sa-tag")).to_have_text(["no receiver"])


def test_time_and_search(page: Page, shop: str) -> None:
    """A text narrows the page, and another time keeps the text."""
    log_in(page, shop, PAGE)
    box = page.get_by_role("searchbox", name="Signals and receivers whose name contains")
    box.fill("coupon")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".sa-signal")).to_have_count(1)
    page.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    expect(page.locator(".sa-signal")).to_have_count(1)
    expect(box).to_have_value("coupon")
    box.fill("no such thing")
    box.press("Enter")
    expect(page.locator(".sa-nothing")).to_contain_text("No signal and no receiver")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(new_page: NewPage, shop: str, theme: str) -> None:
    """Every text has a contrast of 4.5 at least, in both themes."""
    page = log_in(new_page(color_scheme=theme), shop, f"{PAGE}?when=30d")
    assert page.locator(".sa").evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [1400, 1000, 400])
def test_widths(new_page: NewPage, shop: str, width: int) -> None:
    """Nothing sticks out to the side; where it is narrow numbers keep their names."""
    page = log_in(new_page(viewport={"width": width, "height": 900}), shop, f"{PAGE}?when=30d")
    assert page.locator(".sa").evaluate(STICKS_OUT) == []
    assert sideways(page) <= 0
    name = "(cell) => getComputedStyle(cell, '::before').content"
    label = row(page, "award_points").locator('[data-sa-label="Calls"]').evaluate(name)
    assert ("Calls" in label) is (width < 1400)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pictures(new_page: NewPage, shop: str, pictures: Path, look: str) -> None:
    """Pictures of the page."""
    size = {"width": 400, "height": 900} if look == "phone" else {"width": 1400, "height": 1000}
    theme = "dark" if look == "dark" else "light"
    page = log_in(new_page(viewport=size, color_scheme=theme), shop, f"{PAGE}?when=30d")
    picture = pictures / f"audit-catalog-{look}.png"
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 20_000


class TestPanel:
    @pytest.fixture
    def tab(self, order: Locator) -> Locator:
        """The panel of an order, with the catalog chosen."""
        order.get_by_role("tab", name="Catalog").click()
        return order

    def test_calls(self, tab: Locator) -> None:
        """Each receiver says how often this request called it."""
        signals = tab.locator(".si-catalog tbody tr")
        reserved = signals.filter(has_text="stock_reserved")
        expect(reserved.locator(".si-ran")).to_have_text(["11 calls"])
        placed = signals.filter(has_text="shop.signals.order_placed")
        expect(placed.locator(".si-ran")).to_have_text(["1 call"] * 3)
        expect(placed).to_contain_text("connected at notifications/apps.py")

    def test_not_inspected(self, tab: Locator) -> None:
        """Django's own signals come when they are asked for, and the filter finds them then."""
        shown = tab.locator(".si-catalog tbody tr:visible")
        expect(shown).to_have_count(13)
        tab.get_by_role("searchbox").fill("django.core.signals")
        expect(shown).to_have_count(0)
        tab.get_by_role("checkbox", name=re.compile("more signals")).check()
        assert shown.count() >= 2
        expect(tab.locator("[data-si-count]")).to_have_text(
            re.compile(rf"^{shown.count()} of \d\d signals$")
        )
        tab.get_by_role("searchbox").fill("")
        assert shown.count() > 15
        tab.get_by_role("checkbox", name=re.compile("more signals")).uncheck()
        expect(shown).to_have_count(13)
