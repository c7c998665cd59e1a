"""The facts that the rules check: what is connected in this process, and what the source says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.dispatch import Signal

from signal_inspector.checks.findings import Checks, concerns
from signal_inspector.core import internal_errors
from signal_inspector.core.record.callers import is_third_party
from signal_inspector.core.record.values import Caller, ReceiverName
from signal_inspector.core.wrapper import connection_log, django_entries
from signal_inspector.core.wrapper.connection_log import Connection
from signal_inspector.names import creation_place, loaded_signals, receiver_name
from signal_inspector.names.safe import instance_attribute
from signal_inspector.source_code.project import (
    names_signals,
    project_readings,
    reading_of,
    settle,
)
from signal_inspector.source_code.records import Connect, Creation, Mention, ModuleSource, Send

_NOBODYS = ("django.", "debug_toolbar.", "signal_inspector.")  # not for the project to fix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Connected:
    """One connection, with the receiver itself. Such objects are kept only during a check."""

    signal: str
    name: ReceiverName
    receiver: Any  # None if it is dead
    sender: str | None  # the only sender it listens to; None for any sender
    sender_key: object  # Django's key of the sender
    is_async: bool
    connection: Connection | None  # None if it was connected before the wrapper was installed

    @property
    def is_dead(self) -> bool:
        return self.receiver is None

    @property
    def connected_at(self) -> Caller:
        """The code that connected the receiver; an empty ``Caller`` if it is not known."""
        where = self.connection.connected_at if self.connection else None
        return where or Caller("", 0, "")


class Facts:
    """The facts to check. Each is gathered when the first rule needs it, once for all rules."""

    def __init__(self, options: Checks) -> None:
        self.options = options

    @cached_property
    def signals(self) -> dict[str, Signal]:
        """Every signal of the loaded modules that settings do not exclude, by name."""
        found = sorted(loaded_signals().items())
        return {name: signal for name, signal in found if concerns(self.options, name)}

    @cached_property
    def own_signals(self) -> dict[str, Signal]:
        """The signals that the project itself defines."""
        return {name: it for name, it in self.signals.items() if self._is_own_signal(name)}

    def made_at(self, signal: str) -> tuple[str, int]:
        """The file and line that make one of these signals; line 0 if it is not known."""
        return creation_place(self.signals[signal], signal)

    @cached_property
    def connected(self) -> list[Connected]:
        """The connections of all signals, ordered by signal, including dead receivers."""
        return [each for name, it in self.signals.items() for each in _readable(name, it)]

    @cached_property
    def own(self) -> list[Connected]:
        """The connections made by the project, or to one of the project's receivers."""
        return [each for each in self.connected if self._is_own(each)]

    def live(self, signal: str) -> list[Connected]:
        """All live connections of a signal, whether they are the project's or not."""
        return [each for each in self.connected if each.signal == signal and not each.is_dead]

    def is_own_place(self, path: str) -> bool:
        """Whether the checks should look at a file."""
        return bool(path) and (self.options.third_party or not is_third_party(path))

    @cached_property
    def sources(self) -> list[ModuleSource]:
        """What the source says: only the project's, unless third parties are checked too.

        Includes the project's loaded modules that are in no app, as they send signals too.
        """
        about = frozenset(name.rpartition(".")[2] for name in self.own_signals)
        third_party = self.options.third_party
        readings = project_readings(third_party=third_party, brief=True, about=about)
        known = {reading.path for reading in readings}
        beside = [
            reading_of(module, path)
            for module, path in loaded_modules()
            if path not in known and not is_third_party(path) and names_signals(path, about)
        ]
        return settle([*readings, *beside])

    def is_read(self, signal: str) -> bool:
        """Whether the source of the module that holds a signal is among ``sources``."""
        return file_of(signal) in self._files

    @cached_property
    def _files(self) -> set[str]:
        return {source.path for source in self.sources}

    @cached_property
    def creations(self) -> list[Creation]:
        return [each for source in self.sources for each in source.creations]

    @cached_property
    def sends(self) -> dict[str, list[Send]]:
        """The sends in the source, by signal."""
        found: dict[str, list[Send]] = {}
        for source in self.sources:
            for send in source.sends:
                found.setdefault(send.signal, []).append(send)
        return found

    def handed_on(self, signal: str) -> list[Mention]:
        """Where the source passes on a signal, or an object that holds it, out of our sight.

        Calls that pass it to a function that is seen to send it are left out.
        """
        seen = {(send.path, send.line) for send in self.sends.get(signal, ()) if send.through}
        every = (
            *self._mentions.get(signal, ()),
            *self._mentions.get(signal.rpartition(".")[0], ()),
        )
        return [each for each in every if (each.path, each.line) not in seen]

    @cached_property
    def _mentions(self) -> dict[str, list[Mention]]:
        found: dict[str, list[Mention]] = {}
        for source in self.sources:
            for mention in source.mentions:
                found.setdefault(mention.signal, []).append(mention)
        return found

    @cached_property
    def connects(self) -> list[Connect]:
        return [each for source in self.sources for each in source.connects]

    def _is_own(self, connected: Connected) -> bool:
        if connected.name.name.startswith(_NOBODYS):
            return False
        places = (connected.name.path, connected.connected_at.path)
        return any(map(self.is_own_place, places))

    def _is_own_signal(self, name: str) -> bool:
        return not name.startswith(_NOBODYS) and self.is_own_place(file_of(name))


def _readable(name: str, signal: Signal) -> list[Connected]:
    """The connections of a signal; none if a subclass has made ``receivers`` unreadable.

    The catalog's entries would not do: they hold neither the receiver nor its note, which the
    rules look at, and to number what is connected again would only be work for each start.
    """
    try:
        return list(_connected(name, signal))
    except Exception as error:
        internal_errors.report("the receivers of a signal", error)
        return []


def _connected(name: str, signal: Signal) -> Iterator[Connected]:
    known = connection_log.known_connections(signal)
    for key, receiver, is_async in django_entries.entries(signal):
        connection = known.pop(key, None)
        if receiver is not None:
            yield Connected(
                signal=name,
                name=connection.receiver if connection else receiver_name(receiver),
                receiver=receiver,
                sender=connection.sender if connection else None,
                sender_key=None if django_entries.hears_any_sender(key) else key[1],
                is_async=is_async,
                connection=connection,
            )
        elif connection is not None:
            yield _dead(name, connection)
    for connection in known.values():
        if connection_log.is_dead(connection):
            yield _dead(name, connection)


def _dead(signal: str, connection: Connection) -> Connected:
    return Connected(
        signal=signal,
        name=connection.receiver,
        receiver=None,
        sender=connection.sender,
        sender_key=None,
        is_async=False,
        connection=connection,
    )


def loaded_modules() -> list[tuple[str, str]]:
    """The loaded modules that have a source file, without tests and ``__main__``."""
    found = []
    for name, module in dict.copy(sys.modules).items():
        path = instance_attribute(module, "__file__")
        is_test = any(part.startswith(("test", "conftest")) for part in name.split("."))
        if type(path) is str and path.endswith(".py") and not is_test and name != "__main__":
            found.append((name, path))
    return found


def file_of(signal: str) -> str:
    """The file of the module in a signal's dotted name; "" if there is none."""
    module = signal
    while module:
        module = module.rpartition(".")[0]
        if module in sys.modules:
            path = instance_attribute(sys.modules[module], "__file__")
            return path if type(path) is str else ""
    return ""
