"""Values of the settings' dataclasses that are no settings, set for a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from signal_inspector.conf import forget_config


@contextmanager
def fixed(section: Any, **values: object) -> Iterator[None]:
    """``fixed(Limits, statements=2)``: a context, or a decorator, in which this is the value."""
    defaults = section.__init__.__kwdefaults__
    before = dict(defaults)
    assert set(values) <= set(before)
    defaults.update(values)
    forget_config()
    try:
        yield
    finally:
        defaults.update(before)
        forget_config()
