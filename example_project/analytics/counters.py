"""Figures for the dashboard. They are kept in the cache, and begin anew with the server."""

from __future__ import annotations

from django.core.cache import cache


def count(name: str) -> int:
    """One more of it; says how many that makes."""
    cache.add(name, 0, timeout=None)
    return cache.incr(name)


def counted(name: str) -> int:
    """How many there were."""
    return cache.get(name, 0)
