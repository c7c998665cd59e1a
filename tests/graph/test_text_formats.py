"""Mermaid, DOT and JSON."""

from __future__ import annotations

import json
import re

import pytest

from signal_inspector.display.text import split_qualified
from signal_inspector.graph import as_dot, as_json, as_mermaid
from signal_inspector.graph.drawing import shortened
from signal_inspector.graph.formats import escaped, quoted
from signal_inspector.graph.model import Graph, Known
from tests.graph.graphs_made import HOSTILE, cascade, graph, hostile, receiving, sending_on

_NODE = re.compile(r'n\d+(\["[^"]*"\]|\(\["[^"]*"\]\)|\("[^"]*"\))')
_LINK = re.compile(r'n\d+ (-->|-\.->|==>)(\|"[^"]*"\|)? n\d+')
_OTHER = re.compile(r"classDef \w+ [\w:#,. -]+|class [n\d,]+ \w+|linkStyle [\d,]+ [\w:#,-]+")


class TestMermaid:
    @pytest.mark.parametrize("drawn", [hostile(), cascade(), Graph()])
    def test_each_line_is_one_statement(self, drawn: Graph) -> None:
        """Whatever names hold, each line is a node, a link or a style of the known form."""
        first, *lines = as_mermaid(drawn).splitlines()
        assert first == "flowchart LR"
        for line in lines:
            text = line.strip()
            assert any(each.fullmatch(text) for each in (_NODE, _LINK, _OTHER)), line

    @pytest.mark.parametrize("text", HOSTILE)
    def test_a_label_holds_nothing_to_obey(self, text: str) -> None:
        """Quotes, brackets and markup become codes; letters of all languages stay."""
        assert not set('"<>&`\\[]{}()|\n\r\t\x00\x1b%$') & set(escaped(text))
        assert escaped("汉字 order_placed") == "汉字 order_placed"

    def test_how_arrows_differ(self) -> None:
        """A number or method stands on each; what is uncertain or not called is dashed."""
        text = as_mermaid(cascade())
        links = _LINK.findall(text)
        assert len(links) == 9
        assert '-->|"1"|' in text
        assert '==>|"send"|' in text
        assert '-.->|"recorded 1#44;200 ×"|' in text or '-.->|"recorded 1,200 ×"|' in text
        assert "-.-> " in text  # the dead receiver, which has no number

    def test_a_cycle_is_marked(self) -> None:
        """Boxes and arrows on a cycle have a class and a style of their own."""
        lines = as_mermaid(cascade()).splitlines()
        [boxes] = [line for line in lines if line.endswith(" cyclic") and "class " in line]
        assert boxes.count("n") == 6
        [arrows] = [line for line in lines if "linkStyle" in line]
        assert arrows.split()[1].count(",") == 5

    def test_an_orphan_is_marked(self) -> None:
        """A signal that nobody receives is amber and dashed, as it is on the page."""
        lines = as_mermaid(cascade()).splitlines()
        [orphan] = [line.split()[1] for line in lines if line.endswith(" orphan")]
        assert any(line.strip().startswith(f"{orphan}([") for line in lines)
        [defined] = [line for line in lines if "classDef orphan" in line]
        assert "stroke:#b45309" in defined
        assert "stroke-dasharray" in defined
        [node] = [line for line in as_dot(cascade()).splitlines() if "rounded,dashed" in line]
        assert 'color="#b45309"' in node
        assert "nobody receives it" in node


class TestDot:
    @pytest.mark.parametrize("drawn", [hostile(), cascade(), Graph()])
    def test_each_line_is_one_statement(self, drawn: Graph) -> None:
        """Outside of strings there is nothing but what was written here."""
        text = as_dot(drawn)
        bare = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
        assert set(bare) <= set('abcdefghijklmnopqrstuvwxyzLR0123456789_[]{}=",.;-> \n')
        assert bare.count("{") == bare.count("}") == 1

    @pytest.mark.parametrize("text", HOSTILE)
    def test_a_string_ends_where_it_should(self, text: str) -> None:
        """Quotes and backslashes are escaped, so that none of Graphviz's escapes is made."""
        inner = quoted(text)[1:-1]
        assert re.fullmatch(r'(?:[^"\\\n]|\\["\\])*', inner)
        assert inner.isprintable()


class TestJson:
    def test_it_is_plain_data(self) -> None:
        """It goes through JSON and back unchanged, hostile names included."""
        data = as_json(hostile())
        assert json.loads(json.dumps(data)) == data

    def test_the_cascade(self) -> None:
        """Edges name their ends, say how they are known, and whether they are on a cycle."""
        data = as_json(cascade())
        assert data["version"] == 1
        [on] = [each for each in data["sends_on"] if each["receiver"] == "shop.on_b"]
        assert (on["known"], on["through"], on["is_cyclic"]) == (["calls"], ["shop.help"], True)
        [seen] = [each for each in data["sends_on"] if each["receiver"] == "shop.on_c"]
        assert (seen["known"], seen["count"], seen["sends"]) == (["recorded"], 1200, [])
        assert [each["name"] for each in data["signals"] if each["is_orphan"]] == ["shop.orphan"]
        assert data["cycles"] == [
            ["shop.a", "shop.on_a", "shop.b", "shop.on_b", "shop.c", "shop.on_c"]
        ]
        cyclic = {each["receiver"] for each in data["receives"] if each["is_cyclic"]}
        assert cyclic == {"shop.on_a", "shop.on_b", "shop.on_c"}


class TestWording:
    @pytest.mark.parametrize(
        ("name", "title", "rest"),
        [
            ("shop.signals.order_placed", "order_placed", "shop.signals"),
            ("shop.services.Checkout.place", "Checkout.place", "shop.services"),
            ("shop.tests.Case.test.<locals>.inner", "inner", "shop.tests.Case.test.<locals>"),
            ("shop.services:41 (anonymous)", "services:41 (anonymous)", "shop"),
            ("order_placed", "order_placed", ""),
            ("Checkout.place", "place", "Checkout"),
            ("", "", ""),
        ],
    )
    def test_a_name_in_two_lines(self, name: str, title: str, rest: str) -> None:
        """The part that tells a thing apart, with its class, and where it is from."""
        assert split_qualified(name) == (title, rest)

    def test_a_long_text_loses_its_middle(self) -> None:
        """Both ends of a name tell something."""
        assert shortened("a" * 30 + "z" * 30, 11) == "aaaaa…zzzzz"
        assert shortened("short", 11) == "short"


def test_two_connections_are_one_arrow() -> None:
    """A receiver that is connected twice has one arrow with both numbers."""
    drawn = graph([receiving("s", "r", 2, uid="one"), receiving("s", "r", 3, uid="two")])
    assert as_mermaid(drawn).count("-->") == 1
    assert '|"2, 3"|' in as_mermaid(drawn)


def test_recorded_and_read(  # the same edge from both
) -> None:
    """What the code tells and what was recorded is one certain arrow."""
    drawn = graph(
        [receiving("s", "r")], [sending_on("r", "t", Known.CODE, Known.RECORDED, count=3)]
    )
    assert '==>|"send"|' in as_mermaid(drawn)
