"""The conditions under which a receiver may run again, each with its state and the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from signal_inspector.audit.destinations.database.adapters import utc_of
from signal_inspector.audit.lookups import calls, time_of
from signal_inspector.audit.models import (
    AuditedCall,
    Ending,
    Retry,
    RetryOutcome,
    TransactionOutcome,
)
from signal_inspector.audit.operations.retry_arguments import Arguments, restore
from signal_inspector.audit.operations.retry_receivers import FoundReceiver, NotFoundError, find
from signal_inspector.audit.settings import get_settings
from signal_inspector.display.numbers import plural, rough_time

#: An attempt that has not ended after so many seconds is assumed to be gone.
FORGOTTEN_SECONDS: Final = 3_600
_RAN: Final = (RetryOutcome.STARTED, RetryOutcome.RETURNED, RetryOutcome.RAISED)


class State(StrEnum):
    """The state of a condition."""

    MET = "met"
    FAILED = "failed"  # it forbids the attempt
    NOTE = "note"  # it does not forbid the attempt, but the person who decides must know of it


@dataclass(frozen=True, slots=True)
class RetryCondition:
    """One condition, its state, and a text about it."""

    name: str
    state: State
    text: str
    discreet: str = ""  # used instead for users without access to payloads; "": text shows none

    def words(self, may_see: bool) -> str:
        """The text to show to a user who may see payloads, or may not."""
        return self.text if may_see or not self.discreet else self.discreet


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A failed receiver call, and whether it can be run again."""

    call: AuditedCall
    attempts: list[Retry]  # the first one first
    conditions: list[RetryCondition]
    arguments: Arguments
    found: FoundReceiver | None

    @property
    def may_run(self) -> bool:
        """Whether no condition forbids it."""
        return all(each.state is not State.FAILED for each in self.conditions)

    @property
    def obstacles(self) -> list[str]:
        """The texts of the conditions that forbid it, without anything from the payload."""
        failed = (each for each in self.conditions if each.state is State.FAILED)
        return [each.words(may_see=False) for each in failed]

    @property
    def next_attempt(self) -> int:
        """The number of the next attempt."""
        return self.attempts[-1].attempt + 1 if self.attempts else 1


def find_call(dispatch_id: UUID, index: int) -> AuditedCall:
    """A receiver call in the log, with its dispatch and names.

    Raises ``AuditedCall.DoesNotExist`` if there is none.
    """
    together = ("dispatch__signal", "dispatch__sender", "receiver", "exception", "location")
    return calls().select_related(*together).get(dispatch_id=dispatch_id, index=index)


def attempts_at(dispatch_id: UUID, index: int) -> list[Retry]:
    """The attempts at a receiver call, the first one first."""
    using = get_settings().database
    found = Retry.objects.using(using).filter(dispatch_id=dispatch_id, call_index=index)
    return list(found.order_by("attempt"))


def examine(call: AuditedCall) -> Examined:
    """Check all conditions as they are now; ``call`` comes from ``find_call``."""
    dispatch = call.dispatch
    attempts = attempts_at(call.dispatch_id, call.index)
    arguments = restore(dispatch.payload, dispatch.payload_dropped)
    found: FoundReceiver | None = None
    missing = ""
    try:
        found = find(dispatch.signal.text, dispatch.sender.text, call.receiver.text)
    except NotFoundError as error:
        missing = str(error)
    conditions = [
        _raised(call),
        _no_success(attempts),
        *_none_under_way(attempts),
        _old_enough(call),
        _attempts_left(attempts),
        _transaction(call),
        _restorable(arguments),
        *_connected(call, found, missing),
    ]
    return Examined(
        call=call, attempts=attempts, conditions=conditions, arguments=arguments, found=found
    )


def _condition(name: str, is_met: bool, met: str, failed: str) -> RetryCondition:
    return (
        RetryCondition(name, State.MET, met)
        if is_met
        else RetryCondition(name, State.FAILED, failed)
    )


def _raised(call: AuditedCall) -> RetryCondition:
    what = "an exception" if call.exception is None else call.exception.text
    words = dict(Ending.choices).get(call.outcome, "unknown")
    failed = f"Only a receiver that raised can be run again; the outcome of this one is: {words}."
    return _condition("raised", call.outcome == Ending.RAISED, f"It raised {what}.", failed)


