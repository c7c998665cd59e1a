"""Where nothing is to be traced: the keys by which contexts say so, and how to set them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    attach,
    detach,
    set_value,
)

SUPPRESSED: Final = _SUPPRESS_INSTRUMENTATION_KEY

#: The other key that contrib sets, beside the API's own.
SUPPRESSED_PLAINLY: Final = "suppress_instrumentation"


@contextmanager
def untraced() -> Iterator[None]:
    """Have instrumentations of OpenTelemetry, ours too, make no spans of what runs in here."""
    token = attach(set_value(SUPPRESSED_PLAINLY, True, set_value(SUPPRESSED, True)))
    try:
        yield
    finally:
        detach(token)
