"""How receivers end: what they return, and what they raise."""

from __future__ import annotations

import asyncio

from tests.differential import describe
from tests.differential.spec import Chained, Raise, Raised, Return, Returned


def finish(ending: Return | Raise, name: str) -> object:
    """Return something that is known by this name, or raise."""
    if isinstance(ending, Raise):
        _raise(ending)
        return None
    match ending.what:
        case Returned.NONE:
            return None
        case Returned.UNHASHABLE:
            return describe.Unhashable(name)
        case Returned.HOSTILE:
            return describe.Hostile(name)
        case Returned.EXCEPTION:
            return ValueError(name)
    return describe.Token(name)


def _raise(ending: Raise) -> None:
    error = _error(ending.what)
    if ending.note:
        error.add_note("noted")
    match ending.chained:
        case Chained.CAUSE:
            raise error from KeyError("cause")
        case Chained.CONTEXT:
            try:
                raise LookupError("context")
            except LookupError:
                raise error  # noqa: B904 - the context is the point
        case Chained.SUPPRESSED:
            try:
                raise LookupError("context")
            except LookupError:
                raise error from None
    raise error


def _error(what: Raised) -> BaseException:
    match what:
        case Raised.UNPRINTABLE:
            return describe.Unprintable("unprintable")
        case Raised.STOP:
            return describe.Stop("stop")
        case Raised.CANCELLED:
            return asyncio.CancelledError("cancelled")
        case Raised.STOP_ITERATION:
            return StopIteration("stopped")
        case Raised.GROUP:
            return ExceptionGroup("group", [ValueError("one"), KeyError("two")])
    return ValueError("value")
