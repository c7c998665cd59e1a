"""The connected receivers that a send does not reach, and why."""

from __future__ import annotations

from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID, _make_id  # type: ignore[attr-defined]

from signal_inspector.core.record.values import NotCalled, NotCalledReason, ReceiverName
from signal_inspector.core.wrapper.connection_log import (
    Connection,
    is_dead,
    is_senderless,
    known_connections,
)
from signal_inspector.core.wrapper.django_entries import entries
from signal_inspector.names import receiver_name, sender_name
from signal_inspector.names.safe import class_mro, is_class
from signal_inspector.names.senders import INSTANCE


def not_called(signal: Signal, sender: object) -> tuple[NotCalled, ...]:
    """The receivers that a send from this sender does not reach, and why."""
    known = known_connections(signal)
    mine = _make_id(sender)
    missed = []
    for key, receiver, _ in entries(signal):
        connection = known.pop(key, None)
        if receiver is None and connection is not None:
            missed.append(_dead(connection))
        elif receiver is not None and key[1] not in (NONE_ID, mine):
            missed.append(_other_sender(receiver, connection, sender))
    for key, connection in known.items():
        if is_dead(connection):
            missed.append(_dead(connection))
        elif not is_senderless(connection):
            reached = key[1] in (NONE_ID, mine)
            missed.append(
                _taken_out(connection) if reached else _other_sender(None, connection, sender)
            )
    return tuple(missed)


def _other_sender(receiver: object, connection: Connection | None, sender: object) -> NotCalled:
    name = receiver_name(receiver) if connection is None else connection.receiver
    return _not_called(name, NotCalledReason.OTHER_SENDER, why_other_sender(connection, sender))


def why_other_sender(
    connection: Connection | None, sender: object, name: str | None = None
) -> str:
    """Why a connection for one sender does not hear another: "listens to sender X only".

    ``name`` is the sender that it listens to, for a connection that was not seen being made.
    """
    if connection is not None:
        name = connection.sender
    if name is None:
        return "listens only to another sender"
    sent = sender_name(sender)
    reference = None if connection is None else connection.sender_reference
    wanted = None if reference is None else reference()
    if is_class(wanted):
        if is_class(sender):
            if wanted in class_mro(sender):
                return f"listens only to sender {name}, and its subclass {sent} is another sender"
            if name == sent:
                return f"listens only to another class that is also called {name}"
        elif wanted in class_mro(type(sender)):
            return f"listens only to the class {name}, but an instance of it was the sender"
    elif name == sent:
        another = name if name.endswith(INSTANCE) else f"object that is called {name}"
        return f"listens only to another {another}"
    elif is_class(sender) and name == f"{sent}{INSTANCE}":
        return f"listens only to one {name}, but the class was the sender"
    return f"listens only to sender {name}"


def _taken_out(connection: Connection) -> NotCalled:
    return _not_called(
        connection.receiver,
        NotCalledReason.TAKEN_OUT,
        "it was removed from signal.receivers without disconnect()",
    )


def _dead(connection: Connection) -> NotCalled:
    what = connection.receiver.name.rpartition(".")[2]
    what = "the lambda" if what == "<lambda>" else "it"
    return _not_called(
        connection.receiver,
        NotCalledReason.DEAD,
        f"its weak reference is dead, because nothing else kept {what} alive",
    )


def _not_called(name: ReceiverName, reason: NotCalledReason, detail: str) -> NotCalled:
    return NotCalled(
        receiver=name.name, path=name.path, line=name.line, reason=reason, detail=detail
    )
