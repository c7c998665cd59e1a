"""What readers of the log need: ids for dates, names by number, keys of objects, gaps."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from signal_inspector.audit.destinations.database.adapters import moment, stored
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Gap,
    Name,
    NameKind,
)
from signal_inspector.audit.sanitize import name_id, name_text
from signal_inspector.audit.settings import get_settings
from signal_inspector.names.receivers import PARTIAL

_MICROSECOND: Final = timedelta(microseconds=1)
_VERSION: Final = 7 << 76
_VARIANT: Final = 0b10 << 62

OFFERED: Final = 500  # names that a filter offers
_ALIKE: Final = 20
GONE: Final = "(name not found)"


def dispatches() -> QuerySet[AuditedDispatch]:
    """The dispatches of the log, in the log's database."""
    return AuditedDispatch.objects.using(get_settings().database)


def calls() -> QuerySet[AuditedCall]:
    """The receiver calls of the log."""
    return AuditedCall.objects.using(get_settings().database)


def first_id_at(when: datetime) -> UUID:
    """The smallest possible id of a dispatch that started at this time or later.

    A naive time is in the current time zone. Times before 1970 count as 1970.
    """
    microseconds = max((_aware(when).astimezone(UTC) - moment(0)) // _MICROSECOND, 0)
    milliseconds, rest = divmod(microseconds, 1_000)
    fraction = rest * 4_096 // 1_000
    return UUID(int=milliseconds << 80 | _VERSION | fraction << 64 | _VARIANT)


def in_time(start: datetime | None, end: datetime | None, field: str = "id") -> Q:
    """The dispatches that started from ``start`` on and before ``end``, as a range of their ids.

    ``field`` is the field that holds the id: "id", or "dispatch_id" of calls and objects.
    """
    found = Q()
    if start is not None:
        found &= Q(**{f"{field}__gte": first_id_at(start)})
    if end is not None:
        found &= Q(**{f"{field}__lt": first_id_at(end)})
    return found


def time_of(id_: UUID) -> datetime:
    """When the dispatch of this id started, in UTC; up to a microsecond early."""
    fraction = id_.int >> 64 & 0xFFF
    return moment((id_.int >> 80) * 1_000 + fraction * 1_000 // 4_096)


def number_of(kind: NameKind, text: str) -> int:
    """The number that stands for a name in rows, whether or not the log has the name."""
    return name_id(kind, name_text(text))


def names_of(kind: NameKind) -> list[tuple[int, str]]:
    """Numbers and texts of all names of a kind, sorted by text."""
    found = Name.objects.using(get_settings().database).filter(kind=kind)
    return sorted(found.values_list("id", "text"), key=lambda name: name[1])


def object_key(instance: Model) -> str:
    """The key of an instance in the log: ``shop.Order:42``."""
    return f"{_label(type(instance))}:{instance.pk}"


def as_logged(key: str) -> str:
    """The key in the log for one that somebody typed: ``shop.order:42``, or one of a proxy model.

    A key that is not of an installed model stays as it is.
    """
    label, colon, rest = key.strip().partition(":")
    with contextlib.suppress(LookupError, ValueError):
        label = _label(apps.get_model(label))
    return f"{label}{colon}{rest}"


def _label(model: type[Model]) -> str:
    return (model._meta.concrete_model or model)._meta.label


def carriers_of(key: str) -> QuerySet[AuditedObject]:
    """The rows of the dispatches that carried ``shop.Order:42``, the latest first.

    The model may be written in any case, be a proxy, or no longer exist.
    """
    label, _, pk = as_logged(key).partition(":")
    found = AuditedObject.objects.using(get_settings().database)
    number = number_of(NameKind.MODEL, label)
    return found.filter(model_id=number, object_pk=pk).order_by("-dispatch_id")


def open_gaps() -> QuerySet[Gap]:
    """Gaps that nobody has marked as resolved, the latest first."""
    return Gap.objects.using(get_settings().database).filter(closed_at=None)


def gaps_in(start: datetime | None, end: datetime | None) -> QuerySet[Gap]:
    """The gaps that overlap the time from ``start`` on and before ``end``."""
    found = Gap.objects.using(get_settings().database).all()
    if start is not None:
        found = found.filter(Q(to_at=None) | Q(to_at__gte=stored(_aware(start))))
    return found if end is None else found.filter(from_at__lt=stored(_aware(end)))


def _aware(when: datetime) -> datetime:
    """The time with a time zone; a naive time is in the current one."""
    return timezone.make_aware(when) if timezone.is_naive(when) else when


class Texts:
    """The texts of the names on a page, by number."""

    def __init__(self, numbers: Iterable[int | None]) -> None:
        wanted = {number for number in numbers if number is not None}
        found = _names().filter(id__in=wanted) if wanted else []
        self._texts = {name.id: name.text for name in found}

    def __getitem__(self, number: int | None) -> str:
        """The text; "" for None."""
        return "" if number is None else self._texts.get(number, GONE)


def offered(*kinds: NameKind) -> dict[NameKind, list[str]]:
    """The names of these kinds, sorted; at most ``OFFERED`` of each kind."""
    texts: dict[NameKind, list[str]] = {}
    for kind in kinds:
        found = _names().filter(kind=kind).values_list("text", flat=True)
        texts[kind] = sorted(found[:OFFERED])
    return texts


def named(text: str, *kinds: NameKind) -> list[NameKind]:
    """The kinds, among these, that have a name with exactly this text."""
    numbers = {number_of(kind, text): kind for kind in kinds}
    found = set(_names().filter(id__in=numbers).values_list("id", flat=True))
    return [kind for number, kind in numbers.items() if number in found]


def ending_in(last: str, *kinds: NameKind) -> list[tuple[NameKind, str]]:
    """Names with this last part: "order_placed" finds "shop.signals.order_placed".

    Reads only the table of names, which is small.
    """
    wanted = _names().filter(
        Q(text__endswith=f".{last}") | Q(text__endswith=f".{last}{PARTIAL}"), kind__in=kinds
    )
    found = wanted.values_list("kind", "text")[:_ALIKE]
    return sorted((NameKind(kind), text) for kind, text in found)


def _names() -> QuerySet[Name]:
    return Name.objects.using(get_settings().database)
