"""Where boxes and arrows stand: plain numbers, in CSS pixels."""

from __future__ import annotations

from dataclasses import dataclass

from signal_inspector.graphs.drawing import Box, Drawing, Shape

HEIGHT = 42.0  # of a box
_PADDING, _WIDEST, _NARROWEST = 26.0, 400.0, 96.0
_BADGE = 15.0  # around the words of a badge


@dataclass(frozen=True, slots=True)
class Place:
    """A box: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float = HEIGHT

    @property
    def left(self) -> tuple[float, float]:
        """Where arrows come in."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """Where arrows go out."""
        return self.x + self.width, self.y + self.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A drawing with its places."""

    drawing: Drawing
    places: dict[str, Place]  # by the box's key
    #: By the arrow's key: the stretches in which it passes other columns, (x, x, y) each.
    passes: dict[str, tuple[tuple[float, float, float], ...]]
    width: float
    height: float


def width_of(box: Box) -> float:
    """How wide a box has to be for its text, in a usual font."""
    badges = sum(text_width(word, 10.5) + _BADGE for word in box.words)
    text = max(text_width(box.title, 13, bold=True) + badges, text_width(box.subtitle, 11))
    padding = _PADDING + (12 if box.shape is Shape.SIGNAL else 0)
    return min(max(text + padding, _NARROWEST), _WIDEST + badges)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """An estimate that errs on the wide side: there is no font to measure with.

    The figures are those of DejaVu Sans, which is wider than what most readers have.
    """
    narrow = sum(each in "iljI.,:;|!'" for each in text)
    wide = sum(each in "mwMW@%" for each in text) + 2 * sum(ord(each) > 0x2E80 for each in text)
    letters = len(text) - narrow * 0.45 + wide * 0.5
    return letters * size * (0.69 if bold else 0.615)
