"""Fixtures of the catalog's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.listening import nothing_waits_on


@pytest.fixture(autouse=True)
def _nothing_waits_on() -> Iterator[None]:
    """What a test connects to models that never come waits no longer than the test."""
    with nothing_waits_on():
        yield
