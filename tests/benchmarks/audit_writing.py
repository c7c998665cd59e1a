"""Rows into the log, a second: one ``save()`` each, ``bulk_create``, and the audit's own way.

All three write the same dispatches, each with three receiver calls and an object that it carried,
from the same plain rows; a dispatch counts as one. Names are in the tables before. Ours counts
for the overview in the same transaction, which the others do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import connections, models, transaction
from django.dispatch import Signal

from signal_inspector import capture
from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.destinations.database.adapters import Binder, moment
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, AuditedObject
from signal_inspector.audit.rows import (
    Item,
    Rows,
    render,
)
from signal_inspector.audit.settings import policies

BATCH: Final = 500
COPY_MUST: Final = 10.0  # times as many as save(), on PostgreSQL
_MODELS: Final = (AuditedDispatch, AuditedCall, AuditedObject)

written = Signal()


@dataclass(frozen=True)
class Rate:
    """One line of the table."""

    database: str
    case: str
    per_second: float
    ratio: float  # to save()
    must: float | None = None

    @property
    def is_near(self) -> bool:
        return self.must is None or self.ratio >= self.must

    @property
    def verdict(self) -> str:
        return "" if self.must is None else "ok" if self.is_near else "MISSED"


def connect() -> None:
    """Three receivers, one of which fails for one order in fifty."""

    def award(sender: object, **named: Any) -> None:
        if named["user"].pk % 50 == 0:
            raise ValueError("no account")

    def log(sender: object, **named: Any) -> str:
        return "logged"

    def mail(sender: object, **named: Any) -> None:
        pass

    for receiver in (award, log, mail):
        written.connect(receiver, weak=False)


def made(count: int) -> list[Rows]:
    """The rows of so many new dispatches."""
    around = Circumstances(
        request_id="4f1c", actor="auth.User:7", actor_label="ada", origin_name="POST /checkout/"
    )
    policy = policies()[-1]  # as without RULES: payloads and tracebacks, no responses
    with capture(limit=count) as dispatches:
        for number in range(count):
            written.send_robust(
                User, user=User(pk=number + 1, username="ada"), channel="web", total=248.5
            )
    assert len(dispatches) == count
    return [
        render(Item(dispatch, around, policy), process="figures", delivery="figures")
        for dispatch in dispatches
    ]


def rates(using: str, count: int) -> list[Rate]:
    """What this database takes; the best of three for each way."""
    connection = connections[using]
    write(made(10), using)  # the names
    own = "ours: COPY" if connection.vendor == "postgresql" else "ours: executemany"
    ways: list[tuple[str, Callable[[Sequence[Rows], str], None], int]] = [
        ("save() each", _save, max(count // 10, BATCH)),
        (f"bulk_create({BATCH})", _bulk_create, count),
        (own, _ours, count),
    ]
    found = {name: max(_rate(way, using, share) for _ in range(3)) for name, way, share in ways}
    first = found["save() each"]
    is_copy = connection.vendor == "postgresql"
    return [
        Rate(
            connection.display_name,
            name,
            rate,
            rate / first,
            must=COPY_MUST if is_copy and name == own else None,
        )
        for name, rate in found.items()
    ]


def _rate(way: Callable[[Sequence[Rows], str], None], using: str, count: int) -> float:
    batch = made(count)
    before = AuditedDispatch.objects.using(using).count()
    began = perf_counter()
    way(batch, using)
    took = perf_counter() - began
    assert AuditedDispatch.objects.using(using).count() - before == count
    return count / took


def _instances(batch: Sequence[Rows], using: str) -> list[list[models.Model]]:
    """The rows as instances of the models, in the order of the models."""
    now = datetime.now(UTC)
    dispatches, calls, objects = Binder(connections[using]).bind(batch, now)
    dispatches = [
        row._replace(started_at=moment(rows.dispatch.started_at), written_at=now)
        for row, rows in zip(dispatches, batch, strict=True)
    ]
    return [
        [model(**row._asdict()) for row in rows]
        for model, rows in zip(_MODELS, (dispatches, calls, objects), strict=True)
    ]


def _save(batch: Sequence[Rows], using: str) -> None:
    for rows in batch:
        for instances in _instances([rows], using):
            for instance in instances:
                instance.save(using=using, force_insert=True)


def _bulk_create(batch: Sequence[Rows], using: str) -> None:
    for start in range(0, len(batch), BATCH):
        with transaction.atomic(using=using):
            for model, instances in zip(
                _MODELS, _instances(batch[start : start + BATCH], using), strict=True
            ):
                model._default_manager.using(using).bulk_create(instances)  # type: ignore[arg-type]


def _ours(batch: Sequence[Rows], using: str) -> None:
    for start in range(0, len(batch), BATCH):
        result = write(batch[start : start + BATCH], using)
        assert not result.refused


def table(lines: Sequence[Rate]) -> str:
    """The lines for people."""
    head = f"{'dispatches into the log':<32} {'database':<12} {'a second':>9} {'ratio':>7}"
    shown = [head, "-" * (len(head) + 14)]
    for line in lines:
        must = "" if line.must is None else f"≥{line.must:.0f}"
        shown.append(
            f"{line.case:<32} {line.database:<12} {line.per_second:>9,.0f} {line.ratio:>7.1f} "
            f"{must:>5}  {line.verdict}".rstrip()
        )
    return "\n".join(shown)
