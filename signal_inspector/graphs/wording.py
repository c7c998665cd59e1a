"""How names and places are written in a graph."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

_LIBRARIES = ("site-packages", "dist-packages")


def split_name(name: str) -> tuple[str, str]:
    """The part of a dotted name that tells it apart, and what stands before it.

    ``shop.services.Checkout.place`` is ``Checkout.place`` of ``shop.services``.
    """
    place, colon, rest = name.partition(":")  # "shop.services:41 (anonymous)"
    parts = place.split(".")
    start = len(parts) - 1
    if "<locals>" not in parts:
        start = next((at for at, part in enumerate(parts) if at and part[:1].isupper()), start)
    return ".".join(parts[start:]) + colon + rest, ".".join(parts[:start])


def shortened(text: str, most: int) -> str:
    """The text with its middle left out where it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def shown_path(path: str) -> str:
    """A path as others can read it: from the current directory, or from its library, on."""
    if not path:
        return ""
    parts = Path(path).parts
    for library in _LIBRARIES:
        if library in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(library) :])
    for root in (Path.cwd(), Path(sys.base_prefix)):
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    return path


def shown_place(path: str, line: int) -> str:
    """``shop/receivers.py:12``; "" where it is not known."""
    shown = shown_path(path)
    return f"{shown}:{line}" if shown and line else shown


def listed(words: Iterable[str]) -> str:
    """``a, b, c``, each once."""
    return ", ".join(dict.fromkeys(words))


def plural(number: int, word: str) -> str:
    """ "1 signal", "2 signals"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
