"""A browser, the shop to open in it, and pages that fail the test when something is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.shops import Mode, Shops

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page

    NewPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Scoped to this package: as long as playwright runs, no other event loop can.
@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    shops = Shops(tmp_path_factory.mktemp("shops"))
    yield shops
    shops.stop()


@pytest.fixture
def mode() -> Mode:
    """How the shop runs; tests of other modes parametrize this."""
    return Mode()


@pytest.fixture
def shop(shops: Shops, mode: Mode) -> str:
    """The address of the shop."""
    return shops.url(mode)


@pytest.fixture
def complaints() -> list[str]:
    """What pages complained of. It must be empty at the end: take out what was to be."""
    return []


@pytest.fixture
def new_page(browser: Browser, shop: str, complaints: list[str]) -> Iterator[NewPage]:
    """Makes pages; at the end none of them may have complained."""
    contexts: list[BrowserContext] = []

    def hear(said: ConsoleMessage) -> None:
        # A violation of the policy is an error in the console.
        if said.type in ("error", "warning"):
            complaints.append(said.text)

    def make(**options: object) -> Page:
        options.setdefault("viewport", {"width": 1400, "height": 1000})
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shop)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        # Closed, it does not lie over the buttons of the shop.
        page.add_init_script("localStorage.setItem('djdt.show', 'false')")
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", hear)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


@pytest.fixture
def order(page: Page, shop: str) -> Locator:
    """The panel of an order's POST."""
    from tests.browser.visits import open_order

    return open_order(page, shop)


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: SCREENSHOTS, or a directory that pytest keeps for a while."""
    wanted = os.environ.get("SCREENSHOTS")
    directory = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    return directory
