"""Whether a name is the one that a person means."""

from __future__ import annotations

import pytest

from signal_inspector.names import ends_with, matches

NAME = "shop.signals.Cart.emptied"


@pytest.mark.parametrize(
    "pattern",
    [NAME, "emptied", "Cart.emptied", "*", "shop.*", "empt*", "Cart.*", "*.Cart.e?ptied"],
)
def test_a_name_is_matched(pattern: str) -> None:
    """By the whole of it, by its last parts, and by globs on either."""
    assert matches(pattern, NAME)


@pytest.mark.parametrize(
    "pattern", ["shop", "ptied", "cart.emptied", "signals.Cart", "", "shop.?", "CART*"]
)
def test_another_name_is_not(pattern: str) -> None:
    """Parts are whole, and case counts."""
    assert not matches(pattern, NAME)


@pytest.mark.parametrize("text", ["shop.views.View instance", "shop.views.View", "View"])
def test_a_name_is_meant_without_its_mark(text: str) -> None:
    """Nobody types how a sender or a receiver without a name of its own is marked."""
    assert ends_with("shop.views.View instance", text)


def test_the_end_of_a_name_is_no_glob() -> None:
    """Where one name is chosen, a text is taken as it stands."""
    assert not ends_with(NAME, "empt*")
