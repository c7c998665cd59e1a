"""How a world sends, and what it writes down of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.differential import describe, signals
from tests.differential.loop import in_batch, in_spawned_task
from tests.differential.seen import Call, Sent
from tests.differential.spec import Method, Send

if TYPE_CHECKING:
    from tests.differential.run import Run

_MOST_LEVELS: Final = 3  # of sends within sends


def send(run: Run, step: Send, call: Call | None) -> None:
    """Send as sync code does."""
    signal = run.signals[step.signal]
    if in_batch() and any(entry[-1] for entry in signal.receivers):
        return
    sent = _open(run, step, step.method.sync, call)
    if sent is not None:
        arguments, named = _arguments(run, step, sent)
        try:
            responses = signals.method_of(signal, sent.method)(*arguments, **named)
        except BaseException as error:
            if not _failed(run, sent, error, step):
                raise
        else:
            _answered(run, sent, responses)


async def asend(run: Run, step: Send, call: Call | None) -> None:
    """Send as async code does."""
    signal = run.signals[step.signal]
    sent = _open(run, step, step.method, call)
    if sent is not None:
        arguments, named = _arguments(run, step, sent)
        try:
            responses = await signals.method_of(signal, sent.method)(*arguments, **named)
        except BaseException as error:
            if not _failed(run, sent, error, step):
                raise
        else:
            _answered(run, sent, responses)


def _open(run: Run, step: Send, method: Method, call: Call | None) -> Sent | None:
    if run.budget <= 0:
        return None
    if call is None:
        key = f"{len(run.sent)}"
    else:
        key = f"{call.send.key}/{call.number}.{call.count}"
        call.count += 1
    signal, sender = run.signals[step.signal], run.senders[step.sender]
    recorded = signals.can_be_recorded(signal, method, sender)
    sent = Sent(key, step.signal, method, call, in_spawned_task(), recorded)
    if sent.depth >= _MOST_LEVELS or _is_ambiguous(run, sent):
        return None
    run.sent.append(sent)
    return sent


def _is_ambiguous(run: Run, sent: Sent) -> bool:
    """Whether it looks from outside as if an override called another method of its own."""
    if sent.parent is None or sent.parent.send.signal != sent.signal:
        return False
    return sent.parent.send.method is not sent.method and run.is_alone(sent.parent.send)


def _arguments(run: Run, step: Send, sent: Sent) -> tuple[tuple[Any, ...], dict[str, Any]]:
    sender = run.senders[step.sender]
    named: dict[str, Any] = {}
    for name in (*step.named, "key"):
        if name == "key":
            named["key"] = sent.key
        else:
            named[name] = sender if name == "sender" else describe.Token(name)
    return (() if "sender" in named else (sender,)), named


def _failed(run: Run, sent: Sent, error: BaseException, step: Send) -> bool:
    sent.error = type(error).__name__
    run.log.append((sent.key, "raised", describe.exception(error), run.variables()))
    return step.swallow and isinstance(error, Exception)


def _answered(run: Run, sent: Sent, responses: Any) -> None:
    sent.receivers = [run.labels.receiver(receiver) for receiver, _ in responses]
    values = [describe.value(response) for _, response in responses]
    kinds = (type(responses).__name__, *{type(pair).__name__ for pair in responses})
    run.log.append((sent.key, *kinds, sent.receivers, values, run.variables()))
