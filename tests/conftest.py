"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from signal_inspector import conf, trouble


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Settings read anew and no failure counted: no test sees another one's."""
    conf.forget_config()
    trouble.reset()
    yield
    conf.forget_config()
    trouble.reset()
