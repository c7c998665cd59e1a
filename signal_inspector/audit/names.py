"""Names are stored once: a number that follows from kind and text stands for each in the rows.

As the number follows from the text, no process asks another one for it, rows of different
databases can be put together, and a name that a rollback takes away leaves no wrong number
behind: it is added again. What a process remembers is only which names it has seen committed.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from signal_inspector.audit.choices import NameKind
from signal_inspector.audit.cleaning import clean, storable

NAME_LENGTH: Final = 1_000
_MASK: Final = 2**63 - 1
_DIGITS: Final = 16  # of the digest that a shortened name ends with


@lru_cache(maxsize=20_000)
def name_id(kind: NameKind, text: str) -> int:
    """The ``Name.id`` of a text as ``name_text`` gives it: 63 bits of its digest."""
    digest = blake2b(f"{int(kind)} {text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _MASK


@lru_cache(maxsize=20_000)
def name_text(text: str) -> str:
    """The text as it is stored; one that is too long keeps its digest, so that it stays unique."""
    if len(text) <= NAME_LENGTH:
        return clean(text, NAME_LENGTH)
    digest = blake2b(storable(text).encode(), digest_size=_DIGITS // 2).hexdigest()
    return f"{clean(text, NAME_LENGTH - _DIGITS - 1)} {digest}"
