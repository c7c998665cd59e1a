"""How followers are told of a dispatch and of its receivers (see ``sinks.Follower``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, final

from signal_inspector import trouble
from signal_inspector.dispatches import Dispatch
from signal_inspector.ids import perf_counter_ns
from signal_inspector.records import SendMethod
from signal_inspector.scopes import (
    SILENCE,
    Audience,
    ReceiverScope,
    Scope,
    current,
    set_current,
)
from signal_inspector.sinks import Follower, Sink

Followers: TypeAlias = tuple[Follower, ...]

NO_FOLLOWERS: Final[Followers] = ()


@final
class Passing:
    """A dispatch that is not recorded; its followers only keep something set while it runs."""

    __slots__ = ("_followers",)
    passes: Literal[True] = True

    def __init__(self, followers: Followers) -> None:
        self._followers = followers
        held = None
        for follower in followers:
            try:
                follower.entered(None)
            except BaseException as error:
                held = _hold(follower, "entered", error, held)
        if held is not None:
            self.leave()
            trouble.resume(held)

    def leave(self) -> None:
        """Tell that the send has ended, however it did."""
        held = None
        token = set_current[SILENCE]
        try:
            for follower in self._followers[::-1]:
                try:
                    follower.left(None, True)
                except BaseException as error:
                    held = _hold(follower, "left", error, held)
        finally:
            current.reset(token)
        if held is not None:
            trouble.resume(held)


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
    held = None
    is_choosy = audience.is_choosy
    token = set_current[SILENCE]
    try:
        for sink in audience.with_followers:
            try:
                if not is_choosy and sink.is_idle():  # else it has been asked
                    continue
                follower = sink.follow(signal, sender, method, count)
            except BaseException as error:
                held = _hold(sink, "follow", error, held)
            else:
                if follower is not None:
                    found = (*found, follower) if found else (follower,)
        if held is not None:
            tell(found, "finished", held)
            trouble.resume(held)
        if not is_choosy:
            return found
        if not found:
            return None
        if others is None or others:
            return found
        for follower in found:
            if follower.needs_record:
                return found
        return Passing(found) if receivers else None
    finally:
        current.reset(token)


def tell(told: Sequence[Sink | Follower], what: str, *args: Any) -> None:
    """Call one method of each. What it raises is reported, what it sends is not recorded.

    What only passes through (``trouble.interruption``) is raised when all have been told.
    """
    held = None
    token = set_current[SILENCE]
    try:
        for each in told:
            try:
                getattr(each, what)(*args)
            except BaseException as error:
                held = _hold(each, what, error, held)
    finally:
        current.reset(token)
    if held is not None:
        trouble.resume(held)


def start(dispatch: Dispatch) -> None:
    """Tell the followers of a dispatch that does not run in our own loop that it starts."""
    scope = current.get()
    if dispatch.followers and (scope is None or scope.dispatch is not dispatch):
        tell(dispatch.followers, "started", dispatch)


def run(dispatch: Dispatch) -> list[int] | Exact | Stepping:
    """Tell the followers that our own loop is about to run; what is to take its marks."""
    followers = dispatch.followers
    if not followers:
        is_exact = dispatch.audience.is_exact and len(dispatch.receivers) > 1
        return Exact(dispatch) if is_exact else dispatch.marks
    dispatch.raised = dispatch._calls = None  # quicker to read than what is not written
    scope = current.get()
    # An override of Signal's method that calls ours has told of the start, and of the whole.
    in_override = scope is not None and scope.dispatch is dispatch
    dispatch.whole_told = not in_override
    if len(followers) == 1:  # as nearly always
        stepping = followers if followers[0].by_receiver else NO_FOLLOWERS
    else:
        stepping = tuple([follower for follower in followers if follower.by_receiver])
    held = None
    token = set_current[SILENCE]
    try:
        if not in_override:
            for follower in followers:
                held = _started(follower, dispatch, held)
        if dispatch.receivers:
            for follower in stepping:
                try:
                    follower.entered(0)
                except BaseException as error:
                    held = _hold(follower, "entered", error, held)
    finally:
        current.reset(token)
    if held is not None:
        trouble.resume(held)
    dispatch.marks[0] = start_ns = perf_counter_ns()
    if not in_override:
        dispatch.start_ns = start_ns
    if not stepping:
        return Exact(dispatch) if dispatch.audience.is_exact else dispatch.marks
    if len(stepping) == 1 and type(stepping[0]).stepped is not Follower.stepped:
        return SteppingAlone(dispatch, stepping)
    return Stepping(dispatch, stepping)


def _started(
    follower: Follower, dispatch: Dispatch, held: BaseException | None
) -> BaseException | None:
    try:
        follower.started(dispatch)
    except BaseException as error:
        held = _hold(follower, "started", error, held)
    try:
        follower.entered(None)
    except BaseException as error:
        held = _hold(follower, "entered", error, held)
    return held


class Exact:
    """Takes the marks of a dispatch, and lets each receiver have a scope of its own.

    What a receiver has started, in a thread or in a task, keeps that scope.
    """

    __slots__ = ("_count", "_dispatch", "_marks", "_scope")

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._marks = dispatch.marks
        self._count = len(dispatch.receivers)
        self._scope: Dispatch | Scope = dispatch  # which is that of the first receiver

    def append(self, end_ns: int) -> None:
        """Mark the end of a receiver, and set the scope of the next."""
        marks = self._marks
        index = len(marks)
        if index < self._count:
            self.step(index)
        marks.append(end_ns)

    def step(self, index: int) -> None:
        """Set the scope of this receiver."""
        if current.get() is self._scope:  # else the one before has left a capture() open
            self._scope = scope = ReceiverScope(self._dispatch, index)
            current.set(scope)


class Stepping:
    """Takes the marks of a dispatch, and tells of the receivers between them."""

    __slots__ = ("_ends", "_exact", "_followers", "_last", "_marks")

    def __init__(self, dispatch: Dispatch, followers: Followers) -> None:
        self._followers = followers
        self._marks = dispatch.marks
        self._last = len(dispatch.receivers) - 1
        self._ends: dict[int, int] = {}
        dispatch.ends = self._ends
        self._exact = Exact(dispatch) if dispatch.audience.is_exact else None

    def append(self, end_ns: int) -> None:
        """Mark the end of a receiver, tell of it and of the next. That is no receiver's time."""
        marks = self._marks
        index = len(marks) - 1
        marks.append(end_ns)
        self._ends.setdefault(index, end_ns)
        token = set_current[SILENCE]
        try:
            self._tell(index, index == self._last)
        finally:
            current.reset(token)
        if index != self._last:
            if self._exact is not None:
                self._exact.step(index + 1)
            marks[-1] = perf_counter_ns()

    def _tell(self, index: int, is_last: bool) -> None:
        held = None
        for follower in self._followers[::-1]:
            try:
                follower.left(index, True)
            except BaseException as error:
                held = _hold(follower, "left", error, held)
        if not is_last:
            for follower in self._followers:
                try:
                    follower.entered(index + 1)
                except BaseException as error:
                    held = _hold(follower, "entered", error, held)
        if held is not None:
            trouble.resume(held)


