"""The panel in every mode of the toolbar, under other policies, and on ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.shops import Mode
from tests.browser.visits import (
    begin,
    open_order,
    open_other,
    open_panel,
    place_order,
    row,
    shown_panel,
    visible_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page, Route

MODES = [
    Mode(render_panels=render, shadow_dom=shadow)
    for render in (False, True)
    for shadow in (True, False)
]
DUPLICATE_IDS = """(panel) => {
    const ids = [...panel.getRootNode().querySelectorAll("[id]")].map((node) => node.id);
    return ids.filter((id, at) => ids.indexOf(id) !== at);
}"""
MISSING_TARGETS = """(panel) => {
    const root = panel.getRootNode();
    const names = [...panel.querySelectorAll("use")].map((use) => use.getAttribute("href"))
        .concat([...panel.querySelectorAll("[fill^=url]")].map(
            (bar) => bar.getAttribute("fill").slice(4, -1)));
    return names.filter((name) => !root.querySelector(`[id="${name.slice(1)}"]`));
}"""


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_toolbar_modes(order: Locator) -> None:
    """With and without shadow DOM, rendered at once or fetched: opens, shows, filters, styles."""
    assert "award_points" in visible_names(order)
    order.get_by_role("searchbox").fill("book_courier")
    assert visible_names(order) == ["order_completed", "book_courier"]
    order.get_by_role("tab", name="By receiver").click()
    expect(order.locator(".si-receivers tbody tr:visible")).to_have_count(1)
    assert order.evaluate(DUPLICATE_IDS) == []
    assert order.evaluate(MISSING_TARGETS) == []


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_inline_nothing(order: Locator) -> None:
    """There is no inline script, style or handler in the panel, in any mode."""
    inline = order.evaluate(
        """(panel) => [...panel.querySelectorAll("*")].filter((node) =>
            ["SCRIPT", "STYLE"].includes(node.nodeName)
            || [...node.attributes].some(({ name }) => name === "style" || name.startsWith("on"))
        ).map((node) => node.outerHTML)"""
    )
    assert inline == []


def policy(page: Page, edit: Callable[[str], str]) -> None:
    """Let pages of the shop come with another Content-Security-Policy."""

    def answer(route: Route) -> None:
        if route.request.resource_type != "document":
            route.fallback()
            return
        response = route.fetch(max_redirects=0)
        name = "content-security-policy"
        headers = {**response.headers, name: edit(response.headers.get(name, ""))}
        route.fulfill(response=response, headers=headers)

    page.route("**/*", answer)


def only_nonce(header: str) -> str:
    return header.replace("style-src 'self' ", "style-src ")


def only_self(header: str) -> str:
    return "default-src 'self'; img-src 'self' data:"


@pytest.mark.parametrize("edit", [only_nonce, only_self])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_policies(
    page: Page, shop: str, edit: Callable[[str], str], complaints: list[str]
) -> None:
    """The style comes in under a policy of nonces alone, and under one of 'self' alone."""
    policy(page, edit)
    order = open_order(page, shop)
    assert "award_points" in visible_names(order)
    # Under nonces alone the shop does without its own style.
    complaints[:] = [words for words in complaints if "/static/shop/" not in words]


@pytest.mark.parametrize("mode", [Mode(), Mode(shadow_dom=False)], ids=str)
def test_style_adopted(page: Page, shop: str, complaints: list[str]) -> None:
    """Where the link to the style does not load, the script adopts its text."""

    def refuse(route: Route) -> None:
        if route.request.resource_type == "stylesheet":
            route.abort()
        else:
            route.fallback()

    page.route("**/panel.css", refuse)
    open_order(page, shop)
    assert complaints
    assert {words for words in complaints if "ERR_FAILED" not in words} == set()
    complaints.clear()


def test_internal_error(page: Page, shop: str) -> None:
    """Where the view could not be made, the sentence that says so is styled like the rest."""
    sentence = (
        '<div class="si" data-si-css="/static/signal_inspector/panel.css">'
        '<p class="si-internal-error" tabindex="-1" data-si-start>It failed.</p></div>'
    )
    answer = {"content": sentence, "scripts": ["/static/signal_inspector/panel.js"]}
    page.route("**/render_panel/**", lambda route: route.fulfill(json=answer))
    page.goto(f"{shop}/guide/")
    page.locator("#djShowToolBarButton").click()
    page.locator("#djDebugPanelList a.SignalInspectorPanel").click()
    expect(page.locator(".si .si-internal-error")).to_have_css("font-weight", "600")


def test_expired_request(page: Page, shop: str) -> None:
    """A request that the toolbar has dropped in the meantime is said to be gone."""
    page.route("**/history_sidebar/**", lambda route: route.fulfill(json={}))
    place_order(page, shop)
    panel = open_panel(page)
    panel.get_by_role("button", name="POST /checkout/").first.click()
    expect(panel.get_by_role("status").filter(has_text="no longer kept")).to_be_visible()
    expect(panel.locator(".si-request")).to_contain_text("GET /orders/")


def test_request_of_a_script(page: Page, shop: str) -> None:
    """What a script of the page asked for is named too, and opens with dispatches of its own."""
    place_order(page, shop)
    begin(page, shop, "Track Grace's last order")
    with page.expect_response("**/track/**") as answer:
        page.get_by_role("link", name="Ask again").click()
    assert answer.value.headers["djdt-request-id"]
    panel = open_panel(page)
    expect(panel.locator(".si-request")).to_contain_text("/track/")
    others = panel.locator("details", has_text="Other recent requests")
    others.locator("summary").click()
    others.get_by_role("button", name="/track/").first.click()
    expect(panel.locator(".si-request")).to_be_focused()
    expect(row(panel, "parcel_tracked").first).to_be_visible()


def test_history(page: Page, shop: str) -> None:
    """Switching in the toolbar's own History brings a panel that works."""
    place_order(page, shop)
    panel = open_panel(page)
    expect(panel.locator(".si-request")).to_contain_text("GET /orders/")
    page.locator("#djDebugPanelList a.HistoryPanel").click()
    posted = page.locator("#djdtHistoryRequests tr", has_text="/checkout/").filter(has_text="POST")
    switched = page.locator("#djdt-SignalInspectorPanel", has_text="16 dispatches, ")
    for _ in range(40):
        if switched.count():
            break
        # Without effect as long as the script of History has not come.
        posted.first.get_by_role("button", name="Switch").click()
        page.wait_for_timeout(250)
    expect(switched).to_be_visible()
    page.locator("#djDebugPanelList a.SignalInspectorPanel").click()
    panel = shown_panel(page)
    panel.get_by_role("searchbox").fill("book_courier")
    assert visible_names(panel) == ["order_completed", "book_courier"]


