"""What the panel says beside the words of ``display``."""

from __future__ import annotations

from signal_inspector.toolbar import advice, cells
from tests.toolbar.made import model, plain


def test_raw_milliseconds_have_no_separators() -> None:
    """What a script reads is a number in any locale."""
    assert cells.raw_ms(5_471_200_000) == "5471.200"


def test_strong_listing_reads_like_listing() -> None:
    """Emphasised names read as the plain list does."""
    segments = advice.strong_listing(["m.a", "m.b", "m.c"], limit=2)
    assert "".join(segment.text for segment in segments) == "a, b and 1 more"
    assert [s.text for s in segments if s.style == "strong"] == ["a", "b"]


def test_payload_line_is_cut_where_it_gets_long() -> None:
    """The line of arguments says that it was cut."""
    line = cells.payload_line({"order": model("shop.Order:42"), "n": plain("1" * 400)})
    assert line.startswith("order=shop.Order:42, n=111")
    assert line.endswith("…")
    assert len(line) == 160


def test_siblings_are_told_apart_by_their_models_first() -> None:
    """A dispatch of a group is named by its model instances, else by its plain values."""
    assert cells.about({"n": plain("1"), "order": model("shop.Order:42")}) == "shop.Order:42"
    assert cells.about({"n": plain("1")}) == "n=1"
    assert cells.about({}) == cells.about(None) == ""
