"""What is meant by a text that a person has typed."""

from __future__ import annotations

import pytest

from signal_inspector.display.text import near

NAMES = ["shop.signals.order_placed", "shop.signals.order_paid", "crm.signals.lead_won"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("order_plcaed", "shop.signals.order_placed"),
        ("ORDER_PAID", "shop.signals.order_paid"),
        ("crm.signal.lead_won", "crm.signals.lead_won"),
        ("shop.order_paid", "shop.signals.order_paid"),
    ],
)
def test_what_is_like_a_name_is_suggested(text: str, first: str) -> None:
    """The best comes first."""
    assert near(text, NAMES)[0] == first


def test_nothing_is_like_it() -> None:
    """No suggestion is better than a silly one."""
    assert near("zzz", NAMES) == []
    assert near("", NAMES) == []


def test_suggestions_do_not_depend_on_the_order() -> None:
    """Sets of names may come in any order."""
    assert near("order_p", NAMES) == near("order_p", NAMES[::-1])
