"""Fixtures of the tests of retrying."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from signal_inspector.core import internal_errors
from tests.audit.retry import shop

SETTINGS = {"AUDIT": {"RETRY_MINIMUM_AGE": 0}}


@pytest.fixture(autouse=True)
def _shop() -> Iterator[None]:
    """One receiver is connected, beside a bystander; what failed may run again at once."""
    shop.order_placed.connect(shop.bystander)
    shop.order_placed.connect(shop.award_points)
    shop.Calls.act = None
    with override_settings(SIGNAL_INSPECTOR=SETTINGS):
        yield
    shop.order_placed.receivers.clear()
    shop.order_placed.sender_receivers_cache.clear()
    shop.stock_low.receivers.clear()
    shop.stock_low.sender_receivers_cache.clear()
    shop.Calls.seen.clear()
    shop.Calls.act = None
    shop.Calls.others = 0
    assert internal_errors.counts() == {}
