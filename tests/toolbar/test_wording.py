"""Numbers and names as the panel writes them."""

from __future__ import annotations

import pytest

from signal_inspector.toolbar import wording
from tests.toolbar.made import call, model, plain


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ms"),
        (-5, "0 ms"),
        (1, "< 0.1 ms"),
        (49_999, "< 0.1 ms"),
        (50_000, "0.1 ms"),
        (18_312_000, "18.3 ms"),
        (5_471_200_000, "5,471.2 ms"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    """A duration has one decimal, and what is not nothing never reads as nothing."""
    assert wording.ms(nanoseconds) == text


def test_raw_milliseconds_have_no_separators() -> None:
    """What a script reads is a number in any locale."""
    assert wording.raw_ms(5_471_200_000) == "5471.200"


@pytest.mark.parametrize(
    ("dotted", "parts", "last"),
    [
        ("shop.signals.order_placed", ("shop.", "signals."), "order_placed"),
        ("order_placed", (), "order_placed"),
        (
            "shop.apps.ready.<locals>.<lambda>",
            ("shop.", "apps.", "ready.", "<locals>."),
            "<lambda>",
        ),
        ("signal at shop/a.py:3", (), "signal at shop/a.py:3"),
        ("shop.send(x.y)", ("shop.",), "send(x.y)"),
    ],
)
def test_dotted_names(dotted: str, parts: tuple[str, ...], last: str) -> None:
    """A dotted name is split at its dots, and only at those that separate names."""
    name = wording.name(dotted)
    assert (name.parts, name.last, name.full) == (parts, last, dotted)


def test_listing_counts_what_it_leaves_out() -> None:
    """Words beyond the limit are counted, never dropped in silence."""
    assert wording.listing(["a"]) == "a"
    assert wording.listing(["a", "b", "c"]) == "a, b and c"
    assert wording.listing(["a", "b", "c", "d", "e"], limit=2) == "a, b and 3 more"


def test_strong_listing_reads_like_listing() -> None:
    """Emphasised names read as the plain list does."""
    segments = wording.strong_listing(["m.a", "m.b", "m.c"], limit=2)
    assert "".join(segment.text for segment in segments) == "a, b and 1 more"
    assert [s.text for s in segments if s.style == "strong"] == ["a", "b"]


@pytest.mark.parametrize(
    ("dotted", "name"),
    [
        ("builtins.ValueError", "ValueError"),
        ("loyalty.models.LoyaltyAccount.DoesNotExist", "LoyaltyAccount.DoesNotExist"),
        ("odd.lower", "lower"),
    ],
)
def test_exception_names(dotted: str, name: str) -> None:
    """An exception is called by its class and the class that holds it, without the module."""
    assert wording.exception_name(dotted) == name


def test_error_line_is_one_line() -> None:
    """A message of several lines is shown in one."""
    error = wording.error_line(call(raised="builtins.ValueError: no\n  luck"))
    assert error is not None
    assert (error.name, error.message) == ("ValueError", "no luck")


def test_payload_line_is_cut_where_it_gets_long() -> None:
    """The line of arguments says that it was cut."""
    line = wording.payload_line({"order": model("shop.Order:42"), "n": plain("1" * 400)})
    assert line.startswith("order=shop.Order:42, n=111")
    assert line.endswith("…")
    assert len(line) == 160


def test_siblings_are_told_apart_by_their_models_first() -> None:
    """A dispatch of a group is named by its model instances, else by its plain values."""
    assert wording.about({"n": plain("1"), "order": model("shop.Order:42")}) == "shop.Order:42"
    assert wording.about({"n": plain("1")}) == "n=1"
    assert wording.about({}) == wording.about(None) == ""


def test_sql_column_is_empty_without_a_query() -> None:
    """No query leaves its cell empty."""
    assert wording.sql(0, 0) == ""
    assert wording.sql(9_920, 1_874_000_000) == "9,920 in 1,874.0 ms"
