"""Makes text safe to show and to store: valid UTF-8, no hidden characters, capped."""

from __future__ import annotations

import re

ELLIPSIS = "…"
MARK = "[redacted]"  # replaces a secret

# Controls except newline and tab; marks that reorder or hide text on screen; lone surrogates.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
# What PostgreSQL refuses, in text and in jsonb alike.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def cap(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters, the last of them an ellipsis if it was cut."""
    if len(text) <= limit:
        return text
    return text[: limit - 1] + ELLIPSIS if limit > 0 else ""


def clean_text(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters, with control characters made visible.

    Newlines and tabs stay; NUL, lone surrogates and other characters that cannot be stored or
    could mislead a reader become escapes such as ``\\x00``. The result is an exact ``str``.
    """
    text = text if type(text) is str else str.__str__(text)
    kept = text[: max(limit, 0) + 1]
    if not kept.isprintable():
        kept = _HARMFUL.sub(_escape, kept.replace("\r\n", "\n"))
        if len(text) > limit and len(kept) <= limit:  # merging line ends hid that it was cut
            kept = kept[: max(limit - 1, 0)] + ELLIPSIS
    return cap(kept, limit)


def one_line(text: str, limit: int) -> str:
    """Like ``clean_text``, but newlines and tabs become escapes too."""
    text = text if type(text) is str else str.__str__(text)
    kept = text[: max(limit, 0) + 1]
    if not kept.isprintable():
        kept = "".join(char if char.isprintable() else _escape_char(char) for char in kept)
    return cap(kept, limit)


def is_storable(text: str) -> bool:
    """Whether a database accepts the text as it is."""
    return text.isprintable() or _UNSTORABLE.search(text) is None


def _escape(match: re.Match[str]) -> str:
    return _escape_char(match.group())


def _escape_char(char: str) -> str:
    return ascii(char)[1:-1]
