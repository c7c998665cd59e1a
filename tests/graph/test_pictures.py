"""The picture and the page: laid out, complete, and safe whatever the names are."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector.graph import LayoutMissingError, as_html, as_svg
from signal_inspector.graph.drawing import Kind, Shape, draw
from signal_inspector.graph.layout import GAP, lay_out, packed
from signal_inspector.graph.model import Graph
from signal_inspector.graph.page import in_script
from tests.graph.graphs_made import (
    HOSTILE,
    cascade,
    graph,
    hostile,
    large,
    receiving,
    sending,
    sending_on,
)

_SVG = "{http://www.w3.org/2000/svg}"
_HTML = "{http://www.w3.org/1999/xhtml}"


def page_of(drawn: Graph, title: str = "shop") -> ET.Element:
    return html5lib.parse(as_html(drawn, title=title))


class TestLayout:
    @pytest.mark.parametrize("drawn", [cascade(), hostile(), large(40, 120)])
    def test_no_box_lies_on_another(self, drawn: Graph) -> None:
        """Every box has a place of its own, inside the picture."""
        placed = lay_out(draw(drawn))
        assert set(placed.places) == {box.key for box in placed.drawing.boxes}
        for place in placed.places.values():
            assert 0 <= place.x <= placed.width - place.width
            assert 0 <= place.y <= placed.height - place.height
        for a, b in combinations(placed.places.values(), 2):
            apart = (
                a.x + a.width <= b.x
                or b.x + b.width <= a.x
                or a.y + a.height <= b.y
                or b.y + b.height <= a.y
            )
            assert apart

    def test_arrows_go_to_the_right_unless_they_close_a_cycle(self) -> None:
        """Senders, signals, receivers and further signals follow from left to right."""
        placed = lay_out(draw(cascade()))
        back = [
            arrow
            for arrow in placed.drawing.arrows
            if placed.places[arrow.source].right[0] >= placed.places[arrow.target].left[0]
        ]
        assert len(back) == 1
        assert back[0].is_cyclic

    def test_receivers_stand_in_the_order_of_calls(self) -> None:
        """Receivers of one signal alone are placed as they are called, from the top."""
        orders = [3, 1, 5, 2, 4]
        placed = lay_out(draw(graph([receiving("s", f"r{it}", it) for it in orders])))
        rows = {
            box.name: placed.places[box.key].y
            for box in placed.drawing.boxes
            if box.shape is Shape.RECEIVER
        }
        assert sorted(rows, key=rows.__getitem__) == ["r1", "r2", "r3", "r4", "r5"]

    def test_a_receiver_that_sends_its_own_signal(self) -> None:
        """The shortest cycle there is can be drawn."""
        drawn = graph([receiving("s", "r")], [sending_on("r", "s")])
        assert drawn.cycles == (("s", "r"),)
        assert as_svg(drawn).count('class="line"') == 2

    def test_it_is_the_same_each_time(self) -> None:
        """The same graph gives the same picture, to the byte."""
        assert as_svg(large(30, 90)) == as_svg(large(30, 90))

    def test_without_igraph_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its absence is told with the name of the extra."""
        monkeypatch.setitem(sys.modules, "igraph", None)
        with pytest.raises(LayoutMissingError, match=r"django-signal-inspector\[graph\]"):
            as_svg(cascade())

    @given(
        sizes=st.lists(st.tuples(st.floats(10, 900), st.floats(10, 700)), min_size=1, max_size=25)
    )
    def test_packed_rectangles_keep_their_distance(self, sizes: list[tuple[float, float]]) -> None:
        """Parts never overlap, and all of them are inside."""
        corners, width, height = packed(sizes)
        placed = [(*corner, *size) for corner, size in zip(corners, sizes, strict=True)]
        for x, y, w, h in placed:
            assert x >= 0
            assert y >= 0
            assert x + w <= width + 1e-6
            assert y + h <= height + 1e-6
        for (ax, ay, aw, ah), (bx, by, bw, bh) in combinations(placed, 2):
            room = max(bx - ax - aw, ax - bx - bw, by - ay - ah, ay - by - bh)
            assert room >= GAP - 1e-6

    def test_a_large_graph_is_complete(self) -> None:
        """Of 300 signals with 1,000 receivers each has its place; how long it takes is measured
        in ``tests/benchmarks/graph.py``."""
        placed = lay_out(draw(large()))
        assert len(placed.places) == 300 + 1000 + 300
        assert len(placed.passes) + len(placed.lanes) == len(placed.drawing.arrows)


