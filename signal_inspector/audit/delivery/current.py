"""The delivery of this process: made when it is first needed, closed when the process ends."""

from __future__ import annotations

import logging
from dataclasses import replace

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from signal_inspector.audit.attribution import processes
from signal_inspector.audit.delivery.after_transaction import AfterTransaction
from signal_inspector.audit.delivery.base import Delivery, put_off
from signal_inspector.audit.delivery.buffered import Buffered
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.delivery.inline import Inline
from signal_inspector.audit.delivery.spooled import Spooled
from signal_inspector.audit.destinations.database.own_connections import OwnConnection
from signal_inspector.audit.settings import Audit, get_settings
from signal_inspector.conf import import_subclass
from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.listening.context import suppress

_logger = logging.getLogger("signal_inspector")
_lock = process_state.lock()

BUILT_IN: dict[str, type[Delivery]] = {
    each.name: each for each in (Buffered, AfterTransaction, Inline, Spooled)
}


def delivery_class(name: str) -> type[Delivery]:
    """The class of this name or dotted path; raises ImproperlyConfigured if there is none."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if "." not in name:
        known = ", ".join(["auto", *sorted(BUILT_IN)])
        raise ImproperlyConfigured(
            f"{name!r} is not a delivery. Use {known}, or the dotted path of a Delivery class."
        )
    return import_subclass(name, Delivery, "signal_inspector.audit.Delivery")


def shares_a_file(using: str) -> bool:
    """Whether this is a SQLite database that other code of the project writes to as well."""
    wanted = connections[using]
    if wanted.vendor != "sqlite":
        return False
    if using == "default":
        return True
    name = wanted.settings_dict["NAME"]
    return any(
        alias != using and connections.settings[alias]["NAME"] == name for alias in connections
    )


def chosen_class(settings: Audit) -> type[Delivery]:
    """The class that the settings ask for.

    ``AfterTransaction`` replaces a delivery with its own connection on a SQLite file that other
    code writes to: a thread of ours never writes there.
    """
    if settings.delivery == "auto":
        return AfterTransaction if connections[settings.database].vendor == "sqlite" else Buffered
    chosen = delivery_class(settings.delivery)
    if chosen.has_own_connection and shares_a_file(settings.database):
        return AfterTransaction
    return chosen


class Process:
    """Holds the delivery of this process."""

    def __init__(self) -> None:
        #: None until the first dispatch is to be kept, and after the settings changed.
        self.delivery: Delivery | None = None
        #: Names of deliveries for tests. The last one is used in place of that in the settings.
        self.asked: list[str] = []

    def get(self) -> Delivery:
        """The delivery; it is made if there is none yet."""
        with _lock:
            if self.delivery is None:
                settings = get_settings()
                try:
                    made = self._class(settings)(settings)
                except ImproperlyConfigured as error:
                    internal_errors.report("choosing the delivery of the audit", error)
                    made = chosen_class(replace(settings, delivery="auto"))(settings)
                self.delivery = made
            return self.delivery

    def _class(self, settings: Audit) -> type[Delivery]:
        return delivery_class(self.asked[-1]) if self.asked else chosen_class(settings)

    def use(self, delivery: Delivery | None) -> Delivery | None:
        """Use another delivery from now on. Return the one before it, without closing it."""
        with _lock:
            before, self.delivery = self.delivery, delivery
            return before

    def renew(self) -> None:
        """Close the delivery; the next dispatch that is to be kept makes a new one."""
        before = self.use(None)
        if before is not None:
            before.close(processes.EXIT_SECONDS)

    def close(self, timeout: float) -> bool:
        """Close the delivery at the end of the process. It stays, to count what comes too late.

        Losses that could not be written to the database as gaps are logged by the process.
        """
        delivery = self.delivery
        is_done = delivery is None or delivery.close(timeout)
        if delivery is not None and losses.unwritten():
            # The built-in deliveries have tried to write the gaps already.
            if not isinstance(delivery, (Buffered, AfterTransaction, Spooled)):
                _write_gaps(delivery.using)
            _tell_of_losses()
        return is_done

    def hold(self) -> None:
        """Keep the threads of the delivery from writing while the process forks."""
        if self.delivery is not None:
            self.delivery.hold()

    def go_on(self) -> None:
        """Let the delivery continue in the parent after a fork."""
        if self.delivery is not None:
            self.delivery.go_on()

    def forked(self) -> None:
        """Give the child a delivery without the parent's dispatches."""
        losses.forget()
        if self.delivery is not None:
            self.delivery.forked()


def _write_gaps(using: str) -> None:
    own = OwnConnection(using)
    try:
        with suppress(), own.used():
            losses.write(using, is_last=True)
    except Exception as error:
        put_off(error, using)
    finally:
        own.close()


def _tell_of_losses() -> None:
    lost = losses.unwritten()
    if lost:
        _logger.error(
            "The audit log lacks %d dispatches sent from %s to %s, and has no gap for them, "
            "because the database did not accept one before this process ended. Reason: %s.",
            sum(loss.missing - (loss.written or (0, False))[0] for loss in lost),
            min(loss.from_at for loss in lost).isoformat(),
            max(loss.to_at for loss in lost).isoformat(),
            ", ".join(sorted({loss.reason.label for loss in lost})),
        )


process = Process()

processes.watch(process)


def flush(timeout: float = processes.EXIT_SECONDS) -> bool:
    """Write what waits in this process. For code that ends the process in an unusual way.

    For example, before ``os._exit`` or in a handler of SIGTERM. False if ``timeout`` seconds are
    not enough.
    """
    delivery = process.delivery
    return delivery is None or delivery.flush(timeout)
