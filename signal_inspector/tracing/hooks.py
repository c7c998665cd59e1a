"""The user's hooks and providers: found by their paths, and called where they can do no harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.module_loading import import_string

from signal_inspector import trouble


def found(value: Any, key: str) -> Any:
    """What a setting names by its dotted path, or the value itself; None if that fails."""
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except Exception as error:  # a module may raise anything while it is imported
        trouble.report(f"finding {value}, which TRACING names as {key}", error)
        return None


def guarded(hook: Any, key: str) -> Callable[..., None] | None:
    """The hook as one that raises nothing; None where there is none."""
    if hook is None:
        return None

    def call(*args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            trouble.report(f"tracing {key}", error)

    return call
