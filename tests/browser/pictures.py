"""Take the pictures that the documents show: ``python -m tests.browser.pictures docs/images``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.graph_pages import box, shop_page
from tests.browser.shops import Mode, Shops
from tests.browser.visits import expand, open_other, open_panel, place_order, row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator


def main(directory: Path) -> None:
    """The panel of an order, as it opens in light and with details open in dark; its audit; the graph."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        shops = Shops(Path(data))
        try:
            shop = shops.url(Mode())
            _order(browser, shop, "light")  # the first one warms the shop up
            _take(_order(browser, shop, "light"), directory / "panel-light.png")
            panel = _order(browser, shop, "dark")
            _open_details(panel)
            _take(panel, directory / "panel-dark.png")
            for theme in ("light", "dark"):
                _audit(browser, shop, theme, directory / f"audit-detail-{theme}.png")
            graph = shop_page(Path(data) / "graph.html")
            for theme in ("light", "dark"):
                _graph(browser, graph, theme, directory / f"graph-{theme}.png")
        finally:
            shops.stop()
            browser.close()


def _order(browser: Browser, shop: str, theme: str) -> Locator:
    page = browser.new_page(viewport={"width": 1340, "height": 1210}, color_scheme=theme)  # type: ignore[arg-type]
    page.add_init_script("localStorage.setItem('djdt.show', 'false')")
    place_order(page, shop)
    open_panel(page)
    return open_other(page, "POST /checkout/")


def _open_details(panel: Locator) -> None:
    panel.locator(".si-advice summary").click()
    expand(row(panel, "award_points"))
    payload = panel.locator(".si-payload > summary:visible").first
    payload.click()


def _take(panel: Locator, path: Path) -> None:
    panel.page.locator("#SignalInspectorPanel .djdt-scroll").evaluate(
        "(node) => node.scrollTo(0, 0)"
    )
    panel.page.evaluate("document.activeElement?.blur()")
    panel.page.mouse.move(5, 5)
    panel.page.wait_for_timeout(500)
    panel.page.screenshot(path=path)


def _audit(browser: Browser, shop: str, theme: str, path: Path) -> None:
    """The page of an order_placed, without what is not of the audit."""
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    page.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    place_order(page, shop, "Order as the admin")
    page.wait_for_timeout(6_000)  # until the shop lets a receiver run again
    page.goto(f"{shop}/admin/signal_audit/auditeddispatch/?signal=shop.signals.order_placed")
    page.locator(".sa-dispatches tbody a").first.click()
    # The paths in it are those of the machine that takes the picture.
    page.get_by_text("Traceback", exact=True).click()
    page.locator("#djDebug").evaluate("(toolbar) => toolbar.remove()")
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    page.screenshot(path=path, full_page=True)
    page.close()


def _graph(browser: Browser, address: str, theme: str, path: Path) -> None:
    """The shop's graph, with a receiver chosen that sends on."""
    page = browser.new_page(viewport={"width": 1440, "height": 820}, color_scheme=theme)  # type: ignore[arg-type]
    page.goto(address)
    box(page, "sync_warehouse").click()
    page.mouse.move(5, 5)
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
