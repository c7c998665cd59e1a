"""The last step before a page leaves."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe


def printable(page: str) -> SafeString:
    """A rendered page without what cannot be encoded, or has no place in HTML.

    Names and messages are anybody's: one lone surrogate among them would fail the encoding of
    the whole response.
    """
    encodable = page.encode("utf-8", "replace").decode("utf-8")
    return mark_safe(encodable.replace("\0", "\N{REPLACEMENT CHARACTER}"))  # noqa: S308
