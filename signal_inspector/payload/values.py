"""Summarizes a send's arguments and a receiver's response."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from signal_inspector.conf import Limits
from signal_inspector.core.record.values import Summary
from signal_inspector.payload import collection_values, object_values, plain_values
from signal_inspector.payload.redaction import Redactor
from signal_inspector.payload.summaries import (
    Hooks,
    Work,
    describe,
    redacted,
    register,
    type_of,
)

__all__ = ["Work", "describe", "summarize", "summarize_arguments"]

_NAME_LENGTH = 100  # characters of an argument's name

# If several kinds fit a class, the first counts: an Enum of strings is an Enum, and everything
# else is an object.
register(plain_values.KINDS, plain=True)
register(collection_values.KINDS)
register(object_values.KINDS)


def summarize(
    value: object,
    limits: Limits,
    redactor: Redactor,
    *,
    key: str = "",
    hooks: Hooks | None = None,
) -> Summary:
    """What is kept of one value; ``key`` is its name, which may show that it is secret."""
    if key and redactor.matches_key(key) is not None:
        return redacted(type_of(value))
    return describe(Work(limits, redactor, hooks), value)


def summarize_arguments(
    named: Mapping[str, object],
    limits: Limits,
    redactor: Redactor,
    *,
    hooks: Hooks | None = None,
) -> tuple[dict[str, Summary], int]:
    """The summaries of a send's keyword arguments, and how many arguments were left out."""
    work = Work(limits, redactor, hooks)
    summaries = {}
    for key, value in islice(named.items(), limits.payload_items):
        name = key if type(key) is str else str.__str__(key)
        if redactor.matches_key(name) is not None:
            summaries[name] = redacted(type_of(value))
        else:
            if not name.isidentifier():
                name = work.one_line(name, _NAME_LENGTH)
            summaries[name] = describe(work, value)
    return summaries, len(named) - len(summaries)
