"""Run a failed receiver again from its record: logged beforehand, in its own transaction, once.

Nothing is imported, evaluated or called by a name from the table. A name is only compared with the
names of what is already loaded and connected in this process. If nothing has this name, or more
than one thing has it, the receiver does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, DatabaseError, IntegrityError, connections, transaction
from django.dispatch import Signal

from signal_inspector.audit.attribution.circumstances import actor_of, audit_circumstances
from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.models import AuditedCall, Retry, RetryOutcome
from signal_inspector.audit.operations.retry_arguments import restore
from signal_inspector.audit.operations.retry_conditions import Examined, examine
from signal_inspector.audit.operations.retry_receivers import FoundReceiver
from signal_inspector.audit.sanitize import storable
from signal_inspector.audit.settings import get_settings, policy_for
from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import capture, suppress
from signal_inspector.core.record.details import redactor
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.values import Details, Failure
from signal_inspector.names import signal_names
from signal_inspector.payload import summarize_exception

REASON_LENGTH: Final = 2_000
_DUMMY: Final = "django.db.backends.dummy"


class RefusedError(Exception):
    """Nothing has run; the message tells a person why."""


@dataclass(slots=True)
class _Ended:
    """What is known about the end of an attempt so far."""

    has_returned: bool = False
    committed: list[str] = field(default_factory=list)  # aliases of databases
    recorded_as: UUID | None = None
    refused: str = ""


def run_again(
    call: AuditedCall, *, reason: str, actor: object, expected: int | None = None
) -> Retry:
    """Run the receiver of a failed call once more, and return the record of this attempt.

    ``call`` comes from ``find_call``, ``actor`` is a user or a text, and ``expected`` is the
    number that the attempt would have had when somebody decided on it. Raises ``RefusedError`` if
    a condition fails, or if another attempt was first. An exception of the receiver is in the
    ``Retry``; a BaseException that is no ``Exception`` is raised as well.
    """
    text = storable(reason.strip())[:REASON_LENGTH]
    if not text:
        raise RefusedError("Nothing was run: a reason is required.")
    examined = examine(call)
    if not examined.may_run:
        raise RefusedError(f"Nothing was run: {' '.join(examined.obstacles)}")
    if expected not in (None, examined.next_attempt):
        said = "there has been another attempt in the meantime. See how it ended first."
        raise RefusedError(f"Nothing was run: {said}")
    return _run(_start(examined, text, actor), examined, actor)


def will_run_in(examined: Examined) -> list[str]:
    """The databases on which the attempt runs in its own transaction."""
    aliases = {DEFAULT_DB_ALIAS, *examined.arguments.aliases}
    if examined.found is not None and examined.found.sender_alias is not None:
        aliases.add(examined.found.sender_alias)
    known = connections.settings
    return sorted(
        alias for alias in aliases if alias in known and known[alias]["ENGINE"] != _DUMMY
    )


def _start(examined: Examined, reason: str, actor: object) -> Retry:
    """Record an attempt; this is committed before it starts. Its number is unique."""
    call = examined.call
    key, label = actor_of(actor)
    using = get_settings().database
    try:
        with suppress(), transaction.atomic(using=using, durable=True):
            return Retry.objects.using(using).create(
                dispatch_id=call.dispatch_id,
                call_index=call.index,
                attempt=examined.next_attempt,
                signal=call.dispatch.signal.text,
                receiver=call.receiver.text,
                at=stored_now(),
                actor=key,
                actor_label=label,
                reason=reason,
                outcome=RetryOutcome.STARTED,
            )
    except IntegrityError:
        raise RefusedError(
            "Nothing was run: this attempt has just been started by someone else."
        ) from None
    except DatabaseError as error:
        internal_errors.report("recording a retry", error)
        raise RefusedError("Nothing was run: the attempt could not be recorded.") from error


def _run(record: Retry, examined: Examined, actor: object) -> Retry:
    ended = _Ended()
    start = perf_counter_ns()
    failure: Failure | None = None
    try:
        with audit_circumstances(origin="retry", name="retry", actor=actor) as around:
            around.origin_name = f"retry {record.pk}"
            _in_transactions(examined, ended)
    except BaseException as error:
        failure = _in_words(error)
        if not isinstance(error, Exception):
            _finish(record, ended, perf_counter_ns() - start, failure, examined)
            raise
    _finish(record, ended, perf_counter_ns() - start, failure, examined)
    return record


class _StopError(Exception):
    """Ends the transactions of an attempt that cannot be made."""


def _in_transactions(examined: Examined, ended: _Ended) -> None:
    """Run the receiver in transactions: committed if it returns, rolled back if it raises."""
    try:
        with ExitStack() as stack:
            for alias in will_run_in(examined):
                stack.enter_context(transaction.atomic(using=alias, durable=True))
                transaction.on_commit(_noting(ended.committed, alias), using=alias)
            found, arguments = _still_there(examined)
            _send(found, examined.call.dispatch.signal.text, arguments, ended)
            ended.has_returned = True
    except _StopError:
        ended.refused = "Its arguments can no longer be restored."


def _still_there(examined: Examined) -> tuple[FoundReceiver, dict[str, Any]]:
    """The receiver to call, and its arguments, read again inside the transactions."""
    dispatch = examined.call.dispatch
    arguments = restore(dispatch.payload, dispatch.payload_dropped)
    if examined.found is None or not arguments.are_complete:
        raise _StopError
    return examined.found, arguments.values()


def _noting(aliases: list[str], alias: str) -> Callable[[], None]:
    return lambda: aliases.append(alias)


def _send(found: FoundReceiver, name: str, arguments: dict[str, Any], ended: _Ended) -> None:
    """Send to this one receiver only, as the signal itself would.

    The dispatch is sent by a new signal of the same name, to which nothing else is connected. So
    Django calls the receiver, sync or async, the inspector records the call, and what the receiver
    sends is attributed to it.
    """
    signal = Signal()
    signal.connect(_only(found), weak=False)
    signal_names.set(signal, name)
    with capture(details=Details.NONE, limit=1) as dispatches:
        try:
            signal.send(found.sender, **arguments)
        finally:
            if dispatches and policy_for(name) is not None:
                ended.recorded_as = dispatches[0].id


def _only(found: FoundReceiver) -> Callable[..., Any]:
    """The receiver, which gets the signal that it is connected to as its ``signal`` argument."""
    receiver = found.receiver.function

    def run(*, signal: Signal, **named: Any) -> Any:
        return receiver(signal=found.signal, **named)

    async def arun(*, signal: Signal, **named: Any) -> Any:
        return await receiver(signal=found.signal, **named)

    chosen: Any = arun if found.receiver.is_async else run
    chosen.__wrapped__ = receiver  # so that the log has the name of the receiver
    return chosen  # type: ignore[no-any-return]


def _in_words(error: BaseException) -> Failure:
    config = get_config()
    return summarize_exception(
        error, config.limits, with_traceback=True, redactor=redactor(config)
    )


def _finish(
    record: Retry, ended: _Ended, duration_ns: int, failure: Failure | None, examined: Examined
) -> None:
    """Complete the record. If this fails, it is reported, and the record stays "started"."""
    record.outcome = _outcome(ended, failure, will_run_in(examined))
    record.duration_ns = duration_ns
    record.recorded_as = ended.recorded_as
    record.message = ended.refused
    if failure is not None:
        record.exception_class = storable(failure.exception_class)
        record.message = storable(_after_commit(ended) + failure.message)
        record.traceback = storable(failure.traceback or "")
    changed = ("outcome", "duration_ns", "recorded_as", "message", "exception_class", "traceback")
    try:
        with suppress():
            rows = Retry.objects.using(get_settings().database).filter(pk=record.pk)
            rows.update(**{name: getattr(record, name) for name in changed})
    except Exception as error:
        internal_errors.report("recording the end of a retry", error)


def _outcome(ended: _Ended, failure: Failure | None, aliases: Collection[str]) -> RetryOutcome:
    if ended.refused:
        return RetryOutcome.REFUSED
    if failure is None:
        return RetryOutcome.RETURNED
    # An exception of an on_commit() callback does not undo the commit: no other attempt may run.
    is_done = ended.has_returned and set(ended.committed) >= set(aliases)
    return RetryOutcome.RETURNED if is_done and aliases else RetryOutcome.RAISED


def _after_commit(ended: _Ended) -> str:
    if not ended.committed:
        return ""
    return f"(after the commit on {', '.join(ended.committed)}) "
