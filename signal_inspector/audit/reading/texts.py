"""Names by their numbers, in one query, and the names that a filter offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db.models import Q, QuerySet

from signal_inspector.audit.choices import NameKind
from signal_inspector.audit.lookups import number_of
from signal_inspector.audit.models import Name
from signal_inspector.audit.settings import get_settings
from signal_inspector.names.globs import PARTIAL

OFFERED: Final = 500  # names that a filter offers
_ALIKE: Final = 20
GONE: Final = "(name not found)"


class Texts:
    """The names of a page."""

    def __init__(self, numbers: Iterable[int | None]) -> None:
        wanted = {number for number in numbers if number is not None}
        found = _names().filter(id__in=wanted) if wanted else []
        self._texts = {name.id: name.text for name in found}

    def __getitem__(self, number: int | None) -> str:
        """The text; "" for None."""
        return "" if number is None else self._texts.get(number, GONE)


def offered(*kinds: NameKind) -> dict[NameKind, list[str]]:
    """The names of these kinds, in order; of one that has very many only some of them."""
    texts: dict[NameKind, list[str]] = {}
    for kind in kinds:
        found = _names().filter(kind=kind).values_list("text", flat=True)
        texts[kind] = sorted(found[:OFFERED])
    return texts


def named(text: str, *kinds: NameKind) -> list[NameKind]:
    """Of which of these kinds there is a name that is exactly so."""
    numbers = {number_of(kind, text): kind for kind in kinds}
    found = set(_names().filter(id__in=numbers).values_list("id", flat=True))
    return [kind for number, kind in numbers.items() if number in found]


def ending_in(last: str, *kinds: NameKind) -> list[tuple[NameKind, str]]:
    """Names whose last parts are these: "order_placed" of "shop.signals.order_placed".

    Reads the names alone, of which there are few, and never the log.
    """
    wanted = _names().filter(
        Q(text__endswith=f".{last}") | Q(text__endswith=f".{last}{PARTIAL}"), kind__in=kinds
    )
    found = wanted.values_list("kind", "text")[:_ALIKE]
    return sorted((NameKind(kind), text) for kind, text in found)


def _names() -> QuerySet[Name]:
    return Name.objects.using(get_settings().database)
