"""What is told of an exception, by the settings about messages and stack traces."""

from __future__ import annotations

import pytest

from signal_inspector.conf import Limits
from signal_inspector.core.record.values import Failure
from signal_inspector.payload import summarize_exception
from signal_inspector.tracing import exceptions
from signal_inspector.tracing.otel import Tracing

OWNER = "ada@example.com"


class DeclinedError(Exception):
    pass


def declined() -> BaseException:
    try:
        raise DeclinedError(f"the card of {OWNER}")
    except DeclinedError as caught:
        return caught


def recorded(error: BaseException, *, with_traceback: bool) -> Failure:
    """The exception as the record of a dispatch has it."""
    return summarize_exception(error, Limits(), with_traceback=with_traceback)


@pytest.mark.parametrize("known", ["unknown", "known", "known with its traceback"])
@pytest.mark.parametrize("messages", [True, False])
@pytest.mark.parametrize("stacktraces", [True, False])
def test_told(messages: bool, stacktraces: bool, known: str) -> None:
    """A setting that is off keeps its part back, and the other's part is told all the same."""
    error = declined()
    record = None
    if known != "unknown":
        record = recorded(error, with_traceback=known != "known")
    tracing = Tracing(exception_messages=messages, exception_stacktraces=stacktraces)
    told = exceptions.told(error, tracing, record)
    assert told.exception_class == f"{__name__}.DeclinedError"
    assert told.message == (f"the card of {OWNER}" if messages else "")
    assert (told.traceback is not None) is stacktraces
    if told.traceback is not None:
        assert "in declined" in told.traceback
        assert (OWNER in told.traceback) is messages


def test_tellable() -> None:
    """Of what is in words already a traceback is told only with its message: it holds both."""
    failure = recorded(declined(), with_traceback=True)
    assert exceptions.tellable(failure, Tracing()) == failure
    told = exceptions.tellable(failure, Tracing(exception_messages=False))
    assert (told.message, told.traceback) == ("", None)
    told = exceptions.tellable(failure, Tracing(exception_stacktraces=False))
    assert (told.message, told.traceback) == (failure.message, None)
