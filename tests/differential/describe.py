"""Exceptions and values in plain words that are equal in every run of a world."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any, Final

HERE: Final = str(Path(__file__).resolve().parent)

_ADDRESS: Final = re.compile(r"0x[0-9a-f]+")
_TASK: Final = re.compile(r"Task-\d+")


class Token:
    """A response or an argument that is told by its identity."""

    def __init__(self, name: str) -> None:
        self.name = name


class Hostile(Token):
    """A response that must be handed on without being looked at."""

    def _refuse(self, *args: object) -> Any:
        raise AssertionError(f"{object.__repr__(self)} was looked at")

    __eq__ = __ne__ = __hash__ = __bool__ = __repr__ = __str__ = __len__ = _refuse  # type: ignore[assignment]


class Unhashable(list[Any]):
    """A list that is told by its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Stop(BaseException):
    """Passes every ``except Exception``, as KeyboardInterrupt does."""


class Unprintable(Exception):
    """Raises when it is printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def clean(text: str) -> str:
    """A message without what differs from run to run."""
    return _TASK.sub("Task-N", _ADDRESS.sub("0x", text))


def value(obj: object) -> object:
    """A response or an argument."""
    if isinstance(obj, Token | Unhashable):
        return (type(obj).__name__, obj.name)
    if isinstance(obj, BaseException):
        return exception(obj)
    if obj is None or type(obj) in (int, bool):
        return obj
    if type(obj) is str:
        return clean(obj)
    return f"a {type(obj).__qualname__}"


def exception(error: BaseException | None, depth: int = 6) -> object:
    """All of an exception that the code which catches it can see."""
    if error is None or depth == 0:
        return None
    return (
        type(error).__name__,
        tuple(value(arg) for arg in error.args if not isinstance(arg, list | BaseException)),
        tuple(getattr(error, "__notes__", ())),
        ("frames", *_frames(error)),
        ("cause", exception(error.__cause__, depth - 1)),
        ("context", exception(error.__context__, depth - 1)),
        ("suppressed", error.__suppress_context__),
        *(
            [("members", *(exception(member, depth - 1) for member in error.exceptions))]
            if isinstance(error, BaseExceptionGroup)
            else []
        ),
    )


def _frames(error: BaseException) -> list[str]:
    """The functions of the world that the traceback leads through, outermost first."""
    return [
        frame.f_code.co_name
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(HERE)
    ]
