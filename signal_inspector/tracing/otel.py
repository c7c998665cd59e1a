"""What OpenTelemetry's API leaves to us: our scope, the user's hooks, sampling and suppression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.utils.module_loading import import_string
from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    attach,
    detach,
    set_value,
)
from opentelemetry.trace import Tracer

from signal_inspector import __version__
from signal_inspector.core import internal_errors

NAME: Final = "signal_inspector"
VERSION: Final = __version__

#: The version of the conventions that names and attributes follow.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

#: How ``Sampler.get_description()`` (OpenTelemetry specification, Trace SDK) ends for a
#: ``ParentBased`` sampler that does what its parent does, as it is unless told otherwise.
_AS_THE_PARENT: Final = (
    ",remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler"
    ",localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}"
)

SUPPRESSED: Final = _SUPPRESS_INSTRUMENTATION_KEY

#: The other key that contrib sets, beside the API's own.
SUPPRESSED_PLAINLY: Final = "suppress_instrumentation"


def found(value: Any, key: str) -> Any:
    """What a setting names by its dotted path, or the value itself; None if that fails."""
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except Exception as error:  # a module may raise anything while it is imported
        internal_errors.report(f"finding {value}, which TRACING names as {key}", error)
        return None


def guarded(hook: Any, key: str) -> Callable[..., None] | None:
    """The hook as one that raises nothing; None where there is none."""
    if hook is None:
        return None

    def call(*args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            internal_errors.report(f"tracing {key}", error)

    return call


def follows_parent(tracer: Tracer) -> bool:
    """Whether spans of this tracer are sampled where their parent is, and nowhere else.

    To start a span only to learn that it is dropped takes longer than the whole send. A sampler
    of somebody's own may decide by name, and is asked each time.
    """
    try:
        description: str = tracer.sampler.get_description()  # type: ignore[attr-defined]
        return description.startswith("ParentBased{") and description.endswith(_AS_THE_PARENT)
    except Exception as error:  # not the SDK's tracer, or a sampler that cannot say
        internal_errors.let_through(error)
        return False


@contextmanager
def untraced() -> Iterator[None]:
    """Have instrumentations of OpenTelemetry, ours too, make no spans of what runs in here."""
    token = attach(set_value(SUPPRESSED_PLAINLY, True, set_value(SUPPRESSED, True)))
    try:
        yield
    finally:
        detach(token)
