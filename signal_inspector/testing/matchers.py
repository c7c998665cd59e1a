"""``where``: a value that is known by a condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class where:  # noqa: N801 - reads as a word of a payload: {"total": where(lambda t: t > 0)}
    """Equal to every value that a function says yes to; ``meaning`` says in words what that is."""

    def __init__(self, predicate: Callable[[Any], object], meaning: str = "") -> None:
        self._predicate = predicate
        self._meaning = meaning or getattr(predicate, "__qualname__", "a condition")

    def __eq__(self, other: object) -> bool:
        return bool(self._predicate(other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<where {self._meaning}>"
