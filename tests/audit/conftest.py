"""Fixtures of the audit's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signal_inspector.audit.delivery.gaps import losses
from tests.audit.programs import migrated, programs

__all__ = ["migrated", "programs"]


@pytest.fixture(autouse=True)
def _no_losses() -> Iterator[None]:
    """No test tells of what another one has lost."""
    losses.forget()
    yield
    losses.forget()
