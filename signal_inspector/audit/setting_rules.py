"""What makes a value of ``SIGNAL_INSPECTOR["AUDIT"]`` right, beyond the rules of the core."""

from __future__ import annotations

import math
from collections.abc import Callable

from signal_inspector.setting_rules import Fault, ProblemKind, positive, text

_DEFAULT = "or remove the key to use the default."


def some_text(value: object) -> Fault | None:
    """A string that is not empty."""
    fault = text(value)
    if fault is None and not str(value).strip():
        return Fault(ProblemKind.WRONG_VALUE, "is empty.", f"Write a name, {_DEFAULT}")
    return fault


def days(value: object) -> Fault | None:
    """A whole number from 1 on, or None."""
    return None if value is None else positive(value)


def not_negative(value: object) -> Fault | None:
    """A whole number from 0 on."""
    if type(value) is int and value < 0:
        hint = f"Write a whole number of at least 0, {_DEFAULT}"
        return Fault(ProblemKind.WRONG_VALUE, f"must be at least 0, not {value}.", hint)
    return None if type(value) is int else positive(value)


def seconds(value: object) -> Fault | None:
    """A number above 0."""
    fault = seconds_or_zero(value)
    if fault is None and value != 0:
        return None
    hint = f"Write a number of seconds above 0, {_DEFAULT}"
    if fault is not None and fault.kind is ProblemKind.WRONG_TYPE:
        return fault._replace(hint=hint)
    return Fault(ProblemKind.WRONG_VALUE, f"must be above 0, not {value}.", hint)


def seconds_or_zero(value: object) -> Fault | None:
    """A number from 0 on."""
    hint = f"Write a number of seconds from 0 on, {_DEFAULT}"
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        what = f"must be a number of seconds, not {type(value).__name__}."
        return Fault(ProblemKind.WRONG_TYPE, what, hint)
    if not math.isfinite(value) or value < 0:
        return Fault(ProblemKind.WRONG_VALUE, f"must be at least 0, not {value}.", hint)
    return None


def choice(*known: str) -> Callable[[object], Fault | None]:
    """One of these strings."""

    def rule(value: object) -> Fault | None:
        fault = text(value)
        if fault is not None or value in known:
            return fault
        listed = ", ".join(f'"{name}"' for name in known)
        return Fault(
            ProblemKind.WRONG_VALUE, f"must be one of {listed}.", f"Write one, {_DEFAULT}"
        )

    return rule
