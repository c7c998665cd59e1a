"""Advice on dispatches: what failed, and what costs time.

Skipped receivers, swallowed failures, rollbacks and recursion; repetition, slow receivers in a
transaction, and threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall
from signal_inspector.display.numbers import duration, integer, plural
from signal_inspector.display.parts import Badge
from signal_inspector.display.text import exception_name, unique
from signal_inspector.toolbar.advice import (
    Advice,
    Case,
    Target,
    mono,
    sentence,
    strong,
    strong_listing,
    times,
)

_LEVELS = 300  # Python's recursion limit hardly allows more nested sends

_REPEATED_QUERY = 5


def stopped_others(case: Case) -> Iterator[Advice]:
    """A receiver raised under a send that is not robust, so later receivers were skipped."""
    found: dict[tuple[str, tuple[str, ...], str], list[Target]] = {}
    for dispatch in case.dispatches:
        raised = _raised(dispatch)
        stopped = tuple(c.receiver for c in dispatch.calls if c.outcome is Outcome.SKIPPED)
        if raised is not None and stopped and not dispatch.method.is_robust:
            who = dispatch.calls[raised].receiver
            key = (who, stopped, dispatch.method.value)
            found.setdefault(key, []).append((dispatch.sequence, raised))
    for (who, stopped, method), targets in found.items():
        were = "were" if len(stopped) > 1 else "was"
        yield Advice(
            kind="stopped others",
            severity="mend",
            title="Stopped others",
            reason=sentence(
                strong(who),
                " raised under ",
                mono(method),
                ", so ",
                strong_listing(stopped),
                f" {were} not called{times(len(targets))}. With ",
                mono(f"{method}_robust"),
                " they would have been." if len(stopped) > 1 else " it would have been.",
            ),
            targets=tuple(targets),
        )


def _raised(dispatch: Dispatch) -> int | None:
    for index, call in enumerate(dispatch.calls):
        if call.outcome is Outcome.RAISED:
            return index
    return None


def swallowed_failures(case: Case) -> Iterator[Advice]:
    """A robust send returned an exception, which only the log and the sender see."""
    found: dict[tuple[str, str, str], list[Target]] = {}
    for dispatch, index, call in case.calls():
        if call.outcome is Outcome.RAISED and call.failure and dispatch.method.is_robust:
            key = (call.receiver, call.failure.exception_class, dispatch.method.value)
            found.setdefault(key, []).append((dispatch.sequence, index))
    for (who, exception, method), targets in found.items():
        yield Advice(
            kind="swallowed",
            severity="know",
            title="Swallowed",
            reason=sentence(
                strong(who),
                " raised ",
                mono(exception_name(exception)),
                f"{times(len(targets))}; ",
                mono(method),
                " returned it to the sender, which has to look for it in the responses.",
            ),
            targets=tuple(targets),
        )


def rolled_back(case: Case) -> Iterator[Advice]:
    """Receivers ran in a transaction that was rolled back afterwards."""
    found: dict[str, list[Target]] = {}
    for dispatch in case.dispatches:
        if dispatch.rolled_back and any(c.outcome is Outcome.RETURNED for c in dispatch.calls):
            found.setdefault(dispatch.signal, []).append((dispatch.sequence, None))
    for signal, targets in found.items():
        first = case.dispatches[targets[0][0]]
        done = [c.receiver for c in first.calls if c.outcome is Outcome.RETURNED]
        yield Advice(
            kind="rolled back",
            severity="know",
            title="Rolled back",
            reason=sentence(
                strong_listing(done),
                " ran for ",
                strong(signal),
                f"{times(len(targets))} in a transaction that was rolled back later. What they "
                "did outside the database was not undone.",
            ),
            targets=tuple(targets),
        )


def recursion(case: Case) -> Iterator[Advice]:
    """A signal was sent inside one of its own receivers."""
    depths: dict[str, int] = {}
    deepest: dict[str, tuple[int, Dispatch]] = {}
    for dispatch in case.dispatches:  # a dispatch comes before the ones nested in it
        depth, above = 0, dispatch
        for _ in range(_LEVELS):
            parent = case.tree.parent(above)
            if parent is None:
                break
            if parent.signal == dispatch.signal:
                depth = depths.get(parent.id_text, 0) + 1
                break
            above = parent
        depths[dispatch.id_text] = depth
        if depth > deepest.get(dispatch.signal, (0, dispatch))[0]:
            deepest[dispatch.signal] = (depth, dispatch)
    for signal, (depth, dispatch) in deepest.items():
        deep = f", {depth} deep" if depth > 1 else ""
        yield Advice(
            kind="recursion",
            severity="know",
            title="Recursion",
            reason=sentence(
                strong(signal),
                f" was sent by one of its own receivers{deep}. Only a condition in that "
                "receiver ends the recursion.",
            ),
            targets=((dispatch.sequence, None),),
            badge=Badge(text="recursion"),
        )


def slow_in_transaction(case: Case) -> Iterator[Advice]:
    """A receiver held a transaction open for a long time."""
    limit_ns = case.config.toolbar.slow_in_transaction_ms * 1_000_000
    found: dict[str, list[tuple[int, Target]]] = {}
    for dispatch, index, call in case.calls():
        # By its own time: receivers of nested dispatches are judged by themselves.
        if dispatch.in_transaction and call.timed and call.self_ns >= max(limit_ns, 1):
            target = (dispatch.sequence, index)
            found.setdefault(call.receiver, []).append((call.duration_ns, target))
    for receiver, slow in found.items():
        slow.sort(key=lambda pair: -pair[0])
        yield Advice(
            kind="slow in a transaction",
            severity="mend",
            title="Slow in a transaction",
            reason=sentence(
                strong(receiver),
                f" kept the transaction and its locks open for {duration(slow[0][0])}"
                f"{times(len(slow))}. With ",
                mono("transaction.on_commit"),
                " it would run after the commit.",
            ),
            targets=tuple(target for _, target in slow),
            badge=Badge(text="slow in a transaction", tone="warn", glyph="warn"),
        )


def ran_often(case: Case) -> Iterator[Advice]:
    """The same receivers ran again and again."""
    calls: dict[str, list[tuple[Dispatch, int, ReceiverCall]]] = {}
    for dispatch, index, call in case.calls():
        if call.offset_ns is not None:
            calls.setdefault(call.receiver, []).append((dispatch, index, call))
    alike: dict[tuple[str, int], list[str]] = {}
    for receiver, ran in calls.items():
        if len(ran) >= max(case.config.toolbar.repeated, 2):
            alike.setdefault((ran[0][0].signal, len(ran)), []).append(receiver)
    for (signal, number), receivers in alike.items():
        ran = [one for receiver in receivers for one in calls[receiver]]
        queries = sum(call.query_count for _, _, call in ran)
        cost = duration(sum(call.self_ns for _, _, call in ran))
        if queries:
            cost += f", {plural(queries, 'query', 'queries')}"
        yield Advice(
            kind="ran often",
            severity="know",
            title=f"Ran {integer(number)} times",
            reason=sentence(
                strong_listing(receivers),
                f" ran {integer(number)} times ({cost}). One ",
                strong(signal),
                f" for everything would run {'it' if len(receivers) == 1 else 'them'} once.",
            ),
            targets=((ran[0][0].sequence, ran[0][1]),),
        )


def repeated_query(case: Case) -> Iterator[Advice]:
    """A receiver call ran the same SQL statement many times."""
    worst: dict[str, tuple[int, Target, ReceiverCall]] = {}
    for dispatch, index, call in case.calls():
        if len(call.queries) < _REPEATED_QUERY:
            continue
        _, number = Counter((q.alias, q.sql) for q in call.queries).most_common(1)[0]
        if number >= _REPEATED_QUERY and number > worst.get(call.receiver, (0,))[0]:
            worst[call.receiver] = (number, (dispatch.sequence, index), call)
    for receiver, (number, target, call) in worst.items():
        yield Advice(
            kind="repeated query",
            severity="know",
            title="Repeated query",
            reason=sentence(
                strong(receiver),
                f" ran the same statement {integer(number)} times, among its "
                f"{plural(call.query_count, 'query', 'queries')}.",
            ),
            targets=(target,),
            badge=Badge(text=f"{integer(number)} \N{MULTIPLICATION SIGN} one query"),
        )


def thread_for_asend(case: Case) -> Iterator[Advice]:
    """An async send had to run sync receivers in a thread."""
    found: dict[str, list[tuple[int, int, Target, tuple[str, ...]]]] = {}
    for dispatch in case.dispatches:
        if not dispatch.method.is_async:
            continue
        sync = [
            i for i, c in enumerate(dispatch.calls) if not c.is_async and c.offset_ns is not None
        ]
        if sync:
            waiting, waited_ns = _waited(dispatch)
            names = tuple(unique(dispatch.calls[i].receiver for i in sync))
            target: Target = (dispatch.sequence, sync[0])
            found.setdefault(dispatch.signal, []).append((waited_ns, waiting, target, names))
    for sends in found.values():
        waited_ns, waiting, worst, names = max(sends, key=lambda send: send[0])
        method = case.dispatches[worst[0]].method.value
        moved = "is sync, so " if len(names) == 1 else "are sync, so "
        wait = f", and the {plural(waiting, 'async receiver')} waited {duration(waited_ns)} for "
        wait = f"{wait}{'it' if len(names) == 1 else 'them'}" if waiting else ""
        yield Advice(
            kind="thread for asend",
            severity="know",
            title=f"Thread for {method}",
            reason=sentence(
                strong_listing(names),
                f" {moved}",
                mono(method),
                f" ran {'it' if len(names) == 1 else 'them'} in a thread{wait}"
                f"{times(len(sends))}.",
            ),
            targets=(worst, *(send[2] for send in sends if send[2] != worst)),
        )


def _waited(dispatch: Dispatch) -> tuple[int, int]:
    """How many async receivers waited for the sync ones to end, and for how long (ns).

    Django 6.1 runs the sync receivers first; 5.2 and 6.0 run both at once, so that none waits.
    """
    ran = [
        (c.is_async, c.offset_ns, c.duration_ns) for c in dispatch.calls if c.offset_ns is not None
    ]
    sync = [(start, start + took) for is_async, start, took in ran if not is_async]
    starts = [start for is_async, start, _ in ran if is_async]
    if not starts or min(starts) < max(end for _, end in sync):
        return 0, 0
    return len(starts), max(end for _, end in sync) - min(start for start, _ in sync)