class TestSvg:
    @pytest.mark.parametrize("drawn", [hostile(), cascade(), Graph()])
    def test_it_is_well_formed(self, drawn: Graph) -> None:
        """It is one XML document whose text is all the names, cut where they are long."""
        root = ET.fromstring(as_svg(drawn))
        assert root.tag == f"{_SVG}svg"
        boxes = [
            each for each in root.iter(f"{_SVG}g") if each.get("class", "").startswith("box ")
        ]
        assert len(boxes) == len(drawn.signals) + len(drawn.functions)

    def test_nothing_in_it_runs(self) -> None:
        """Hostile names make no element, attribute or address."""
        root = ET.fromstring(as_svg(hostile()))
        tags = {each.tag.removeprefix(_SVG) for each in root.iter()}
        assert tags <= {"svg", "title", "style", "defs", "marker", "path", "rect", "g", "text"}
        names = {name for each in root.iter() for name in each.attrib}
        assert not any(name.startswith("on") or "href" in name for name in names)

    def test_it_follows_the_reader_s_system(self) -> None:
        """Its own style has both themes, and loads nothing."""
        text = as_svg(cascade())
        assert "light-dark(" in text
        addresses = set(re.findall(r"https?://[^\"' )]+", text))
        assert addresses == {"http://www.w3.org/2000/svg"}

    def test_what_is_unusual_is_marked(self) -> None:
        """Cycles, orphans, dead receivers and uncertain arrows have classes and words."""
        text = as_svg(cascade())
        assert text.count('class="box signal cyclic"') == 3
        assert text.count('class="box receiver faint"') == 1
        assert text.count('class="box signal orphan"') == 1
        assert "nobody receives it</text>" in text
        assert ">dead</text>" in text
        assert text.count('class="arrow sends-on cyclic uncertain"') == 2


class TestHtml:
    def test_hostile_names_stay_text(self) -> None:
        """The parsed page has the elements that the template has, and no others."""
        tags = {each.tag for each in page_of(hostile(), HOSTILE[4]).iter()}
        assert tags == {each.tag for each in page_of(cascade()).iter()}
        scripts = list(page_of(hostile(), HOSTILE[4]).iter(f"{_HTML}script"))
        assert len(scripts) == 2
        names = {name for each in page_of(hostile()).iter() for name in each.attrib}
        assert not any(str(name).startswith("on") for name in names)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_json_in_a_script_cannot_end_it(self, text: str) -> None:
        """What is written is pure ASCII without markup, and reads back as the same."""
        written = in_script({"name": text})
        assert not set("<>&") & set(written)
        assert written.isascii()
        assert json.loads(written) == {"name": text}

    def test_the_policy_names_style_and_script(self) -> None:
        """The page's own policy lets its style and its script run, by their hashes, only."""
        root = page_of(hostile())
        [policy] = [
            each.get("content") or ""
            for each in root.iter(f"{_HTML}meta")
            if each.get("http-equiv") == "Content-Security-Policy"
        ]
        script = next(each for each in root.iter(f"{_HTML}script") if not each.get("type"))
        [style] = root.iter(f"{_HTML}style")
        for element in (script, style):
            digest = hashlib.sha256((element.text or "").encode()).digest()
            assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
        assert policy.startswith("default-src 'none'")
        assert not any("style" in each.attrib for each in root.iter())

    def test_it_loads_nothing(self) -> None:
        """No element of it has an address."""
        for each in page_of(hostile()).iter():
            assert not {"src", "srcset", "action", "data"} & set(each.attrib)
            assert str(each.get("href", "#")).startswith("#")

    def test_the_table_says_all_that_the_picture_says(self) -> None:
        """Every end of every arrow stands in the row of its signal."""
        drawn = cascade()
        root = page_of(drawn)
        rows = {
            "".join(row.find(f"{_HTML}th/{_HTML}code").itertext()): "".join(row.itertext())
            for row in root.iter(f"{_HTML}tr")
            if row.find(f"{_HTML}th/{_HTML}code") is not None
        }
        assert set(rows) == {signal.name for signal in drawn.signals}
        for it in drawn.sendings:
            assert it.function in rows[it.signal]
        for each in (*drawn.receivings, *drawn.sendings_on):
            assert each.receiver in rows[each.signal]
        assert "shop.dead" in rows["shop.a"]
        assert "recorded 1,200 ×" in rows["shop.a"]
        assert "through shop.help" in rows["shop.c"]

    def test_the_data_names_every_box(self) -> None:
        """Every box and arrow of the picture is in the data that the script reads."""
        root = page_of(cascade())
        [data] = [each.text for each in root.iter(f"{_HTML}script") if each.get("type")]
        told = json.loads(data or "")
        drawn = {each.get("data-key") for each in root.iter(f"{_SVG}g") if each.get("data-key")}
        assert drawn == {*told["boxes"], *told["arrows"]}
        assert len(told["cycles"][0]) == 6

    def test_an_empty_graph(self) -> None:
        """A project without signals gets a page that says so."""
        assert "No signals." in "".join(page_of(Graph()).itertext())


def test_labels_that_differ_stand_apart() -> None:
    """Two methods of one sender are written at the signals, or they would lie on each other."""
    one = sending("f", "s")
    drawn = graph([], [], [one, *(sending("f", "t") for _ in range(1))])
    same = re.findall(r'class="label" x="([\d.]+)" y="([\d.]+)"', as_svg(drawn))
    assert len(set(same)) == 1
    kinds = [arrow.kind for arrow in draw(drawn).arrows]
    assert all(a is b is Kind.SENDS for a, b in pairwise(kinds))
