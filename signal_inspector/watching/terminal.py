"""What a terminal shows of texts that are not ours: no character of them is a command to it."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

#: Outcome: glyph, the same in ASCII, and the name of Django's style. The glyphs of the panel.
_SIGNS: Final = {
    "returned": ("✓", "+", "SUCCESS"),
    "raised": ("⬢", "X", "ERROR"),
    "swallowed": ("⬡", "x", "ERROR"),
    "skipped": ("⊘", "-", "plain"),
    "cancelled": ("▣", "o", "WARNING"),
    "running": ("…", "~", "plain"),
    "orphan": ("◌", "?", "WARNING"),
    "put off": ("…", "~", "plain"),
    "rolled back": ("↩", "<", "WARNING"),
    "sent": ("→", ">", "plain"),
    "cut": ("…", "~", "plain"),
    "dot": ("·", "-", "plain"),
    "minus": ("–", "-", "plain"),
}


def printable(text: str) -> str:
    """The text with escapes for control characters, and for what changes the direction."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def cells(text: str) -> int:
    """How many columns a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def shortened(text: str, room: int, cut: str = "…") -> str:
    """The beginning of a text, in so many columns."""
    if cells(text) <= room:
        return text
    taken, used = [], cells(cut)
    for letter in text:
        used += _width(letter)
        if used > room:
            break
        taken.append(letter)
    return "".join(taken) + cut


def end_of(text: str, room: int, cut: str = "…") -> str:
    """The end of a text: what matters most of a dotted name."""
    if cells(text) <= room:
        return text
    return shortened(text[::-1], room, cut)[::-1]


class Signs:
    """Glyphs in the colours of outcomes, as far as the output's encoding has them."""

    def __init__(self, style: Any, encoding: str | None) -> None:
        self._style = style
        self._is_plain = not _takes(encoding)

    def sign(self, what: str) -> str:
        """The glyph, without colour."""
        glyph, plain, _ = _SIGNS.get(what, _SIGNS["running"])
        return plain if self._is_plain else glyph

    def painted(self, what: str, text: str) -> str:
        """The text in the colour of this outcome."""
        name = _SIGNS.get(what, _SIGNS["running"])[2]
        return text if name == "plain" else str(getattr(self._style, name)(text))

    def strong(self, text: str) -> str:
        """The text in bold."""
        return str(self._style.HTTP_INFO(text))


def _takes(encoding: str | None) -> bool:
    try:
        "".join(glyph for glyph, _, _ in _SIGNS.values()).encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
