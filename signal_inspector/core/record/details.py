"""The costly parts of a record, gathered only when a hearer asks for them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from typing import Any, Final, ParamSpec, TypeVar

from django.dispatch import Signal
from django.utils.module_loading import import_string

from signal_inspector import payload
from signal_inspector.conf import Config, get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.internal_errors import suppress_instrumentation
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record import callers, not_called, transactions
from signal_inspector.core.record.dispatch import Dispatch, OuterTrace, TraceIds
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import Details, Failure, Summary
from signal_inspector.names import class_path, sender_name

P = ParamSpec("P")
T = TypeVar("T")

#: The span that code belongs to without running in it, as a streamed body to its request's span.
outer_trace: Final[ContextVar[TraceIds | None]] = ContextVar(
    "signal_inspector_outer_trace", default=None
)

_redactor: tuple[Config, payload.Redactor] | None = None
_hooks: tuple[Config, payload.Hooks] | None = None
_chosen: dict[int, tuple[Callable[..., None], ...]] = {}


def redactor(config: Config) -> payload.Redactor:
    """The redactor of these settings, built once for them."""
    global _redactor
    if _redactor is None or _redactor[0] is not config:
        _redactor = (config, payload.Redactor(config.redact, strict=config.strict))
    return _redactor[1]


def hooks(config: Config) -> payload.Hooks | None:
    """The hooks of ``DESCRIBE``, found once for these settings; None if there are none.

    They run as in ``suppress()``: neither what they send nor their queries are recorded.
    """
    global _hooks
    if not config.describe:
        return None
    if _hooks is None or _hooks[0] is not config:
        _hooks = (
            config,
            payload.Hooks({name: _unseen(hook) for name, hook in config.describe.items()}),
        )
    return _hooks[1]


def _unseen(hook: Callable[[Any], object] | str) -> Callable[[Any], object]:
    found: list[Callable[[Any], object]] = []

    def call(value: Any) -> object:
        with suppress(), suppress_instrumentation():
            if not found:  # imported late: the hook's module may import models
                found.append(import_string(hook) if isinstance(hook, str) else hook)
            return found[0](value)

    return call


def text_sender(sender: str) -> str:
    """The name of a sender that is a string. In strict mode "str", as for any other value."""
    return "str" if get_config().strict else sender_name(sender)


def prepare() -> None:
    """Import what describes values, before the receivers of the first dispatch run.

    The first failure may be a RecursionError, which leaves no room on the stack for an import.
    """
    _ = payload.summarize_arguments, payload.summarize_exception


def gather(
    dispatch: Dispatch,
    signal: Signal,
    sender: object,
    named: Mapping[str, Any],
    wanted: Details,
) -> None:
    """Fill in what is known at the start of a dispatch."""
    # By number: testing or hashing a Flag takes longer than everything else here.
    chosen = _chosen.get(wanted._value_)
    if chosen is None:
        chosen = tuple([gather for detail, gather in _AT_START.items() if wanted & detail])
        _chosen[wanted._value_] = chosen
    for gather in chosen:
        try:
            gather(dispatch, signal, sender, named)
        except Exception as error:
            internal_errors.report(f"gathering the {gather.__name__.strip('_')}", error)


def _caller(dispatch: Dispatch, signal: Signal, *_: Any) -> None:
    if dispatch.caller is None:
        dispatch.caller, dispatch.project_caller = callers.callers_of(signal)


def _stack(dispatch: Dispatch, signal: Signal, *_: Any) -> None:
    dispatch.stack = callers.call_stack(get_config().limits.stack_depth)
    _caller(dispatch, signal)


def _payload(dispatch: Dispatch, signal: Signal, sender: object, named: Mapping[str, Any]) -> None:
    config = get_config()
    dispatch.payload, dispatch.payload_dropped = payload.summarize_arguments(
        named, config.limits, redactor(config), hooks=hooks(config)
    )


def _transaction(dispatch: Dispatch, *_: Any) -> None:
    dispatch.in_transaction, dispatch.transactions = transactions.open_marks()


def _trace(dispatch: Dispatch, *_: Any) -> None:
    found = current_trace()
    if found is not None:  # a sink that makes a span for the dispatch sets that span later
        dispatch.trace = OuterTrace(found.trace_id, found.trace_flags)


def current_trace() -> TraceIds | None:
    """The ids of OpenTelemetry's current span, whatever code made it; None if there is none."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if not hasattr(api, "get_current_span"):  # nobody in this process uses it
        return None
    found: TraceIds = api.get_current_span().get_span_context()
    return found if found.trace_id else outer_trace.get()


def _not_called(dispatch: Dispatch, signal: Signal, sender: object, *_: Any) -> None:
    dispatch.not_called = not_called.not_called(signal, sender)


_AT_START: Final[dict[Details, Callable[..., None]]] = {
    Details.STACK: _stack,
    Details.CALLER: _caller,
    Details.PAYLOAD: _payload,
    Details.TRANSACTION: _transaction,
    Details.NOT_CALLED: _not_called,
    Details.TRACE: _trace,
}

internal_errors.announce(
    failures=[f"gathering the {gather.__name__.strip('_')}" for gather in _AT_START.values()]
)


def responses(dispatch: RunningDispatch, pairs: Sequence[tuple[Any, Any]]) -> None:
    """Summarize what the receivers returned; exceptions are kept in the calls' ``failure``."""
    raised = dispatch.raised or {}
    dispatch.responses = [
        None if index in raised else response(value) for index, (_, value) in enumerate(pairs)
    ]


def response(value: object) -> Summary | None:
    """The summary of one receiver's response; None if that failed."""
    try:
        config = get_config()
        return payload.summarize(value, config.limits, redactor(config), hooks=hooks(config))
    except Exception as error:
        internal_errors.report("gathering a response", error)
        return None


def failure(dispatch: RunningDispatch, error: BaseException) -> Failure:
    """What is kept of an exception, with its traceback if a hearer asks for tracebacks."""
    try:
        config = get_config()
        return unrecorded(
            payload.summarize_exception,
            error,
            config.limits,
            with_traceback=bool(dispatch.hearers.details & Details.TRACEBACK),
            redactor=redactor(config),
        )
    except Exception as problem:
        internal_errors.report("gathering an exception", problem)
        return class_of(error)


def unrecorded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that asks an exception for its text, and so runs the user's code.

    The call is Signal Inspector's doing: neither the signals that it sends nor its queries are
    recorded, and it changes nothing in the context.
    """

    def run() -> T:
        with suppress(), suppress_instrumentation():
            return call(*args, **kwargs)

    return copy_context().run(run)


def class_of(error: BaseException) -> Failure:
    """The minimum that is kept of an exception: its class."""
    name = class_path(type(error)).removeprefix("builtins.")
    return Failure(exception_class=name, message="")


def _told(error: BaseException) -> str:
    """The text of an internal error for the log: its traceback, without secrets."""
    config = get_config()
    failure = payload.summarize_exception(
        error,
        config.limits,
        with_traceback=True,
        with_machinery=True,
        redactor=redactor(config),
    )
    return failure.traceback or failure.exception_class


internal_errors.tell_by(_told)
