"""What a check finds, how it is reported, and the settings in ``SIGNAL_INSPECTOR["CHECKS"]``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from django.core.checks import INFO, WARNING, CheckMessage

from signal_inspector.conf import get_config, is_inspected, name_matches, register_section
from signal_inspector.display.text import place
from signal_inspector.setting_rules import Fault, ProblemKind, fixed, section, strings

_PREFIX: Final = "signal_inspector."


class _Kind(NamedTuple):
    number: str  # of the id: "W011"
    title: str  # the heading in docs/checks.md


class Kind(Enum):
    """All kinds of findings about signals and receivers, each with its id."""

    NO_KWARGS = _Kind("W011", "a receiver does not accept `**kwargs`")
    DEAD = _Kind("W012", "a receiver was garbage collected")
    FLEETING = _Kind("W013", "a receiver has no lasting reference")
    TWICE = _Kind("W014", "a receiver is connected twice")
    IMPORTED_TWICE = _Kind(
        "W015", "a receiver is connected twice because its file was imported twice"
    )
    OUTSIDE_READY = _Kind("W016", "a receiver is connected outside of `ready()`")
    LATE = _Kind("W017", "a receiver is connected after start-up")
    MISPLACED = _Kind("W018", "a receiver is defined in `models.py` or `views.py`")
    BELOW_DECORATOR = _Kind(
        "W019", "a receiver is connected without the decorators above `@receiver`"
    )
    UID_TAKEN = _Kind(
        "W020", "a receiver is not connected because its `dispatch_uid` is already used"
    )
    SYNC_ON_ASEND = _Kind("W021", "a signal is sent with `asend` to sync receivers")
    UNLOGGABLE = _Kind("W022", "a receiver's failure cannot be logged by `send_robust`")
    PROVIDING_ARGS = _Kind("W023", "`providing_args`")
    TEXT_AS_SENDER = _Kind("W028", "a receiver listens to a string as sender")
    UNSENT_PARAMETER = _Kind("W029", "a receiver requires an argument that no send passes")
    VAIN_DISCONNECT = _Kind("W030", "a `disconnect()` disconnects nothing")
    NEVER_SENT = _Kind("I024", "a signal is never sent")
    NOBODY_CONNECTED = _Kind("I025", "a signal has no receivers")
    NAME = _Kind("I026", "a name does not say what happened")
    MAY_STOP_OTHERS = _Kind("I027", "one receiver may stop the others")

    @property
    def number(self) -> str:
        """The id to use in ``CHECKS["IGNORE"]``: "W011"."""
        return self.value.number

    @property
    def id(self) -> str:
        """The id to use in ``SILENCED_SYSTEM_CHECKS``: "signal_inspector.W011"."""
        return f"signal_inspector.{self.number}"

    @property
    def level(self) -> int:
        """The level of the message in Django's checks: WARNING or INFO."""
        return INFO if self.number.startswith("I") else WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    kind: Kind
    subject: str  # dotted name of the signal or receiver it is about
    message: str  # what is wrong, and why it matters
    hint: str  # what to write instead
    names: tuple[str, ...]  # of signals and receivers; it is ignored if a glob matches any of them
    path: str = ""  # where to look
    line: int = 0

    def as_message(self) -> CheckMessage:
        """The finding as a message of Django's checks."""
        return CheckMessage(
            self.kind.level, self.message, hint=self.hint, obj=self.subject, id=self.kind.id
        )


def at(path: str, line: int) -> str:
    """A place to put into a sentence: " (shop/receivers.py:14)", or ""."""
    where = place(path, line)
    return f" ({where})" if where else ""


def _ignore(value: object) -> Fault | None:
    """The rule of ``IGNORE``: a dict of ids, each with a list of globs."""
    fault = section(value)
    if fault is not None or not isinstance(value, dict):
        return fault
    known = [kind.number for kind in Kind]
    for key, globs in dict.items(value):
        if not isinstance(key, str) or key.removeprefix(_PREFIX) not in known:
            name = (
                f"the key {key!r}"
                if isinstance(key, str)
                else f"a key of type {type(key).__name__}"
            )
            close = difflib.get_close_matches(str(key).removeprefix(_PREFIX), known, n=1)
            hint = f'Did you mean "{close[0]}"?' if close else f"Known ids: {', '.join(known)}."
            what = f"has {name}, which is not the id of a signal check."
            return Fault(ProblemKind.WRONG_VALUE, what, hint)
        wrong = strings(globs)
        if wrong is not None:
            return Fault(wrong.kind, f'is wrong at ["{key}"]: it {wrong.what}', wrong.hint)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What the system checks look at. These settings do not affect what is recorded."""

    include: tuple[str, ...] = ("*",)  # globs on signals
    exclude: tuple[str, ...] = ("debug_toolbar.*", "signal_inspector.*")
    #: {id: globs on signals and receivers}: findings that are known and intended.
    ignore: Mapping[str, Iterable[str]] | None = field(default=None, metadata={"rule": _ignore})
    third_party: bool = False  # whether installed packages are checked too
    commands: tuple[str, ...] = fixed(("check", "runserver*"))  # globs on commands that may check


def get_options() -> Checks:
    """The options as they are now."""
    return get_config().room(Checks)


def concerns(options: Checks, signal: str) -> bool:
    """Whether the settings include a signal in the checks."""
    return is_inspected(signal, options.include, options.exclude)


def is_ignored(options: Checks, finding: Finding) -> bool:
    """Whether the settings ignore a finding."""
    ignore = options.ignore or {}
    globs = [*ignore.get(finding.kind.number, ()), *ignore.get(finding.kind.id, ())]
    return any(name_matches(name, glob) for name in finding.names for glob in globs)


register_section("CHECKS", Checks)
