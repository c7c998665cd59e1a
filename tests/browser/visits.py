"""What a visitor of the shop does, and where the panel is found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.browser.playing import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

#: As in "11 times".
TIMES = "\N{MULTIPLICATION SIGN}"


def begin(page: Page, shop: str, button: str) -> None:
    """Press a button of the shop's guide."""
    page.goto(f"{shop}/guide/")
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()


def place_order(page: Page, shop: str, button: str = "Go to the checkout as Grace") -> None:
    begin(page, shop, button)
    page.get_by_role("button", name="Place order").click()
    page.wait_for_load_state()


def open_panel(page: Page) -> Locator:
    """Open the panel in the toolbar; what is in it."""
    page.locator("#djShowToolBarButton").click()
    page.locator("#djDebugPanelList a.SignalInspectorPanel").click()
    return shown_panel(page)


def shown_panel(page: Page) -> Locator:
    """The panel, when it is in sight and its style has come."""
    panel = page.locator("#SignalInspectorPanel .si")
    panel.wait_for(state="visible")
    expect(panel.locator(".si-tabs")).to_have_css("display", "flex")
    return panel


def open_other(page: Page, name: str) -> Locator:
    """Follow a request that the panel names; the panel of that request."""
    page.locator("#SignalInspectorPanel").get_by_role("button", name=name).first.click()
    page.locator(".si-request").get_by_text(name).wait_for()
    return shown_panel(page)


def open_order(page: Page, shop: str) -> Locator:
    """The panel of a good order's POST, reached from a page that sent nothing."""
    page.goto(f"{shop}/guide/")
    open_panel(page)
    # Others may have been refused, and have sent less.
    good = page.locator("#SignalInspectorPanel .si-requests li", has_text="sent 16,")
    good = good.get_by_role("button", name="POST /checkout/")
    if not good.count():
        page.reload()
        place_order(page, shop)
        open_panel(page)
    good.first.click()
    page.locator(".si-request").get_by_text("POST /checkout/").wait_for()
    return shown_panel(page)


def row(panel: Locator, name: str) -> Locator:
    """The first row of the timeline that is named so."""
    return panel.locator("[data-si-rows] > tr").filter(
        has=panel.page.locator("td:first-child b", has_text=re.compile(f"^{name}$"))
    )


def expand(row: Locator) -> None:
    """Open a row, unless it is open: advice on a slow receiver may have opened it."""
    toggle = row.locator(".si-opener")
    if toggle.get_attribute("aria-expanded") == "false":
        toggle.click()
    expect(toggle).to_have_attribute("aria-expanded", "true")


def visible_names(panel: Locator) -> list[str]:
    """The names of dispatches and receivers that are in sight, in their order."""
    names: list[str] = panel.locator("[data-si-rows]").evaluate(
        """(body) => [...body.rows]
            .filter((row) => !row.hidden && row.matches(".si-dispatch, .si-call"))
            .map((row) => row.querySelector(".si-dotted > b, .si-mono").textContent)"""
    )
    return names
