"""``settings.SIGNAL_INSPECTOR``, read once into a frozen ``Config``; and what its globs match.

Signals are sent before settings exist (``class_prepared``), so reading never raises: without
configured settings the defaults apply, and a wrong value falls back to its default, while
``signal_inspector.checks`` reports it. A key of the dict is the name of a field in upper case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from signal_inspector.core import internal_errors, process_state
from signal_inspector.setting_rules import (
    Problem,
    ProblemKind,
    SectionReader,
    fixed,
    hooks,
    placeholders,
    secrets,
    usable,
)

SETTING = "SIGNAL_INSPECTOR"

_WILDCARD: Final = re.compile(r"[*?\[]")
_EXACT: Final = 1_000_000  # more than any glob's literal prefix

S = TypeVar("S")
C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits. What they cut is counted and shown. Those marked ``fixed`` are not settings."""

    dispatches: int = 5_000  # kept per request or capture()
    statements: int = fixed(100)  # SQL texts kept per receiver call
    statement_length: int = fixed(2_000)  # characters kept of one SQL text
    payload_length: int = 200  # characters kept of one value
    payload_depth: int = fixed(3)  # levels of collections
    payload_items: int = fixed(20)  # items of one collection, and arguments of one dispatch
    message_length: int = fixed(500)  # characters kept of an exception's message
    traceback_length: int = 8_000  # characters kept of a traceback
    stack_depth: int = fixed(50)  # frames kept of a call stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbar:
    """What the debug toolbar panel reads."""

    # E.g. "vscode://file/{path}:{line}"; empty: no links.
    editor_url: str = field(default="", metadata=placeholders("path", "line"))
    # The panel gives advice on a receiver that is slower than this in a transaction, or that ran
    # this often.
    slow_in_transaction_ms: int = fixed(50)
    repeated: int = fixed(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, with its default."""

    include: tuple[str, ...] = ("*",)  # globs on dotted signal names
    exclude: tuple[str, ...] = ("django.*", "debug_toolbar.*", "signal_inspector.*")
    sinks: tuple[str, ...] = ()  # dotted paths of Sink classes, process-wide
    # In addition to the built-in patterns: names of keys, "re:..." or compiled value patterns.
    redact: tuple[str | re.Pattern[str], ...] = field(
        default=(), metadata={"rule": secrets, "salvage": usable}
    )
    strict: bool = False  # keep only names, types and sizes, and no values
    # By a type's dotted name: a callable, or its path, that returns what to keep of its instances.
    describe: Mapping[str, Callable[[Any], Any] | str] | None = field(
        default=None, hash=False, metadata={"rule": hooks}
    )
    # Where a trace is shown, e.g. "https://traces.example.com/{trace_id}"; empty: no links.
    trace_url: str = field(default="", metadata=placeholders("trace_id"))
    limits: Limits = field(default_factory=Limits)
    toolbar: Toolbar = field(default_factory=Toolbar)
    # Sections that rooms registered; not a key of the dict itself.
    rooms: tuple[object, ...] = field(default=(), metadata={"internal": True})

    def room(self, section: type[S]) -> S:
        """A section registered with ``register_section``, with its defaults if nothing is set."""
        for known in self.rooms:
            if type(known) is section:
                return known
        return section()


# Keys that belong to rooms, and the sections that rooms have registered for them.
_rooms: dict[str, type | None] = dict.fromkeys(("TRACING", "AUDIT", "WATCH", "CHECKS"))
_cached: Config | None = None
_DEFAULTS: Final = Config()


def register_section(key: str, section: type) -> None:
    """Let a room define ``SIGNAL_INSPECTOR[key]`` by a frozen dataclass with defaults.

    Its fields are read by the same rules as ``Limits`` and ``Toolbar``; the room gets them with
    ``get_config().room(section)``. Before it is registered, the key may hold any dict.
    """
    _rooms[key] = section
    forget_config()


def get_config() -> Config:
    """The current settings: read once, and again after ``setting_changed``."""
    global _cached
    if _cached is None:
        if not settings.configured:
            return _DEFAULTS
        _cached = read_config(getattr(settings, SETTING, {}))
    return _cached


@process_state.at_reset
def forget_config() -> None:
    """Read the settings again when they are next needed (``setting_changed``)."""
    global _cached
    _cached = None


def read_config(raw: object) -> Config:
    """A ``Config`` from the settings dict; wrong values fall back to their defaults."""
    return _read(raw)[0]


def config_problems(raw: object) -> list[Problem]:
    """What is wrong in the settings dict, key by key, in the order of the dict."""
    return _read(raw)[1]


def _read(raw: object) -> tuple[Config, list[Problem]]:
    reader = SectionReader()
    try:
        values: dict[str, Any] = reader.read(Config, raw, SETTING, _rooms)
        return Config(**values), reader.problems
    except Exception as error:
        internal_errors.report("the settings", error)
        problem = Problem(
            key=SETTING,
            kind=ProblemKind.WRONG_VALUE,
            message=f"{SETTING} cannot be read: {type(error).__name__}.",
            hint="Use plain dicts, lists, strings and numbers.",
        )
        return Config(), [*reader.problems, problem]


def import_named(path: str, named: str) -> Any:
    """The object at a dotted path. Raises ImproperlyConfigured if there is none.

    The error says why; ``named`` is what its sentence calls the path.
    """
    try:
        return import_string(path)
    except Exception as error:  # a module may raise anything while it is imported
        internal_errors.let_through(error)
        raise ImproperlyConfigured(
            f"{named} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def import_subclass(path: str, base: type[C], base_path: str, setting: str = "") -> type[C]:
    """The class at a dotted path. Raises ImproperlyConfigured if it is not a subclass of ``base``.

    The error says why. ``base_path`` is where a project imports ``base`` from; ``setting`` is the
    setting that the path was found in.
    """
    named = f"{setting}: {path!r}" if setting else repr(path)
    found = import_named(path, named)
    if not isinstance(found, type) or not issubclass(found, base):
        raise ImproperlyConfigured(f"{named} is not a subclass of {base_path}.")
    return found


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


def _specificity(name: str, globs: Iterable[str]) -> int:
    """The specificity of the most specific glob that matches, or -1."""
    matching = [glob for glob in globs if name_matches(name, glob)]
    return max((_weight(glob, name) for glob in matching), default=-1)


def _weight(glob: str, name: str) -> int:
    wildcard = _WILDCARD.search(glob)
    return _EXACT if wildcard is None or glob == name else wildcard.start()
