"""``SIGNAL_INSPECTOR["TRACING"]``, and what OpenTelemetry's API does not do for us.

That is: our instrumentation scope, the user's hooks, sampling and suppression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from signal_inspector.conf import register_section
from signal_inspector.core import internal_errors
from signal_inspector.setting_rules import Fault, ProblemKind

NAME: Final = "signal_inspector"
VERSION: Final = __version__

#: The version of the conventions that names and attributes follow.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

#: How ``Sampler.get_description()`` (OpenTelemetry specification, Trace SDK) ends for a
#: ``ParentBased`` sampler that does what the parent span does, which is the default.
_AS_THE_PARENT: Final = (
    ",remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler"
    ",localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}"
)

SUPPRESSED: Final = _SUPPRESS_INSTRUMENTATION_KEY

#: The second key that opentelemetry-python-contrib sets, besides the API's own.
SUPPRESSED_PLAINLY: Final = "suppress_instrumentation"


def _hook(value: object) -> Fault | None:
    """The rule of a hook: a callable, or the dotted path of one."""
    if value is None or callable(value) or _is_path(value):
        return None
    what = "must be a callable or the dotted path of one."
    return Fault(ProblemKind.WRONG_TYPE, what, 'Write it like "shop.tracing.add_tenant".')


def _is_path(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = value.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """What operators see of signals. Applies in addition to the general INCLUDE and EXCLUDE."""

    include: tuple[str, ...] = ("*",)  # globs on dotted signal names
    exclude: tuple[str, ...] = ()
    receiver_spans: bool = True  # False: only a span per dispatch
    # Whether a dispatch outside of any span starts a trace. If not, each span that one of its
    # receivers causes, such as a query's, starts a trace of its own.
    start_traces: bool = True
    # Called before the span ends, with (span, dispatch) and (span, dispatch, index).
    dispatch_hook: Callable[..., Any] | str | None = field(default=None, metadata={"rule": _hook})
    receiver_hook: Callable[..., Any] | str | None = field(default=None, metadata={"rule": _hook})
    payload_attributes: tuple[str, ...] = ()  # arguments of send() that become attributes
    exception_messages: bool = True  # messages may contain personal data
    exception_stacktraces: bool = True
    metrics: bool = True
    log_failures: bool = False  # exceptions that robust sends swallow; Django logs them too


register_section("TRACING", Tracing)


def found(value: Any, key: str) -> Any:
    """The object at a setting's dotted path, or the value itself; None if importing it fails."""
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except Exception as error:  # a module may raise anything while it is imported
        internal_errors.report(f"importing {value} for the setting {key} of TRACING", error)
        return None


def guarded(hook: Any, key: str) -> Callable[..., None] | None:
    """Wrap a hook so that it raises nothing; None if there is no hook."""
    if hook is None:
        return None

    def call(*args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            internal_errors.report(f"tracing {key}", error)

    return call


def follows_parent(tracer: Tracer) -> bool:
    """Whether this tracer samples a span with a parent exactly if the parent is sampled.

    Starting a span only to learn that it is dropped takes longer than the whole send. A custom
    sampler may decide by name, so it is asked each time.
    """
    try:
        description: str = tracer.sampler.get_description()  # type: ignore[attr-defined]
        return description.startswith("ParentBased{") and description.endswith(_AS_THE_PARENT)
    except Exception as error:  # not the SDK's tracer, or a sampler that fails to answer
        internal_errors.let_through(error)
        return False


@contextmanager
def untraced() -> Iterator[None]:
    """Keep OpenTelemetry instrumentations, ours included, from making spans inside the block."""
    token = attach(set_value(SUPPRESSED_PLAINLY, True, set_value(SUPPRESSED, True)))
    try:
        yield
    finally:
        detach(token)
