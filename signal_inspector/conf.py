"""``settings.SIGNAL_INSPECTOR``, read once into a frozen ``Config``.

Signals are sent before settings exist (``class_prepared``), so reading never raises: without
configured settings the defaults hold, and a wrong value falls back to its default while
``signal_inspector.checks`` names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.conf import settings

SETTING = "SIGNAL_INSPECTOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps. What they cut is counted and shown."""

    dispatches: int = 5_000  # kept per request or capture()
    statements: int = 100  # SQL texts kept per receiver call
    statement_length: int = 2_000  # characters kept of one SQL text
    payload_length: int = 200  # characters kept of one value
    payload_depth: int = 3  # levels of collections
    payload_items: int = 20  # items of one collection, and arguments of one dispatch
    message_length: int = 500  # characters kept of an exception's message
    traceback_length: int = 8_000  # characters kept of a traceback
    stack_depth: int = 50  # frames kept of a call stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbar:
    """What the debug toolbar panel reads."""

    editor_url: str = ""  # e.g. "vscode://file/{path}:{line}"; empty: no links
    slow_in_transaction_ms: int = 50  # a receiver slower than this in a transaction is advised on
    repeated: int = 10  # a receiver that ran this often in a request is advised on


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, with its default."""

    include: tuple[str, ...] = ("*",)  # globs on dotted signal names
    exclude: tuple[str, ...] = ("django.*", "debug_toolbar.*", "signal_inspector.*")
    sinks: tuple[str, ...] = ()  # dotted paths of Sink classes, process-wide
    redact: tuple[str, ...] = ()  # added to the built-in key patterns
    limits: Limits = field(default_factory=Limits)
    toolbar: Toolbar = field(default_factory=Toolbar)


_cached: Config | None = None


def get_config() -> Config:
    """The settings as they are now: read once, forgotten on ``setting_changed``."""
    global _cached
    if _cached is None:
        if not settings.configured:
            return Config()
        _cached = read_config(getattr(settings, SETTING, {}))
    return _cached


def forget_config() -> None:
    """Read the settings anew at the next look (``setting_changed``)."""
    global _cached
    _cached = None


def read_config(raw: object) -> Config:
    """A ``Config`` from the settings dict; what is wrong in it falls back to its default."""
    raise NotImplementedError