def _no_success(attempts: list[Retry]) -> RetryCondition:
    done = next((each for each in attempts if each.outcome == RetryOutcome.RETURNED), None)
    failed = (
        ""
        if done is None
        else f"Attempt {done.attempt} has succeeded, so there is no need to run it again."
    )
    return _condition("no success", done is None, "No attempt has succeeded since.", failed)


def _none_under_way(attempts: list[Retry]) -> Iterator[RetryCondition]:
    """A long attempt looks like one whose process is gone, so it is given an hour."""
    for each in attempts:
        if each.outcome != RetryOutcome.STARTED:
            continue
        if datetime.now(UTC) - utc_of(each.at) < timedelta(seconds=FORGOTTEN_SECONDS):
            wait = "Wait until it ends, or for an hour after its start if its process is gone."
            text = f"Attempt {each.attempt} is still running. {wait}"
            yield RetryCondition("running", State.FAILED, text)
        else:
            text = (
                f"Attempt {each.attempt} has not ended: its process is gone, or it is still "
                "running. If the process is gone, its transaction was not committed; what it "
                "did outside the database is not known."
            )
            yield RetryCondition("running", State.NOTE, text)


def _old_enough(call: AuditedCall) -> RetryCondition:
    minimum = get_settings().retry_minimum_age
    ended = time_of(call.dispatch_id) + timedelta(microseconds=call.dispatch.duration_ns // 1_000)
    age = max((datetime.now(UTC) - ended).total_seconds(), 0)
    told = f"It is {rough_time(age)} old; the minimum is {rough_time(minimum)}"
    return _condition(
        "age", age >= minimum, f"{told}.", f"{told}: the cause of the failure may still go away."
    )


def _attempts_left(attempts: list[Retry]) -> RetryCondition:
    most = get_settings().retry_attempts
    used = sum(1 for each in attempts if each.outcome in _RAN)
    told = f"{used} of {most} attempts {'is' if used == 1 else 'are'} used"
    return _condition("attempts", used < most, f"{told}.", f"{told}: no more are allowed.")


def _transaction(call: AuditedCall) -> RetryCondition:
    outcome = call.dispatch.transaction_outcome
    if outcome == TransactionOutcome.ROLLED_BACK:
        text = (
            "The transaction of the dispatch was rolled back: the event that the signal "
            "announced was undone, and its keys may belong to other objects now."
        )
        return RetryCondition("transaction", State.FAILED, text)
    if outcome == TransactionOutcome.COMMITTED:
        return RetryCondition("transaction", State.MET, "Its transaction was committed.")
    if outcome == TransactionOutcome.NONE:
        return RetryCondition("transaction", State.MET, "It was sent outside any transaction.")
    text = (
        "How its transaction ended is not known. If it was rolled back, the event that the "
        "signal announced was undone, and its keys may belong to other objects now. Check them "
        "first."
    )
    return RetryCondition("transaction", State.NOTE, text)


def _restorable(arguments: Arguments) -> RetryCondition:
    if arguments.are_complete:
        objects = plural(arguments.objects, "object by its key", "objects by their keys")
        plain = plural(arguments.plain, "plain value")
        text = f"Its arguments can be restored: {objects}, {plain}."
        return RetryCondition("arguments", State.MET, text)
    missing = arguments.missing
    whys = [f"{each.name} – {each.why_not}" for each in missing[:3]]
    more = f"; and {len(missing) - 3} more" if len(missing) > 3 else ""
    told = arguments.fault or "; ".join(whys) + more
    counted = arguments.fault or f"{len(missing)} of {len(arguments.each)}"
    cannot = "Its arguments cannot be restored"
    return RetryCondition("arguments", State.FAILED, f"{cannot}: {told}.", f"{cannot}: {counted}.")


def _connected(
    call: AuditedCall, found: FoundReceiver | None, missing: str
) -> Iterator[RetryCondition]:
    signal = call.dispatch.signal.text
    if found is None:
        text = f"The receiver cannot be found in the running code: {missing}."
        yield RetryCondition("connected", State.FAILED, text)
        return
    yield RetryCondition("connected", State.MET, f"The receiver is connected to {signal} now.")
