"""Work of our own, and those who would take it for the user's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from signal_inspector.core import internal_errors


@pytest.fixture(autouse=True)
def _suppressors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internal_errors, "_suppressors", [])


def test_it_runs_within_all_of_them() -> None:
    """Every watcher is quiet while the work is done, and no longer, also if it fails."""
    told: list[str] = []

    @contextmanager
    def suppressor() -> Iterator[None]:
        told.append("quiet")
        try:
            yield
        finally:
            told.append("as before")

    internal_errors.add_suppressor(suppressor)
    internal_errors.add_suppressor(suppressor)
    with pytest.raises(ZeroDivisionError), internal_errors.suppress_instrumentation():
        told.append(str(1 / 0))
    assert told == ["quiet", "as before"]


def test_one_that_fails_is_reported() -> None:
    """The work is done where a watcher cannot be kept quiet."""

    def suppressor() -> Iterator[None]:
        raise RuntimeError

    internal_errors.add_suppressor(suppressor)  # type: ignore[arg-type]
    done = False
    with internal_errors.suppress_instrumentation():
        done = True
    assert done
    assert internal_errors.counts() == {"suppressing other instrumentation": 1}


def test_the_audit_writes_untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the audit make no spans of contrib's database instrumentations."""
    from opentelemetry.context import get_current
    from opentelemetry.instrumentation.utils import is_instrumentation_enabled

    from signal_inspector.audit.delivery import base
    from signal_inspector.audit.destinations.database import writing
    from signal_inspector.tracing import TracingSink

    enabled: list[bool] = []

    def write(batch: object, using: str) -> writing.Written:
        enabled.append(is_instrumentation_enabled())
        return writing.Written(1, [])

    monkeypatch.setattr(writing, "write", write)
    before = get_current()
    base.written([object()], "default")  # type: ignore[list-item]
    TracingSink()
    base.written([object()], "default")  # type: ignore[list-item]
    assert enabled == [True, False]
    assert get_current() == before
