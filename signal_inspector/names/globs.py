"""Decides by globs which signals are inspected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

#: The end of the name of a sender that is named by its class.
INSTANCE: Final = " instance"

#: The end of the name of a receiver that is a partial, or has one inside.
PARTIAL: Final = " (partial)"

_WILDCARD = re.compile(r"[*?\[]")
_EXACT = 1_000_000  # more than any glob's literal prefix


def is_inspected(name: str, include: Iterable[str], exclude: Iterable[str]) -> bool:
    """Whether a signal with this dotted name is inspected.

    Globs (``*``, ``?``, ``[seq]``) match the whole name, with case; ``*`` matches dots too. At
    least one INCLUDE entry must match. EXCLUDE then beats INCLUDE, unless the most specific
    INCLUDE entry that matches is more specific than every EXCLUDE entry that matches. How
    specific an entry is: the characters before its first wildcard; an entry without wildcards
    is more specific than any glob. So ``django.db.models.signals.post_save`` in INCLUDE lets
    that one signal in, although EXCLUDE holds ``django.*``. On a tie EXCLUDE wins.
    """
    return _specificity(name, include) > _specificity(name, exclude)


def most_specific(name: str, globs: Iterable[str]) -> str | None:
    """The most specific entry that matches the name; None if none of them does."""
    matching = [glob for glob in globs if name_matches(name, glob)]
    return max(matching, key=lambda glob: _weight(glob, name), default=None)


def name_matches(name: str, glob: str) -> bool:
    """Whether a glob matches a whole name, with case, or is the name itself.

    A name such as ``shop.signals.REGISTRY['paid']`` has brackets, so that as a glob it would not
    match itself.
    """
    return name == glob or fnmatchcase(name, glob)


def unmarked(name: str) -> str:
    """Only the dotted name of "shop.views.View instance" and "shop.receivers.log (partial)"."""
    return name.removesuffix(INSTANCE).removesuffix(PARTIAL)


def _specificity(name: str, globs: Iterable[str]) -> int:
    """The specificity of the most specific glob that matches, or -1."""
    matching = [glob for glob in globs if name_matches(name, glob)]
    return max((_weight(glob, name) for glob in matching), default=-1)


def _weight(glob: str, name: str) -> int:
    wildcard = _WILDCARD.search(glob)
    return _EXACT if wildcard is None or glob == name else wildcard.start()
