"""``SIGNAL_INSPECTOR["CHECKS"]``: which checks are run, on what, and by which commands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from signal_inspector.checks.findings import Finding, Kind
from signal_inspector.conf import get_config, register_section
from signal_inspector.names import is_inspected, name_matches
from signal_inspector.setting_rules import Fault, ProblemKind, section, strings

_PREFIX: Final = "signal_inspector."


def _ignore(value: object) -> Fault | None:
    """A dict of ids, each with a list of globs."""
    fault = section(value)
    if fault is not None or not isinstance(value, dict):
        return fault
    known = [kind.number for kind in Kind]
    for key, globs in dict.items(value):
        if not isinstance(key, str) or key.removeprefix(_PREFIX) not in known:
            name = repr(key) if isinstance(key, str) else f"a {type(key).__name__}"
            close = difflib.get_close_matches(str(key).removeprefix(_PREFIX), known, n=1)
            hint = f'Did you mean "{close[0]}"?' if close else f"Known ids: {', '.join(known)}."
            what = f"has {name} for a key, which is not the id of a check of signals."
            return Fault(ProblemKind.WRONG_VALUE, what, hint)
        wrong = strings(globs)
        if wrong is not None:
            return Fault(wrong.kind, f'is wrong at ["{key}"]: it {wrong.what}', wrong.hint)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What the system checks look at. It does not touch what is recorded."""

    include: tuple[str, ...] = ("*",)  # globs on signals
    exclude: tuple[str, ...] = ("debug_toolbar.*", "signal_inspector.*")
    #: {id: globs on signals and receivers}: what is known, and meant so.
    ignore: Mapping[str, Iterable[str]] | None = field(default=None, metadata={"rule": _ignore})
    third_party: bool = False  # whether installed packages are looked at too
    commands: tuple[str, ...] = ("check", "runserver*")  # globs on the commands that ask


def get_options() -> Checks:
    """The options as they are now."""
    return get_config().room(Checks)


def concerns(options: Checks, signal: str) -> bool:
    """Whether a signal is looked at."""
    return is_inspected(signal, options.include, options.exclude)


def is_ignored(options: Checks, finding: Finding) -> bool:
    """Whether the settings say that this is known."""
    ignore = options.ignore or {}
    globs = [*ignore.get(finding.kind.number, ()), *ignore.get(finding.kind.id, ())]
    return any(name_matches(name, glob) for name in finding.names for glob in globs)


register_section("CHECKS", Checks)