def test_back_again(page: Page, shop: str) -> None:
    """A request that sent signals names the other recent ones, folded."""
    open_order(page, shop)
    place_order(page, shop)
    open_panel(page)
    panel = open_other(page, "POST /checkout/")
    others = panel.locator("details", has_text="Other recent requests")
    expect(others.get_by_role("button", name="POST /checkout/").first).to_be_hidden()
    others.locator("summary").click()
    expect(others.get_by_role("button", name="POST /checkout/").first).to_be_visible()


def test_new_body_in_place(page: Page, shop: str) -> None:
    """A toolbar that comes with a new body, without a new document, has a panel that works."""
    open_order(page, shop)
    page.evaluate(
        """async () => {
            const text = await (await fetch("/guide/")).text();
            const parsed = Document.parseHTMLUnsafe(text);
            document.body.replaceWith(document.adoptNode(parsed.body));
            globalThis.djdt.init();
        }"""
    )
    page.locator("#djHideToolBarButton").click()
    open_panel(page)
    panel = open_other(page, "POST /checkout/")
    panel.get_by_role("searchbox").fill("book_courier")
    assert visible_names(panel) == ["order_completed", "book_courier"]


@pytest.mark.parametrize("mode", [Mode(asgi=True)], ids=str)
def test_asgi(page: Page, shop: str) -> None:
    """On ASGI an order reads the same, and an async view shows asend and its receivers."""
    order = open_order(page, shop)
    assert "award_points" in visible_names(order)
    begin(page, shop, "Track Grace's last order")
    panel = open_panel(page)
    tracked = row(panel, "parcel_tracked").first
    expect(tracked).to_contain_text("asend")
    toggle = tracked.get_by_role("button")
    if toggle.get_attribute("aria-expanded") == "false":
        toggle.click()
    expect(row(panel, "count_tracking")).to_contain_text("in a thread")
    expect(row(panel, "ask_courier")).to_contain_text("async")
    left = "(bar) => bar.getBoundingClientRect().left"
    starts = [
        row(panel, name).locator(".si-lane rect").first.evaluate(left)
        for name in ("ask_courier", "forecast_arrival")
    ]
    assert abs(starts[0] - starts[1]) < 40  # they overlap


def test_toolbar_hidden_at_first(page: Page, shop: str) -> None:
    """Nothing of the panel is loaded before it is opened, where panels are fetched."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{shop}/guide/")
    assert not [url for url in asked if "signal_inspector" in url]
