"""The graph's page: one file, opened from the disk, explored by mouse, keyboard and finger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.graph_pages import box, page_of, shop_page
from tests.browser.playing import expect
from tests.browser.test_looks import LOW_CONTRAST
from tests.graph.graphs_made import HOSTILE, cascade, hostile, large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    Open = Callable[..., Page]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the example shop's graph."""
    return shop_page(tmp_path_factory.mktemp("graph") / "graph.html")


@pytest.fixture
def open_page(browser: Browser, address: str, complaints: list[str]) -> Iterator[Open]:
    """Opens a page offline; none may have asked for anything, or complained."""
    contexts: list[BrowserContext] = []

    def make(url: str = address, **options: object) -> Page:
        options.setdefault("viewport", {"width": 1300, "height": 850})
        context = browser.new_context(offline=True, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith("file:") else complaints.append(asked.url),
        )
        page.goto(url)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page()


def scale(page: Page) -> float:
    return float(
        page.locator("#view").evaluate("(view) => view.transform.baseVal.consolidate().matrix.a")
    )


class TestDetails:
    def test_a_click_tells_of_a_box(self, page: Page) -> None:
        """The panel has place, order and what is sent on; neighbors stand out, others fade."""
        box(page, "sync_warehouse").click()
        panel = page.locator("#panel")
        expect(panel.get_by_role("heading", name="sync_warehouse")).to_be_visible()
        expect(panel).to_contain_text("inventory/receivers.py:24")
        expect(panel).to_contain_text("send at inventory/receivers.py:35, sender StockItem")
        expect(panel.locator("li", has_text="order_placed")).to_contain_text("4")
        expect(box(page, "stock_low")).to_have_class("box signal near follows")
        expect(box(page, "log_order")).not_to_have_class("near")
        expect(box(page, "sync_warehouse")).to_have_attribute("aria-pressed", "true")

    def test_links_lead_from_box_to_box(self, page: Page) -> None:
        """The panel's links choose the next box; Escape lets go of it."""
        box(page, "order_completed").click()
        panel = page.locator("#panel")
        expect(panel.locator("ol li")).to_have_count(5)
        expect(panel.locator("ol li").nth(2)).to_contain_text("dispatch_uid thank-you")
        expect(panel.locator("ol li").nth(3)).to_contain_text("async")
        panel.get_by_role("button", name="shipping.receivers.book_courier").click()
        expect(panel.get_by_role("heading", level=2)).to_have_text("book_courier")
        assert page.evaluate("location.hash") == "#shipping.receivers.book_courier"
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(page.locator("#picture.picked")).to_have_count(0)

    def test_an_address_with_a_name_opens_it(self, open_page: Open, address: str) -> None:
        """So a place in the graph can be sent to somebody."""
        page = open_page(f"{address}#shop.signals.order_placed")
        expect(page.locator("#panel h2")).to_have_text("order_placed")

    def test_only_what_is_around(self, page: Page) -> None:
        """The neighborhood alone is laid out anew, with all that follows; and back."""
        box(page, "warehouse_synced").click()
        page.get_by_role("button", name="Only its neighbors").click()
        shown = page.locator("#picture .box:not(.aside) .title")
        expect(shown).to_have_count(5)
        expect(shown.filter(has_text="Checkout.place")).to_be_visible()
        page.get_by_role("button", name="Only its neighbors").click()
        expect(shown).to_have_count(50)

    def test_an_arrow_tells_what_it_stands_for(self, page: Page) -> None:
        """A click on an arrow says it in a sentence."""
        arrow = page.locator("#picture .arrow.sends-on .touch").first
        spot = arrow.evaluate(
            """(path) => {
                const at = path.getPointAtLength(path.getTotalLength() / 2);
                const moved = at.matrixTransform(path.getScreenCTM());
                return [moved.x, moved.y];
            }"""
        )
        page.mouse.click(*spot)
        expect(page.locator("#panel")).to_contain_text(
            "inventory.receivers.sync_warehouse sends inventory.signals."
        )


