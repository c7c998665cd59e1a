"""Light and dark, narrow windows, forced colors: legible everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.playing import expect
from tests.browser.visits import open_order, open_panel, place_order, row, shown_panel

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browser.conftest import NewPage

# Texts whose contrast with what is behind them is less than 4.5, with that contrast.
LOW_CONTRAST = """(panel) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, below) =>
        [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
    const behind = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement ?? at.getRootNode().host) {
            layers.push(rgba(getComputedStyle(at).backgroundColor));
            if (layers.at(-1)[3] === 1) break;
        }
        return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
    };
    const light = ([r, g, b]) => [r, g, b]
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const low = [];
    let looked = 0;
    const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
        looked += 1;
        const style = getComputedStyle(node);
        const ground = behind(node);
        const color = node instanceof SVGElement ? style.fill : style.color;
        const lights = [light(over(rgba(color), ground)), light(ground)].sort((a, b) => b - a);
        const contrast = (lights[0] + 0.05) / (lights[1] + 0.05);
        if (contrast < 4.5) low.push(`${contrast.toFixed(2)} ${walker.currentNode.data.trim()}`);
    }
    return looked > 50 ? low : [`looked at ${looked} texts`];
}"""
OPEN_ALL = """(panel) => {
    for (const toggle of panel.querySelectorAll(".si-opener[aria-expanded=false]")) toggle.click();
    for (const details of panel.querySelectorAll("details")) details.open = true;
}"""
# What sticks out of the panel to the side, but for what its own parent scrolls or clips.
STICKS_OUT = """(panel) => {
    const edge = panel.getBoundingClientRect();
    return [...panel.querySelectorAll("*")].filter((node) => {
        const box = node.getBoundingClientRect();
        const inside = node.closest("pre, .si-payload > summary, svg, .si-sr, .si-symbols");
        return box.width && !inside && (box.right > edge.right + 1 || box.left < edge.left - 1);
    }).map((node) => node.outerHTML.slice(0, 200));
}"""

# Words of names that a line breaks inside.
BROKEN_WORDS = """(page) => {
    const broken = [];
    for (const name of page.querySelectorAll(".si-dotted")) {
        const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const range = document.createRange();
            range.selectNodeContents(walker.currentNode);
            const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
            if (tops.size > 1) broken.push(walker.currentNode.data);
        }
    }
    return broken;
}"""


def open_everything(panel: Locator) -> None:
    panel.evaluate(OPEN_ALL)
    expect(panel.locator(".si-opener[aria-expanded=false]:visible")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(new_page: NewPage, shop: str, theme: str) -> None:
    """Every text has a contrast of 4.5 at least, in both themes, in every tab, opened too."""
    order = open_order(new_page(color_scheme=theme), shop)
    open_everything(order)
    assert order.evaluate(LOW_CONTRAST) == []
    for tab in ("By receiver", "Catalog"):
        order.get_by_role("tab", name=tab).click()
        assert order.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_advice_in_the_color_of_warnings(new_page: NewPage, shop: str, theme: str) -> None:
    """The title of advice on what to mend has the palette's color of warnings."""
    order = open_order(new_page(color_scheme=theme), shop)
    title = order.locator(".si-advice > ul .si-kind").first
    color = title.evaluate("(title) => getComputedStyle(title).color")
    assert color == order.evaluate(
        """(panel) => {
            const probe = panel.appendChild(document.createElement("span"));
            probe.style.color = "var(--si-warn)";
            const color = getComputedStyle(probe).color;
            probe.remove();
            return color;
        }"""
    )
    assert color != order.evaluate("(panel) => getComputedStyle(panel).color")


def test_theme_button(order: Locator) -> None:
    """The toolbar's own theme button changes the panel."""
    sight = "(panel) => getComputedStyle(panel.querySelector('.si-request a')).color"
    before = order.evaluate(sight)
    order.page.locator("#djToggleThemeButton").click()
    if order.evaluate(sight) == before:  # "auto" may be the theme that was chosen
        order.page.locator("#djToggleThemeButton").click()
    assert order.evaluate(sight) != before


