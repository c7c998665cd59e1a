"""Keepers: collectors that are given the objects of a dispatch, not only the words for them.

The testing room has one for each capture. Whatever a keeper holds, it has to let go of.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

from django.dispatch import Signal

from signal_inspector import trouble
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Details
from signal_inspector.scopes import Collector, Dispatches

#: A receiver, what it returned, and what it raised.
Seen: TypeAlias = tuple[Any, Any, BaseException | None]


class _Nowhere(Dispatches):
    """Keeps no record: a keeper takes what it wants when it is told of it."""

    def append(self, _dispatch: Dispatch) -> None: ...


class Keeper(Collector):
    """A collector that hears of each step of a dispatch with the objects themselves.

    All methods are no-ops. They run in the thread and the context of the code that sends.
    """

    __slots__ = ()
    keeps: ClassVar[bool] = True

    def __init__(self, details: Details = Details.NONE) -> None:
        super().__init__(details, limit=sys.maxsize)
        self.dispatches = _Nowhere()

    def sent(self, dispatch: Dispatch, signal: Signal, sender: Any, named: dict[str, Any]) -> None:
        """Called before the first receiver."""

    def receivers(self, dispatch: Dispatch, receivers: Sequence[Any]) -> None:
        """Called when it is known whom Django calls, in the order of ``dispatch.calls``.

        Of an override that does not call Signal's own method that is after the last receiver.
        """

    def returned(self, dispatch: Dispatch, index: int, response: Any) -> None:
        """Called with what a receiver returned; of sync ones, when the send has ended."""

    def raised(self, dispatch: Dispatch, index: int, error: BaseException) -> None:
        """Called with what a receiver raised."""

    def withdrawn(self, dispatch: Dispatch) -> None:
        """Called, in place of all but ``sent``, of what turned out to be no dispatch."""


def tell(dispatch: Dispatch, what: str, *args: Any) -> None:
    """Call one method of each keeper of a dispatch."""
    held = None
    for keeper in dispatch.audience.keepers:
        try:
            getattr(keeper, what)(dispatch, *args)
        except BaseException as error:
            held = trouble.hold("keeping what a test captures", error, held)
    trouble.resume(held)


def responses(dispatch: Dispatch, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Tell what the receivers of our own loop returned; what they raised has been told."""
    raised = dispatch.raised or {}
    for index, (_, response) in enumerate(pairs):
        if index not in raised:
            tell(dispatch, "returned", index, response)


def from_outside(dispatch: Dispatch, seen: Sequence[Seen]) -> None:
    """Tell of the receiver calls that were read off what an override returned or raised."""
    tell(dispatch, "receivers", [receiver for receiver, _, _ in seen])
    for index, (_, response, error) in enumerate(seen):
        if error is None:
            tell(dispatch, "returned", index, response)
        else:
            tell(dispatch, "raised", index, error)
