"""Which receiver sent which signal on, as the newest part of the log tells it.

Read by the index of parents, so in a time that the length of the log does not change: the ids of
parents are those of time, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeVar
from uuid import UUID

from signal_inspector.audit.lookups import calls, dispatches
from signal_inspector.audit.models import Name
from signal_inspector.audit.settings import get_settings
from signal_inspector.catalog.recorded import SentOn

#: The newest dispatches that were sent in a receiver, of which the counts are taken.
SAMPLE: Final = 5_000

_AT_ONCE: Final = 400  # ids in one query

T = TypeVar("T")


def sent_on(sample: int = SAMPLE) -> list[SentOn]:
    """What receivers sent in the newest ``sample`` dispatches that have a parent."""
    rows = dispatches().filter(parent_id__isnull=False).order_by("-parent_id")
    sent = [
        (parent, index, signal)
        for parent, index, signal in rows.values_list("parent_id", "parent_call", "signal_id")[
            :sample
        ]
        if parent is not None and index is not None
    ]
    receivers = _receivers({parent for parent, _, _ in sent})
    counts = Counter(
        (receivers[parent, index], signal)
        for parent, index, signal in sent
        if (parent, index) in receivers  # not where the parent is not audited
    )
    texts = _texts({number for pair in counts for number in pair})
    return [
        SentOn(receiver=texts[receiver], signal=texts[signal], count=count)
        for (receiver, signal), count in counts.items()
        if receiver in texts and signal in texts
    ]


def _receivers(parents: set[UUID]) -> dict[tuple[UUID, int], int]:
    found: dict[tuple[UUID, int], int] = {}
    for ids in _parts(sorted(parents)):
        rows = (
            calls().filter(dispatch_id__in=ids).values_list("dispatch_id", "index", "receiver_id")
        )
        found.update(((id_, index), receiver) for id_, index, receiver in rows)
    return found


def _texts(numbers: set[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for ids in _parts(sorted(numbers)):
        rows = Name.objects.using(get_settings().database).filter(id__in=ids)
        found.update(rows.values_list("id", "text"))
    return found


def _parts(items: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