@pytest.mark.parametrize("width", [1400, 1000, 400])
def test_widths(new_page: NewPage, shop: str, width: int) -> None:
    """Nothing sticks out to the side and words are whole, whatever is open."""
    order = open_order(new_page(viewport={"width": width, "height": 900}), shop)
    open_everything(order)
    for tab in ("Timeline", "By receiver", "Catalog"):
        order.get_by_role("tab", name=tab).click()
        assert order.evaluate(STICKS_OUT) == []
        assert order.evaluate(BROKEN_WORDS) == []
    scroller = order.page.locator("#SignalInspectorPanel .djdt-scroll")
    assert scroller.evaluate("(node) => node.scrollWidth - node.clientWidth") <= 1


def test_telephone(new_page: NewPage, shop: str) -> None:
    """At 400 px the panel takes the whole width, filters, and closes to the toolbar again."""
    order = open_order(new_page(viewport={"width": 400, "height": 900}), shop)
    box = order.page.locator("#SignalInspectorPanel").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 400)
    order.get_by_role("searchbox").fill("book_courier")
    expect(row(order, "book_courier")).to_be_visible()
    order.page.locator("#SignalInspectorPanel .djDebugClose").click()
    expect(order.page.locator("#djHideToolBarButton")).to_be_visible()


def test_forced_colors(new_page: NewPage, shop: str) -> None:
    """With forced colors bars and glyphs take the system's, and the tab chosen is still told."""
    order = open_order(new_page(forced_colors="active"), shop)
    fill = "(bar) => getComputedStyle(bar).fill"
    stroke = "(bar) => getComputedStyle(bar).stroke"
    bar = order.locator(".si-lane:visible .si-bar-ok").first
    assert bar.evaluate(fill) != bar.evaluate(stroke)
    chosen, other = (order.get_by_role("tab", name=n) for n in ("Timeline", "By receiver"))
    ground = "(tab) => getComputedStyle(tab).backgroundColor"
    assert chosen.evaluate(ground) != other.evaluate(ground)


def test_reduced_motion(new_page: NewPage, shop: str) -> None:
    """Who asks for less motion gets no fading."""
    order = open_order(new_page(reduced_motion="reduce"), shop)
    fading = "(cell) => getComputedStyle(cell).transitionDuration"
    seconds = row(order, "order_placed").first.locator("td").first.evaluate(fading)
    assert float(seconds.removesuffix("s")) < 0.001


def test_outcomes_without_color(order: Locator) -> None:
    """Failed and returned differ in glyph, word and texture, not in color alone."""
    failed, fine = row(order, "award_points").first, row(order, "log_order")
    glyph = ".si-outcome use"
    assert failed.locator(glyph).get_attribute("href") != fine.locator(glyph).get_attribute("href")
    expect(failed.locator(".si-outcome")).to_contain_text("raised, swallowed")
    expect(fine.locator(".si-outcome")).to_contain_text("returned")
    assert "hatch" in str(failed.locator(".si-bar-swallowed").get_attribute("fill"))
    assert fine.locator(".si-bar-ok").get_attribute("fill") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(new_page: NewPage, shop: str, pictures: Path, theme: str) -> None:
    """Pictures of the panel in both themes: the order, opened, by receiver, nothing sent."""
    page = new_page(color_scheme=theme, viewport={"width": 1400, "height": 1200})
    place_order(page, shop)
    open_panel(page)
    page.screenshot(path=pictures / f"nothing-sent-{theme}.png")
    page.locator("#SignalInspectorPanel").get_by_role("button", name="POST").first.click()
    page.locator(".si-timeline").wait_for()
    panel = shown_panel(page)
    page.screenshot(path=pictures / f"order-{theme}.png")
    panel.get_by_role("tab", name="By receiver").click()
    page.screenshot(path=pictures / f"by-receiver-{theme}.png")
    panel.get_by_role("tab", name="Timeline").click()
    open_everything(panel)
    page.screenshot(path=pictures / f"opened-{theme}.png")
    names = ("nothing-sent", "order", "by-receiver", "opened")
    assert all((pictures / f"{name}-{theme}.png").stat().st_size > 20_000 for name in names)
