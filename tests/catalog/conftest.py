"""Fixtures of the catalogue's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps


@pytest.fixture(autouse=True)
def _nothing_waits_on() -> Iterator[None]:
    """What a test connects to models that never come waits no longer than the test."""
    waiting = apps._pending_operations  # type: ignore[attr-defined]
    before = {model: list(functions) for model, functions in waiting.items()}
    yield
    waiting.clear()
    waiting.update(before)
