"""Arguments and responses in words: safe to make, to keep and to show.

Making a summary runs no query and no code of the values it looks at; it never raises, and it
keeps none of them alive. What is secret by its key or by its form is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

# The order matters: of several kinds that fit a class, the one registered first is taken.
from signal_inspector.payload import (  # isort: skip
    plain_values,  # noqa: F401
    collection_values,  # noqa: F401
    object_values,  # noqa: F401
)
from signal_inspector.conf import Limits
from signal_inspector.payload.failures import summarize_exception
from signal_inspector.records import Summary
from signal_inspector.payload.redaction import Redactor
from signal_inspector.payload.summaries import Work, describe, redacted, type_of
from signal_inspector.payload.text import clean_text, one_line

__all__ = [
    "Redactor",
    "clean_text",
    "describe_arguments",
    "summarize",
    "summarize_arguments",
    "summarize_exception",
]

_NAME_LENGTH = 100


def summarize(value: object, limits: Limits, redactor: Redactor, *, key: str = "") -> Summary:
    """What is kept of one value; ``key`` is the name it goes by, which may tell it is secret."""
    if key and redactor.matches_key(key) is not None:
        return redacted(type_of(value))
    return describe(Work(limits, redactor), value)


def summarize_arguments(
    named: Mapping[str, object], limits: Limits, redactor: Redactor
) -> tuple[dict[str, Summary], int]:
    """The summaries of a send's keyword arguments, and how many arguments were left out."""
    work = Work(limits, redactor)
    summaries = {}
    for key, value in islice(named.items(), limits.payload_items):
        if redactor.matches_key(key) is not None:
            summaries[key] = redacted(type_of(value))
        else:
            name = key if key.isidentifier() else _clean_name(key, redactor)
            summaries[name] = describe(work, value)
    return summaries, len(named) - len(summaries)


def describe_arguments(payload: Mapping[str, Summary]) -> str:
    """The arguments in one line: ``order=shop.Order:42, card_token=redacted``."""
    return ", ".join([f"{key}={summary.text}" for key, summary in payload.items()])


def _clean_name(key: str, redactor: Redactor) -> str:
    return one_line(redactor.redact_text(key), _NAME_LENGTH)
