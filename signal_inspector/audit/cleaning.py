"""Values made fit for every database: what one of them refuses would lose a whole batch."""

from __future__ import annotations

import re
from typing import Final

from signal_inspector.payload import clean_text

LARGEST: Final = 2**63 - 1
SMALL: Final = 2**15 - 1
INTEGER: Final = 2**31 - 1

# NUL is refused by PostgreSQL, a lone surrogate by every driver.
_REFUSED: Final = re.compile("[\x00\ud800-\udfff]")


def clean(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters: storable, and without hidden characters."""
    return text if len(text) <= limit and text.isprintable() else clean_text(text, limit)


def storable(text: str) -> str:
    """The text with an escape for every character that no database takes; else as it is."""
    if text.isprintable() or _REFUSED.search(text) is None:
        return text
    return _REFUSED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def bounded(number: int, largest: int = LARGEST) -> int:
    """The number, or the nearest one that the column holds."""
    if -largest <= number <= largest:
        return number
    return largest if number > 0 else -largest