class SteppingAlone(Stepping):
    """The same for a follower that is alone and takes both in one call."""

    __slots__ = ("_stepped",)

    def __init__(self, dispatch: Dispatch, followers: Followers) -> None:
        # Not by way of super(): this is made for nearly every dispatch that is followed.
        self._followers = followers
        self._stepped = followers[0].stepped
        self._marks = dispatch.marks
        self._last = len(dispatch.receivers) - 1
        dispatch.ends = self._ends = {}
        self._exact = Exact(dispatch) if dispatch.audience.is_exact else None

    def append(self, end_ns: int) -> None:
        marks = self._marks
        index = len(marks) - 1
        marks.append(end_ns)
        if index not in self._ends:  # where it is, it was taken before Django logged a failure
            self._ends[index] = end_ns
        token = set_current[SILENCE]
        try:
            self._stepped(index, index == self._last)
        except Exception as error:
            trouble.resume(_hold(self._followers[0], "stepped", error, None))
        finally:
            current.reset(token)
        if index != self._last:
            if self._exact is not None:
                self._exact.step(index + 1)
            marks[-1] = perf_counter_ns()


def failed(dispatch: Dispatch, index: int) -> None:
    """Tell that the running receiver of our own loop has ended it by an exception."""
    if index < len(dispatch.receivers):
        stepping = [follower for follower in dispatch.followers if follower.by_receiver]
        tell(stepping[::-1], "left", index, True)


def end(dispatch: Dispatch, error: BaseException | None) -> None:
    """Tell the followers of the end. The dispatch keeps none of them any longer."""
    followers, dispatch.followers = dispatch.followers, NO_FOLLOWERS
    held = None
    token = set_current[SILENCE]
    try:
        for follower in followers[::-1]:
            try:
                if dispatch.whole_told:
                    follower.left(None, True)
            except BaseException as failure:
                held = _hold(follower, "left", failure, held)
            try:
                follower.finished(error)
            except BaseException as failure:
                held = _hold(follower, "finished", failure, held)
    finally:
        current.reset(token)
    if held is not None:
        trouble.resume(held)


def _hold(
    who: Sink | Follower, what: str, error: BaseException, held: BaseException | None
) -> BaseException | None:
    kind = type(who)
    return trouble.hold(f"sink {kind.__module__}.{kind.__qualname__}.{what}", error, held)
