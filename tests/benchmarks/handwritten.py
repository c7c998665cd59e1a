"""Spans of a signal without this package: written by hand around ``send()`` and its receivers.

Two ways that are found in projects. ``by_hand`` is as careful and as quick as somebody writes
it who knows the API: names and attributes put together once where they never change, a span
attached and detached without the context managers of the API. ``context_manager`` is what
tutorials show and contrib packages do. Both make the spans of ``TracingSink``, with its names and
attributes; by hand a failure marks them as there, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias
from uuid import uuid4

from django.dispatch import Signal
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context

Send: TypeAlias = Callable[..., Any]
Receiver: TypeAlias = Callable[..., Any]
#: Makes a receiver traced, and a send, of the signal whose name it is given.
TraceReceiver: TypeAlias = Callable[[Tracer, str, Receiver], Receiver]
TraceSend: TypeAlias = Callable[[Tracer, str, Send], Send]


def by_hand_receiver(tracer: Tracer, signal_name: str, receiver: Receiver) -> Receiver:
    """A receiver with a span of its own around it."""
    name, attributes = _of_receiver(signal_name, receiver)

    @wraps(receiver)
    def traced(*args: Any, **named: Any) -> Any:
        span = tracer.start_span(name, attributes=attributes)
        token = attach(set_span_in_context(span))
        try:
            return receiver(*args, **named)
        except Exception as error:
            span.record_exception(error)
            _mark(span, error)
            raise
        finally:
            detach(token)
            span.end()

    return traced


def by_hand_send(tracer: Tracer, signal_name: str, send: Send) -> Send:
    """``send()`` with a span around it."""
    name = f"send {signal_name}"

    def traced(signal: Signal, sender: Any, **named: Any) -> Any:
        span = tracer.start_span(name, attributes=_of_send(signal_name, signal, sender))
        token = attach(set_span_in_context(span))
        try:
            return send(signal, sender, **named)
        except Exception as error:
            span.set_attribute("django.signal.receiver.failed_count", 1)
            _mark(span, error)
            raise
        finally:
            detach(token)
            span.end()

    return traced


def context_manager_receiver(tracer: Tracer, signal_name: str, receiver: Receiver) -> Receiver:
    """The same by ``start_as_current_span``, which records an exception by itself."""
    name, attributes = _of_receiver(signal_name, receiver)

    @wraps(receiver)
    def traced(*args: Any, **named: Any) -> Any:
        with tracer.start_as_current_span(name, attributes=attributes):
            return receiver(*args, **named)

    return traced


def context_manager_send(tracer: Tracer, signal_name: str, send: Send) -> Send:
    """The same by ``start_as_current_span``; the receiver has recorded the exception."""
    name = f"send {signal_name}"

    def traced(signal: Signal, sender: Any, **named: Any) -> Any:
        attributes = _of_send(signal_name, signal, sender)
        with tracer.start_as_current_span(name, attributes=attributes, record_exception=False):
            return send(signal, sender, **named)

    return traced


def _of_receiver(signal_name: str, receiver: Receiver) -> tuple[str, dict[str, str | int]]:
    path = f"{receiver.__module__}.{receiver.__qualname__}"
    attributes: dict[str, str | int] = {
        "code.function.name": path,
        "django.signal.name": signal_name,
        "code.file.path": receiver.__code__.co_filename,
        "code.line.number": receiver.__code__.co_firstlineno,
    }
    return f"receive {path}", attributes


def _of_send(signal_name: str, signal: Signal, sender: Any) -> dict[str, str | int]:
    caller = sys._getframe(2)  # the code that calls send(), past the wrapper of it
    return {
        "code.function.name": caller.f_code.co_qualname,
        "code.file.path": caller.f_code.co_filename,
        "code.line.number": caller.f_lineno,
        "django.signal.name": signal_name,
        "django.signal.method": "send",
        "django.signal.sender": f"{sender.__module__}.{sender.__qualname__}",
        "django.signal.receiver.count": len(signal.receivers),
        "django.signal.dispatch.id": str(uuid4()),
    }


def _mark(span: Span, error: Exception) -> None:
    error_class = type(error)
    path = error_class.__qualname__
    if error_class.__module__ != "builtins":
        path = f"{error_class.__module__}.{path}"
    span.set_attribute("error.type", path)
    span.set_status(StatusCode.ERROR, str(error))
