"""Holds the record of a world against what its senders and receivers saw."""

from __future__ import annotations

from collections import Counter, defaultdict

from signal_inspector import Dispatch, Outcome, ReceiverCall
from tests.differential.run import Run
from tests.differential.seen import Call, Sent


def check_record(run: Run, dispatches: list[Dispatch], *, has_details: bool) -> None:
    """Assert that there is one dispatch per send, and that each says what happened."""
    sends = [sent for sent in run.sent if sent.recorded]
    assert len(dispatches) == len(sends), f"{len(dispatches)} recorded, {len(sends)} were sent"
    by_send = dict(zip(map(id, sends), dispatches, strict=True))
    for sent, dispatch in zip(sends, dispatches, strict=True):
        if has_details:
            assert dispatch.payload is not None
            assert dispatch.payload["key"].value == sent.key
        _check_dispatch(run, sent, dispatch)
        _check_parent(run, sent, dispatch, by_send)


def _check_dispatch(run: Run, sent: Sent, dispatch: Dispatch) -> None:
    assert dispatch.method == sent.method
    assert dispatch.outcome is _outcome(sent), f"{sent.key}: {dispatch.outcome} {sent.error}"
    assert dispatch.duration_ns >= 0
    names = [call.receiver for call in dispatch.calls]
    if sent.receivers is not None:
        assert names == [_name(run, label) for label in sent.receivers]
    if not run.is_alone(sent):  # which is watched from outside: only what comes out is known
        _check_calls(run, sent, dispatch)
        _check_probes(run, sent, dispatch)


def _check_calls(run: Run, sent: Sent, dispatch: Dispatch) -> None:
    kinds = run.world.receivers
    sync = [call for call in sent.calls if not kinds[call.receiver].kind.is_async]
    called = [call.receiver for call in dispatch.calls if not call.is_async]
    assert called[: len(sync)] == [_name(run, call.receiver) for call in sync]
    # Sync receivers run in the order of the record. Async ones do not, and one that is connected
    # twice may have been called for either connection.
    seen, rows = defaultdict(list), defaultdict(list)
    for call in sent.calls:
        seen[_name(run, call.receiver)].append(call)
    for row in dispatch.calls:
        assert row.timed
        if row.offset_ns is None:
            assert row.outcome in (Outcome.SKIPPED, Outcome.CANCELLED), f"{sent.key}: {row}"
        else:
            rows[row.receiver].append(row)
    for name in rows.keys() | seen.keys():
        _check_receiver(run, seen[name], rows[name])


def _check_receiver(run: Run, calls: list[Call], rows: list[ReceiverCall]) -> None:
    """The calls of one receiver in one dispatch, as it saw them and as they were recorded."""
    for row in rows:
        assert 0 <= row.self_ns <= row.duration_ns
        assert (row.failure is not None) == (row.outcome in (Outcome.RAISED, Outcome.CANCELLED))
    if any(_is_marked(run, call) for call in calls):
        # What it returns may be awaited by nobody, or be cancelled before it says a word.
        outcomes = {call.outcome for call in calls} | {Outcome.CANCELLED}
        assert all(row.outcome in outcomes for row in rows), f"{calls}: {rows}"
        return
    ends = Counter((call.outcome, call.error) for call in calls)
    recorded = Counter((row.outcome.value, _error(row)) for row in rows)
    assert not ends - recorded, f"{calls}: {rows}"
    # A task that is cancelled before its first step never gets as far as the receiver.
    assert all(outcome == "cancelled" for outcome, _ in recorded - ends), f"{calls}: {rows}"


def _is_marked(run: Run, call: Call) -> bool:
    return run.world.receivers[call.receiver].kind.startswith("marked")


def _check_probes(run: Run, sent: Sent, dispatch: Dispatch) -> None:
    """Whenever a receiver looked it found itself, and no other, to be the one that runs."""
    for call in sent.calls:
        if _is_marked(run, call):
            continue  # its function runs before there is anything to be watched
        for probe in call.probes:
            assert probe is not None, f"{sent.key}: receiver {call.receiver} is not known to run"
            running, index = probe
            assert running is dispatch, f"{sent.key}: {running}"
            assert dispatch.calls[index].receiver == _name(run, call.receiver)


def _error(row: ReceiverCall) -> str:
    return "" if row.failure is None else row.failure.exception_class.rpartition(".")[2]


def _check_parent(run: Run, sent: Sent, dispatch: Dispatch, by_send: dict[int, Dispatch]) -> None:
    """The parent is the dispatch in whose receiver this one was sent."""
    parent = None if sent.parent is None else by_send[id(sent.parent.send)]
    assert dispatch.parent_id == (None if parent is None else parent.id), sent.key
    if parent is None or sent.parent is None or run.is_alone(sent.parent.send):
        return
    if sent.in_task and dispatch.parent_call is None:
        return  # the receiver that started the task may have ended since
    assert dispatch.parent_call is not None, sent.key
    call = parent.calls[dispatch.parent_call]
    assert call.receiver == _name(run, sent.parent.receiver), sent.key


def _outcome(sent: Sent) -> Outcome:
    if not sent.error:
        return Outcome.RETURNED
    is_end = sent.error in ("CancelledError", "GeneratorExit")
    return Outcome.CANCELLED if is_end else Outcome.RAISED


def _name(run: Run, label: object) -> str:
    return run.made[label].name if isinstance(label, int) else str(label)