class TestMoving:
    def test_wheel_drag_and_buttons(self, page: Page) -> None:
        """The wheel zooms about the pointer, dragging moves, buttons do both and reset."""
        before = scale(page)
        page.mouse.move(600, 400)
        page.mouse.wheel(0, -300)
        page.wait_for_function(f"document.querySelector('#view').getCTM().a > {before}")
        place = box(page, "order_placed").bounding_box()
        page.mouse.move(640, 700)
        page.mouse.down()
        page.mouse.move(740, 650, steps=4)
        page.mouse.up()
        moved = box(page, "order_placed").bounding_box()
        assert place
        assert moved
        assert abs(moved["x"] - place["x"] - 100) < 2
        assert abs(moved["y"] - place["y"] + 50) < 2
        expect(page.locator("#panel")).to_be_hidden()
        page.get_by_role("button", name="Show all").first.click()
        assert abs(scale(page) - before) < 0.001
        page.get_by_role("button", name="Zoom in").click()
        assert scale(page) > before

    def test_the_keyboard_alone(self, page: Page) -> None:
        """Into the graph, along an arrow, choose, read, and out again, without a mouse."""
        page.locator("#picture").focus()
        before = scale(page)
        page.keyboard.press("+")
        assert scale(page) > before
        page.keyboard.press("0")
        page.keyboard.press("Enter")
        first = page.evaluate("document.activeElement.getAttribute('aria-label')")
        page.keyboard.press("ArrowRight")
        second = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert first != second
        assert ", signal" in second
        page.keyboard.press("Enter")
        expect(page.locator("#panel h2")).to_have_text(second.split(",")[0].rpartition(".")[2])
        page.keyboard.press("Escape")
        expect(page.locator("#panel")).to_be_hidden()

    def test_fingers(self, open_page: Open) -> None:
        """On a telephone a tap opens the panel below, and nothing is wider than the screen."""
        page = open_page(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
        page.locator("#find").fill("sync_warehouse")
        page.locator("#find").press("Enter")
        expect(page.locator("#panel h2")).to_have_text("sync_warehouse")
        page.get_by_role("button", name="Close").tap()
        box(page, "sync_warehouse").tap()
        expect(page.locator("#panel h2")).to_have_text("sync_warehouse")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Table").tap()
        expect(page.locator("#table tbody tr:visible")).to_have_count(3)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


class TestFinding:
    def test_search(self, page: Page) -> None:
        """Matches are counted; Enter goes from one to the next; Escape empties the field."""
        page.keyboard.press("/")
        page.keyboard.type("send_")
        expect(page.locator("#found")).to_have_text("4 found")
        expect(page.locator("#picture .hit")).to_have_count(4)
        page.keyboard.press("Enter")
        expect(page.locator("#found")).to_have_text("1 of 4")
        first = page.locator("#panel h2").text_content()
        page.keyboard.press("Enter")
        expect(page.locator("#panel h2")).not_to_have_text(first or "")
        page.keyboard.press("Escape")
        expect(page.locator("#find")).to_have_value("")
        expect(page.locator("#picture .hit")).to_have_count(0)

    def test_filters(self, page: Page) -> None:
        """By app, without senders, orphans only; what is left is shown as large as it can be."""
        shown = page.locator("#picture .box:not(.gone)")
        expect(shown).to_have_count(50)
        page.get_by_label("Senders").uncheck()
        expect(shown).to_have_count(40)
        page.get_by_label("App").select_option("pricing")
        expect(shown).to_have_count(3)
        page.get_by_label("Senders").check()
        expect(shown).to_have_count(4)
        page.get_by_label("App").select_option("")
        page.get_by_label("Only orphans").check()
        expect(shown.locator(".title")).to_have_text(["payment_captured", "Checkout.take_payment"])
        page.get_by_label("Only cycles").check()
        expect(page.get_by_text("No box matches the filters.")).to_be_visible()
        page.locator("#reset").click()
        expect(shown).to_have_count(50)

    def test_cycles(self, open_page: Open, tmp_path: Path) -> None:
        """Only what lies on a cycle is left, and the panel tells the way round."""
        page = open_page(page_of(cascade(), tmp_path / "cycle.html"))
        page.get_by_label("Only cycles").check()
        expect(page.locator("#picture .box:not(.gone)")).to_have_count(6)
        expect(page.locator("#picture .arrow:not(.gone)")).to_have_count(6)
        box(page, "on_b").click()
        way = page.locator("#panel ol").last.locator("li")
        expect(way).to_have_count(6)
        expect(page.locator("#panel")).to_contain_text("through shop.help")

    def test_the_table(self, page: Page) -> None:
        """The table holds the same, and the search leaves the rows that match."""
        page.get_by_role("button", name="Table").click()
        rows = page.locator("#table tbody tr:visible")
        expect(rows).to_have_count(13)
        page.locator("#find").fill("loyalty")
        expect(rows).to_have_count(2)
        page.get_by_role("button", name="Graph").click()
        expect(page.locator("#picture")).to_be_visible()


class TestLooks:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_all_text_can_be_read(self, open_page: Open, theme: str, pictures: Path) -> None:
        """Header, tools, panel and table have enough contrast in both themes."""
        page = open_page(color_scheme=theme)
        page.wait_for_timeout(300)
        page.screenshot(path=pictures / f"graph-{theme}.png")
        box(page, "order_completed").click()
        page.wait_for_timeout(300)
        page.screenshot(path=pictures / f"graph-{theme}-chosen.png")
        page.evaluate("document.querySelector('#table').classList.add('shown')")
        page.evaluate("document.querySelector('#graph').remove()")
        assert page.locator("body").evaluate(LOW_CONTRAST) == []

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_text_fits_into_its_box(self, open_page: Open, theme: str) -> None:
        """No title is wider than its box, and none lies under a badge."""
        page = open_page(color_scheme=theme)
        over = page.evaluate(
            """() => [...document.querySelectorAll("#picture .box")].filter((box) => {
                const shape = box.querySelector(".shape").getBBox();
                const badge = box.querySelector(".badge");
                const title = box.querySelector(".title").getBBox();
                const below = box.querySelector(".subtitle")?.getBBox() ?? title;
                const edge = badge ? badge.getBBox().x : shape.width;
                return title.x + title.width > edge || below.x + below.width > shape.width;
            }).map((box) => box.textContent)"""
        )
        assert over == []

    def test_the_theme_can_be_chosen(self, page: Page) -> None:
        """The button goes through the system's, light and dark, for page and picture."""
        paper = "getComputedStyle(document.querySelector('#picture')).backgroundColor"
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        button = page.get_by_role("button", name="Colors")
        button.click()
        button.click()
        expect(button).to_have_accessible_name("Colors: dark")
        assert page.evaluate(paper) == "rgb(18, 18, 18)"

    def test_without_scripts(self, open_page: Open) -> None:
        """The picture and the table are there all the same."""
        page = open_page(java_script_enabled=False)
        expect(page.locator("#table tbody tr").first).to_be_visible()
        expect(box(page, "order_placed")).to_be_visible()
        expect(page.locator("#tools")).to_be_hidden()


class TestHostile:
    def test_names_stay_text(self, open_page: Open, tmp_path: Path) -> None:
        """No name runs, loads or opens anything, also where the script writes it."""
        page = open_page(page_of(hostile(), tmp_path / "hostile.html"))
        for at in range(len(HOSTILE)):
            page.locator("#picture .box.receiver").nth(at).dispatch_event("click")
            expect(page.locator("#panel")).to_be_visible()
            assert page.locator("#panel script, #panel img").count() == 0
        assert page.locator("script").count() == 2

    def test_the_policy_holds(self, open_page: Open, address: str, complaints: list[str]) -> None:
        """A script that came in by a mistake of ours would not run."""
        page = open_page(address)
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "document.title = 'ran'";
                document.body.append(script);
            }"""
        )
        assert page.title() == "Signals of example_project"
        assert any("Content Security Policy" in each for each in complaints)
        complaints.clear()


def test_a_thousand_receivers(open_page: Open, tmp_path: Path) -> None:
    """A large graph opens readable, and choosing shows the neighborhood alone."""
    page = open_page(page_of(large(), tmp_path / "large.html"))
    assert scale(page) > 0.1
    page.locator("#find").fill("order_placed_77")
    page.locator("#find").press("Enter")
    expect(page.locator("#panel h2")).to_have_text("order_placed_77")
    chosen = box(page, "order_placed_77")
    expect(chosen).to_be_visible()
    expect(page.locator("#picture .box")).not_to_have_count(0)
    assert page.locator("#picture .box").count() < 310
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
