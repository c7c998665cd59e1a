"""How followers are told of a dispatch and of its receivers (see ``sinks.Follower``)."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any, Final, TypeAlias, final

from signal_inspector import trouble
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import SendMethod
from signal_inspector.scopes import SILENCE, Audience, current
from signal_inspector.sinks import Follower, Sink

Followers: TypeAlias = tuple[Follower, ...]

NO_FOLLOWERS: Final[Followers] = ()


@final
class Passing:
    """A dispatch that is not recorded; its followers only keep something set while it runs."""

    __slots__ = ("_followers",)

    def __init__(self, followers: Followers) -> None:
        self._followers = followers
        tell(followers, "entered", None)

    def leave(self) -> None:
        """Tell that the send has ended, however it did."""
        tell(self._followers[::-1], "left", None, True)


def follow(
    audience: Audience,
    signal: str,
    sender: str,
    method: SendMethod,
    receivers: Sequence[Any],
    others: Sequence[Any] | None,
) -> Followers | Passing | None:
    """Who follows a dispatch that is about to start; the arguments are those of ``begin``.

    None: nobody does, and nobody else hears of it either. ``Passing``: nobody needs its record.
    """
    count = None if others is None else len(receivers) + len(others)
    found = NO_FOLLOWERS
    token = current.set(SILENCE)
    try:
        for sink in audience.with_followers:
            try:
                follower = sink.follow(signal, sender, method, count)
            except Exception as error:
                _report(sink, "follow", error)
            else:
                if follower is not None:
                    found = (*found, follower)
    finally:
        current.reset(token)
    if not audience.is_choosy:
        return found
    if others is None or others or any(follower.needs_record for follower in found):
        return found or None
    return Passing(found) if found and receivers else None


def tell(told: Sequence[Sink | Follower], what: str, *args: Any) -> None:
    """Call one method of each. What it raises is reported, what it sends is not recorded."""
    token = current.set(SILENCE)
    try:
        for each in told:
            try:
                getattr(each, what)(*args)
            except Exception as error:
                _report(each, what, error)
    finally:
        current.reset(token)


def run(dispatch: Dispatch) -> list[int] | Stepping:
    """Tell the followers that the loop over sync receivers begins; what is to take its marks."""
    followers = dispatch.followers
    if not followers:
        return dispatch.marks
    dispatch.ends, dispatch.raised = {}, None
    scope = current.get()
    dispatch.in_override = scope is not None and scope.dispatch is dispatch
    if not dispatch.in_override:  # which has told it
        tell(followers, "entered", None)
    stepping = tuple(follower for follower in followers if follower.by_receiver)
    if stepping and dispatch.receivers:
        tell(stepping, "entered", 0)
    if dispatch.in_override:
        dispatch.marks[0] = perf_counter_ns()
    else:
        dispatch.restart(perf_counter_ns())
    return Stepping(dispatch, stepping) if stepping else dispatch.marks


class Stepping:
    """Takes the marks of a dispatch, and tells of the receivers between them."""

    __slots__ = ("_backwards", "_count", "_dispatch", "_followers")

    def __init__(self, dispatch: Dispatch, followers: Followers) -> None:
        self._dispatch = dispatch
        self._followers = followers
        self._backwards = followers[::-1]
        self._count = len(dispatch.receivers)

    def append(self, end_ns: int) -> None:
        """Mark the end of a receiver, tell of it and of the next. That is no receiver's time."""
        marks = self._dispatch.marks
        index = len(marks) - 1
        marks.append(end_ns)
        self._dispatch.ends.setdefault(index, end_ns)  # type: ignore[union-attr]
        token = current.set(SILENCE)
        try:
            for follower in self._backwards:
                try:
                    follower.left(index, True)
                except Exception as error:
                    _report(follower, "left", error)
            index += 1
            if index < self._count:
                for follower in self._followers:
                    try:
                        follower.entered(index)
                    except Exception as error:
                        _report(follower, "entered", error)
                marks[-1] = perf_counter_ns()
        finally:
            current.reset(token)


def ran(dispatch: Dispatch, failed: int | None = None) -> None:
    """Tell that the loop has ended, by the exception of a receiver if ``failed`` is one."""
    backwards = dispatch.followers[::-1]
    if failed is not None and failed < len(dispatch.receivers):
        stepping = tuple(follower for follower in backwards if follower.by_receiver)
        tell(stepping, "left", failed, True)
    if not dispatch.in_override:
        tell(backwards, "left", None, True)


def _report(who: Sink | Follower, what: str, error: Exception) -> None:
    trouble.report(f"sink {type(who).__module__}.{type(who).__qualname__}.{what}", error)
