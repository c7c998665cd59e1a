"""Who holds an object: whether anything does that lasts."""

from __future__ import annotations

import gc
from pathlib import Path
from types import FrameType, MethodType, ModuleType
from typing import Any, Final

from django.utils import inspect as django_inspect

from signal_inspector.checks.facts import Connected

_MAX_STEPS: Final = 20  # from a holder to its holder
_MAX_HOLDERS: Final = 500  # objects that hold one, directly or not; with more it is held
_HERE: Final = str(Path(__file__).parent)

#: Under DEBUG Django asks it about each receiver. It keeps 512 answers, and what they are about.
_CACHE: Final = getattr(django_inspect, "_get_func_parameters", None)


def is_held(receiver: Any) -> bool:
    """Whether something that lasts holds a receiver; True where that cannot be told.

    It walks from holder to holder. A module, or a function that is running, ends the walk: it is
    held. So does an object that nobody holds and that is there all the same, as code written in C
    must have it. If the walk comes to an end without, the receiver is held by nothing but
    Django's cache, or by what it holds itself.
    """
    start = receiver.__self__ if type(receiver) is MethodType else receiver
    level: list[Any] = [start]
    seen: dict[int, Any] = {id(start): start, id(receiver): receiver}
    for _ in range(_MAX_STEPS):
        holders = _holders(level, seen)
        if _someone_lasts(level, holders):
            return True
        level = [each for each in holders if each is not _CACHE and id(each) not in seen]
        holders.clear()  # or this list would be found as the next one
        seen.update({id(each): each for each in level})
        if not level:
            return False
        if len(seen) > _MAX_HOLDERS:
            return True
    return True


def _holders(level: list[Any], seen: dict[int, Any]) -> list[Any]:
    """Who holds any of these objects, without what does so only because we look."""
    mark = object()  # known by it: the tuple of arguments, which Python 3.13 finds as a holder
    found = []
    # No comprehension: before Python 3.12 it would have a cell that holds the mark.
    for holder in gc.get_referrers(*level, mark):
        if holder is not level and holder is not seen and not _is_ours(holder, mark):
            found.append(holder)  # noqa: PERF401
    return found


def _is_ours(holder: Any, mark: object) -> bool:
    if type(holder) is tuple:
        return bool(holder) and holder[-1] is mark
    if type(holder) is FrameType:
        return holder.f_code.co_filename.startswith(_HERE)
    return type(holder) is Connected


def _someone_lasts(level: list[Any], holders: list[Any]) -> bool:
    if any(type(each) in (ModuleType, FrameType) for each in holders):
        return True
    explained = {id(held) for holder in holders for held in gc.get_referents(holder)}
    return any(id(each) not in explained for each in level)
