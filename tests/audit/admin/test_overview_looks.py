"""The overview in a real browser: themes, a phone, the keyboard. Pictures go to a directory that
``SIGNAL_INSPECTOR_PICTURES`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from signal_inspector.audit.models import GapReason
from tests.audit.stats import story

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.audit.admin.urls"),
]

# Contrast of every text on what is behind it, by WCAG 2; SVG texts by their fill.
CONTRAST = """() => {
    const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const light = c => c.slice(0, 3).map(v => v / 255).map(
        v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    ).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const c = rgb(getComputedStyle(at).backgroundColor);
            if (c.length === 3 || c[3] > 0.99) return c;
        }
        return [255, 255, 255];
    };
    const weak = [];
    const walker = document.createTreeWalker(
        document.querySelector("#content-main"), NodeFilter.SHOW_TEXT
    );
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || element.closest("title")) continue;
        if (!element.getClientRects().length) continue;
        const style = getComputedStyle(element);
        const ink = rgb(element.closest("svg") ? style.fill : style.color);
        const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim()}`);
    }
    return weak;
}"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    # Playwright leaves an event loop running in this thread; the server has threads of its own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def session(transactional_db: None) -> str:
    """Somebody who may see the log, of a shop with a story."""
    story.tell(story.NOW)
    story.gap(story.NOW - 12 * story.HOUR, 267, 1_204)
    dead = GapReason.DEAD_WRITER
    story.gap(story.NOW - 7 * story.HOUR, 2, 412, is_upper_bound=True, reason=dead)
    client = Client()
    client.force_login(User.objects.create_superuser("mira"))
    return client.cookies["sessionid"].value


def open_page(browser: Browser, live_server: Any, session: str, **options: Any) -> Page:
    context = browser.new_context(reduced_motion="reduce", **options)
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.clock.set_fixed_time(story.NOW * 1_000)
    page.goto(f"{live_server.url}/admin/signal_audit/")
    return page


def keep(page: Page, name: str) -> None:
    directory = os.environ.get("SIGNAL_INSPECTOR_PICTURES")
    if directory:
        page.screenshot(path=Path(directory) / f"audit-overview-{name}.png", full_page=True)


@pytest.fixture(autouse=True)
def _at_the_end_of_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    from signal_inspector.audit.admin import overview
    from signal_inspector.audit.stats.overview import KINDS, Span

    def read(params: Any, now: Any = None) -> Span:
        key = params.get("when", "24h")
        return Span(key if key in KINDS else "24h", story.NOW)

    monkeypatch.setattr(overview, "read_span", read)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_looks(browser: Browser, live_server: Any, session: str, scheme: str, width: int) -> None:
    """Nothing scrolls sideways, and every text is 4.5:1, in both themes and on a phone."""
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    page = open_page(browser, live_server, session, **options)
    keep(page, f"{scheme}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    page.context.close()


def test_switched_theme(browser: Browser, live_server: Any, session: str) -> None:
    """The admin's own switch changes the plots, too, against the system's theme."""
    page = open_page(browser, live_server, session, color_scheme="light")
    bar = "getComputedStyle(document.querySelector('.sa-bars rect')).fill"
    before = page.evaluate(bar)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert page.evaluate(bar) != before
    page.wait_for_timeout(300)  # the admin's links change their color slowly
    assert page.evaluate(CONTRAST) == []
    page.context.close()


def test_keyboard(browser: Browser, live_server: Any, session: str) -> None:
    """A table beside a plot opens by keys, and the notice of gaps leads to them."""
    page = open_page(browser, live_server, session)
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open] tbody tr").count() == 24
    page.get_by_role("link", name="See what is missing").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#gaps"
    assert page.evaluate("document.querySelector('#gaps').getBoundingClientRect().top") < 900
    page.context.close()


def test_plots_fit(browser: Browser, live_server: Any, session: str) -> None:
    """Bars end in their plot, and a name for when it began does not leave the page."""
    for width in (1400, 400):
        page = open_page(browser, live_server, session, viewport={"width": width, "height": 900})
        places = page.evaluate(
            "[...document.querySelectorAll("
            "'.sa-mark-text, .sa-bars rect, .sa-plot > .si-scale text')]"
            ".map(e => e.getBoundingClientRect()).filter(r => r.width)"
            ".map(r => [r.left, r.right])"
        )
        assert len(places) > 24
        assert min(left for left, _ in places) >= 0
        assert max(right for _, right in places) <= width
        page.context.close()
