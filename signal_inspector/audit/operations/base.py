"""Operations: what somebody does with the log as a whole is logged, at its start and its end."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from django.db import DatabaseError, InterfaceError, connections

from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.models import (
    ACTOR_LABEL_LENGTH,
    ACTOR_LENGTH,
    Operation,
    OperationKind,
)
from signal_inspector.audit.sanitize import storable
from signal_inspector.audit.settings import get_settings
from signal_inspector.core import internal_errors
from signal_inspector.core.record.ids import monotonic

_DETAIL_LENGTH: Final = 4_000
_SECONDS: Final = 5.0  # between two updates of the progress


class RunningOperation:
    """An export, a prune or a purge while it runs, recorded in the log. A context manager.

    Its row is written before anything is done; if that fails, nothing is done. If the process is
    killed, the row has no end, and shows how far the operation got.
    """

    def __init__(self, kind: OperationKind, detail: str, actor: str = "", label: str = "") -> None:
        self._operation = Operation(
            kind=kind,
            at=stored_now(),
            actor=storable(actor)[:ACTOR_LENGTH],
            actor_label=storable(label)[:ACTOR_LABEL_LENGTH],
            detail=storable(detail)[:_DETAIL_LENGTH],
        )
        self._noted = monotonic()
        #: Dispatches exported or deleted so far.
        self.rows = 0

    def begin(self) -> Self:
        """Write the row of the operation; raises what the database raises."""
        self._operation.save(using=get_settings().database, force_insert=True)
        return self

    def count(self, rows: int) -> None:
        """Add to the number of dispatches, which is written now and then."""
        self.rows += rows
        if monotonic() - self._noted > _SECONDS:
            self._note()

    def end(self, how: str = "") -> None:
        """Write the end, once; ``how`` says why it was not complete. Never raises."""
        if self._operation.ended_at is not None:
            return
        self._operation.ended_at = stored_now()
        if how:
            self._operation.detail = f"{self._operation.detail}\n{storable(how)}"[:_DETAIL_LENGTH]
        self._note()

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end("" if exc is None else f"Incomplete: {type(exc).__name__} {exc}".rstrip())

    def _note(self) -> None:
        self._noted = monotonic()
        self._operation.rows = self.rows
        try:
            try:
                self._save()
            except (DatabaseError, InterfaceError):
                # The database server may restart during a long export.
                connections[get_settings().database].close_if_unusable_or_obsolete()
                self._save()
        except Exception as error:
            internal_errors.report("logging an export, a prune or a purge of the audit", error)

    def _save(self) -> None:
        self._operation.save(
            using=get_settings().database, update_fields=["rows", "ended_at", "detail"]
        )
