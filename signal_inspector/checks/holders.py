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
        holders = [each for each in gc.get_referrers(*level) if not _is_ours(each, (level, seen))]
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


def _is_ours(holder: object, containers: tuple[object, ...]) -> bool:
    """Whether it holds an object only because we look at it."""
    if any(holder is each for each in containers) or type(holder) is Connected:
        return True
    return type(holder) is FrameType and holder.f_code.co_filename.startswith(_HERE)


def _someone_lasts(level: list[Any], holders: list[Any]) -> bool:
    if any(type(each) in (ModuleType, FrameType) for each in holders):
        return True
    explained = {id(held) for holder in holders for held in gc.get_referents(holder)}
    return any(id(each) not in explained for each in level)
