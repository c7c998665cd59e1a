"""Advice on failures: who was stopped, what was swallowed, what was undone, what recursed."""

from __future__ import annotations

from collections.abc import Iterator

from signal_inspector.records import Outcome
from signal_inspector.toolbar.advice import Advice, Case, Target, mono, sentence, strong, times
from signal_inspector.toolbar.parts import Badge
from signal_inspector.toolbar.stored import StoredDispatch
from signal_inspector.toolbar.wording import exception_name, strong_listing

_LEVELS = 300  # Python itself lets hardly more sends stand inside each other


def stopped_others(case: Case) -> Iterator[Advice]:
    """A receiver raised under a method that is not robust, so later ones never ran."""
    found: dict[tuple[str, tuple[str, ...], str], list[Target]] = {}
    for dispatch in case.dispatches:
        raised = _raised(dispatch)
        stopped = tuple(c.receiver for c in dispatch.calls if c.outcome is Outcome.SKIPPED)
        if raised is not None and stopped and not dispatch.method.is_robust:
            who = dispatch.calls[raised].receiver
            key = (who, stopped, dispatch.method.value)
            found.setdefault(key, []).append((dispatch.index, raised))
    for (who, stopped, method), targets in found.items():
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
                f" never ran{times(len(targets))}; with ",
                mono(f"{method}_robust"),
                " they would have." if len(stopped) > 1 else " it would have.",
            ),
            targets=tuple(targets),
        )


def _raised(dispatch: StoredDispatch) -> int | None:
    for index, call in enumerate(dispatch.calls):
        if call.outcome is Outcome.RAISED:
            return index
    return None


def swallowed_failures(case: Case) -> Iterator[Advice]:
    """A robust method handed an exception back, where only the log and the sender see it."""
    found: dict[tuple[str, str, str], list[Target]] = {}
    for dispatch, index, call in case.calls():
        if call.outcome is Outcome.RAISED and call.failure and dispatch.method.is_robust:
            key = (call.receiver, call.failure.exception_class, dispatch.method.value)
            found.setdefault(key, []).append((dispatch.index, index))
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
                " gave it back to the sender, who has to look for it in the responses.",
            ),
            targets=tuple(targets),
        )


def rolled_back(case: Case) -> Iterator[Advice]:
    """Receivers ran in a transaction that was rolled back afterwards."""
    found: dict[str, list[Target]] = {}
    for dispatch in case.dispatches:
        if dispatch.rolled_back and any(c.outcome is Outcome.RETURNED for c in dispatch.calls):
            found.setdefault(dispatch.signal, []).append((dispatch.index, None))
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
                f"{times(len(targets))} in a transaction that was rolled back later; "
                "what they did outside the database stays.",
            ),
            targets=tuple(targets),
        )


def recursion(case: Case) -> Iterator[Advice]:
    """A signal was sent inside one of its own receivers."""
    by_id = {dispatch.id: dispatch for dispatch in case.dispatches}
    depths: dict[str, int] = {}
    deepest: dict[str, tuple[int, StoredDispatch]] = {}
    for dispatch in case.dispatches:  # parents come before what they sent
        depth, above = 0, dispatch
        for _ in range(_LEVELS):
            parent = by_id.get(above.parent_id or "")
            if parent is None:
                break
            if parent.signal == dispatch.signal:
                depth = depths.get(parent.id, 0) + 1
                break
            above = parent
        depths[dispatch.id] = depth
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
                f" was sent inside a receiver of its own{deep}; "
                "nothing but that receiver's own condition ends this.",
            ),
            targets=((dispatch.index, None),),
            badge=Badge(text="recursion"),
        )
