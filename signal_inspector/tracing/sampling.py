"""What a sampler would say of a dispatch, where that is certain without asking it."""

from __future__ import annotations

from typing import Final

from opentelemetry.trace import Tracer

from signal_inspector import trouble

#: How ``Sampler.get_description()`` (OpenTelemetry specification, Trace SDK) ends for a
#: ``ParentBased`` sampler that does what its parent does, as it is unless told otherwise.
_AS_THE_PARENT: Final = (
    ",remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler"
    ",localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}"
)


def follows_parent(tracer: Tracer) -> bool:
    """Whether spans of this tracer are sampled where their parent is, and nowhere else.

    To start a span only to learn that it is dropped takes longer than the whole send. A sampler
    of somebody's own may decide by name, and is asked each time.
    """
    try:
        description: str = tracer.sampler.get_description()  # type: ignore[attr-defined]
        return description.startswith("ParentBased{") and description.endswith(_AS_THE_PARENT)
    except Exception as error:  # not the SDK's tracer, or a sampler that cannot say
        trouble.let_through(error)
        return False
