from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.context import get_current

from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import current
from tests.tracing.spans import Traces


@pytest.fixture
def traces(caplog: pytest.LogCaptureFixture) -> Iterator[Traces]:
    """Traces of this test alone. Afterwards nothing of ours is left, and nothing has failed."""
    before, here = get_current(), current.get()
    yield Traces()
    assert get_current() is before
    assert current.get() is here
    assert "Failed to detach context" not in caplog.text
    assert internal_errors.counts() == {}
