"""``signal_inspector.display.parts``: what is shown of one dispatch, in every room."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

import signal_inspector
from signal_inspector.core.record.values import WITHHELD, Summary
from signal_inspector.display import parts
from tests.toolbar.made import call, plain

PACKAGE = Path(signal_inspector.__file__).parent
SHEETS = PACKAGE / "static" / "signal_inspector"
PALETTE = SHEETS / "display" / "palette.css"
TEMPLATES = PACKAGE / "templates" / "signal_inspector" / "display"
ICONS = TEMPLATES / "symbols.html"
#: "#b3211b", "rgb(1 2 3)"; not "#djDebug" or "url(#si-hatch)".
COLOR = re.compile(
    r"(?<![\w(])#(?:[0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})(?![\w-])|\b(?:rgb|hsl|oklch)a?\(",
    re.IGNORECASE,
)


def sources() -> list[Path]:
    """Everything that can hold a color or an icon."""
    kinds = {".py", ".css", ".js", ".html"}
    return [each for each in PACKAGE.rglob("*") if each.suffix in kinds]


@pytest.mark.parametrize("text", ["color: #b3211b", "fill:#FFF", "rgba(0, 0, 0, 0.1)"])
def test_colors_are_told_from_other_words(text: str) -> None:
    """The test below sees each form of a color, and takes no id for one."""
    assert COLOR.search(text)
    assert not COLOR.search("#djDebug .si { fill: url(#si-1-bad) } #add-row")


def test_one_palette() -> None:
    """No color is written but in the palette."""
    found = [each.name for each in sources() if COLOR.search(each.read_text())]
    assert found == [PALETTE.name]


def test_the_palette_has_both_themes() -> None:
    """Each color is there for light and for dark, but for those of pictures without a theme."""
    lines = re.findall(r"--si-([a-z-]+): (.+);", PALETTE.read_text().split("@media")[0])
    assert len(lines) > 30
    odd = [name for name, value in lines if not value.startswith("light-dark(#")]
    assert all(name.startswith("plain-") for name in odd)


def test_every_room_has_the_looks_of_a_dispatch() -> None:
    """What the shared templates name has its rule in the shared sheet, or one in each room."""
    pages = "".join(
        each.read_text() for each in TEMPLATES.glob("*.html") if each.name != "badges.html"
    )  # only the panel has badges
    classes = " ".join(re.findall(r'class="([^"]*)"', re.sub(r"{%.*?%}", " ", pages)))
    used = set(re.findall(r"si-[a-z-]+(?![\w{-])", classes))

    def styled(*names: str) -> set[str]:
        text = "".join((SHEETS / name).read_text() for name in names)
        return set(re.findall(r"\.(si-[a-z-]+)", text))

    rooms = styled("panel.css") & styled("audit.css", "audit_overview.css")
    assert {"si-quiet", "si-lane", "si-odd"} <= used
    assert used - styled("display/dispatch.css") - rooms == set()


def test_every_color_that_is_used_is_defined() -> None:
    """A name that nobody defines would be no color at all, and say nothing of it."""
    text = "".join(each.read_text() for each in sources() if each.suffix != ".py")
    defined = {*re.findall(r"(--si-[a-z0-9-]+):", text), "--si-controls-height"}
    assert set(re.findall(r"var\((--si-[a-z0-9-]+)", text)) <= defined


def test_one_sheet_of_icons() -> None:
    """Each glyph that has words has its icon, and all icons stand in one file."""
    holding = [each for each in sources() if 'viewBox="0 0 16 16"' in each.read_text()]
    assert holding == [ICONS]
    icons = set(re.findall(r'<symbol id="si-\{\{ uid \}\}-([a-z]+)"', ICONS.read_text()))
    assert icons == {each for each in parts.Glyph.__args__ if each}  # type: ignore[attr-defined]


@pytest.mark.parametrize("folder", ["templates/signal_inspector", "static/signal_inspector"])
def test_no_room_is_known(folder: str) -> None:
    """Templates and scripts of a dispatch take nothing of the toolbar's or of the admin's."""
    files = [each for each in (PACKAGE / folder / "display").iterdir() if each.suffix != ".css"]
    assert files
    for file in files:
        assert not re.search(r"djdt|sa-|admin|audit/|toolbar", file.read_text()), file.name


def test_arguments_and_their_items() -> None:
    """Each argument, then its items; a room that has pages of objects links to them."""
    items = (("sku", plain("'a'")),)
    payload = {
        "order": Summary(kind="model", type="shop.models.Order", text="shop.Order:42"),
        "line": Summary(kind="collection", type="dict", text="dict", items=items, truncated=True),
        "token": Summary(kind="redacted", type="str", text=""),
        "note": Summary(kind=WITHHELD, type="str", text=""),
    }
    order, line, sku, token, note = parts.arguments(payload.items(), "/admin/{}".format)
    assert (order.value, order.url, order.depth) == ("shop.Order:42", "/admin/shop.Order:42", 0)
    assert (line.note, sku.name, sku.depth, sku.url) == ("cut", "sku", 1, "")
    assert (token.redacted, token.value, note.withheld) == (True, "redacted", True)
    assert [each.url for each in parts.arguments(payload.items())] == [""] * 5


def test_error_line_is_one_line() -> None:
    """A message of several lines is shown in one."""
    error = parts.error_line(call(raised="builtins.ValueError: no\n  luck"))
    assert error is not None
    assert (error.name, error.message) == ("ValueError", "no luck")


def _fail() -> None:
    raise LookupError("no such order")


def test_traceback_becomes_frames() -> None:
    """A real traceback is read as frames with their source, and its last line is strong."""
    try:
        _fail()
    except LookupError:
        lines = parts.traceback_lines(traceback.format_exc())
    frames = [line for line in lines if isinstance(line, parts.Frame)]
    assert [frame.function for frame in frames] == ["test_traceback_becomes_frames", "_fail"]
    assert frames[1].code == 'raise LookupError("no such order")'
    assert lines[-1] == parts.TextLine(text="LookupError: no such order", strong=True)


def test_chained_traceback_keeps_the_words_between() -> None:
    """What joins two exceptions stays between their frames."""
    try:
        try:
            _fail()
        except LookupError as error:
            raise ValueError("order") from error
    except ValueError:
        lines = parts.traceback_lines(traceback.format_exc())
    texts = [line.text for line in lines if isinstance(line, parts.TextLine)]
    assert texts == [
        "LookupError: no such order",
        "The above exception was the direct cause of the following exception:",
        "ValueError: order",
    ]
    assert [line.strong for line in lines if isinstance(line, parts.TextLine)] == [
        True,
        False,
        True,
    ]


def test_text_that_is_no_traceback_stays_text() -> None:
    """Anything else is shown as it is."""
    assert parts.traceback_lines("cut\n\nhere") == (
        parts.TextLine(text="cut", strong=True),
        parts.TextLine(text="here", strong=True),
    )
