"""Which signals are inspected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_WILDCARD = re.compile(r"[*?\[]")
_EXACT = 1_000_000  # more than any glob's literal prefix


def is_inspected(name: str, include: Iterable[str], exclude: Iterable[str]) -> bool:
    """Whether a signal of this dotted name is inspected.

    Globs (``*``, ``?``, ``[seq]``) match the whole name, with case; ``*`` matches dots too. At
    least one INCLUDE entry must match. EXCLUDE then beats INCLUDE, unless the most specific
    INCLUDE entry that matches is more specific than every EXCLUDE entry that matches. How
    specific an entry is: the characters before its first wildcard; an entry without wildcards
    is more specific than any glob. So ``django.db.models.signals.post_save`` in INCLUDE lets
    that one signal in, although EXCLUDE holds ``django.*``. On a tie EXCLUDE wins.
    """
    return _specificity(name, include) > _specificity(name, exclude)


def most_specific(name: str, globs: Iterable[str]) -> str | None:
    """The entry that speaks for a list of globs; None if none of them matches the name."""
    matching = [glob for glob in globs if fnmatchcase(name, glob)]
    return max(matching, key=_literal_length, default=None)


def _specificity(name: str, globs: Iterable[str]) -> int:
    """That of the most specific glob that matches, or -1."""
    return max((_literal_length(glob) for glob in globs if fnmatchcase(name, glob)), default=-1)


def _literal_length(glob: str) -> int:
    wildcard = _WILDCARD.search(glob)
    return _EXACT if wildcard is None else wildcard.start()
