"""Make values fit to be stored: clean them, bound them, shorten them, and number names.

A value that a database refuses would lose a whole batch. Names are stored once, and rows have a
number in place of each name. The number is computed from kind and text. So no process has to ask
for it, rows of different databases can be merged, and if a rollback removes a name, its number
stays right and the name is added again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from signal_inspector.audit.models import NameKind
from signal_inspector.payload import clean_text

LARGEST: Final = 2**63 - 1
SMALL: Final = 2**15 - 1
INTEGER: Final = 2**31 - 1

# PostgreSQL refuses NUL, and every driver refuses lone surrogates.
_REFUSED: Final = re.compile("[\x00\ud800-\udfff]")

NAME_LENGTH: Final = 1_000
_MASK: Final = 2**63 - 1
_DIGITS: Final = 16  # of the digest that a shortened name ends with


def clean(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters, storable and without invisible characters."""
    return text if len(text) <= limit and text.isprintable() else clean_text(text, limit)


def storable(text: str) -> str:
    """The text with an escape for each character that some database refuses."""
    if text.isprintable() or _REFUSED.search(text) is None:
        return text
    return _REFUSED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def bounded(number: int, largest: int = LARGEST) -> int:
    """The number, or the nearest one that the column can hold."""
    if -largest <= number <= largest:
        return number
    return largest if number > 0 else -largest


@lru_cache(maxsize=20_000)
def name_id(kind: NameKind, text: str) -> int:
    """The ``Name.id`` of a text that ``name_text`` returned: 63 bits of its digest."""
    digest = blake2b(f"{int(kind)} {text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _MASK


@lru_cache(maxsize=20_000)
def name_text(text: str) -> str:
    """The text as it is stored; one that is too long is cut and gets a digest to stay unique."""
    if len(text) <= NAME_LENGTH:
        return clean(text, NAME_LENGTH)
    digest = blake2b(storable(text).encode(), digest_size=_DIGITS // 2).hexdigest()
    return f"{clean(text, NAME_LENGTH - _DIGITS - 1)} {digest}"
