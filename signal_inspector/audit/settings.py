"""``SIGNAL_INSPECTOR["AUDIT"]``: its settings, their validation, and the policy for a signal.

``INCLUDE``, ``EXCLUDE`` and ``RULES`` are evaluated once per signal name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from signal_inspector.conf import get_config, is_inspected, name_matches
from signal_inspector.core import process_state
from signal_inspector.core.record.values import Details
from signal_inspector.setting_rules import (
    Fault,
    ProblemKind,
    SectionReader,
    fixed,
    positive,
    section,
    text,
)

_DEFAULT = "or remove the key to use the default."

PAYLOADS: Final = ("full", "objects", "none")
PATHS: Final = ("route", "path")

_REMEMBERED = 10_000  # signals whose policy is cached

_ALWAYS: Final = Details.CALLER | Details.TRANSACTION | Details.TRACE


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


def seconds_or_zero(value: object) -> Fault | None:
    """A number from 0 on."""
    hint = f"Write a number of seconds of at least 0, {_DEFAULT}"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is kept of the signals of one glob, and for how long: a value of ``RULES``."""

    #: "full": as the panel shows it; "objects": only model instances; "none": nothing.
    payload: str = field(default="full", metadata={"rule": choice(*PAYLOADS)})
    responses: bool = False
    tracebacks: bool = True
    #: Dispatches older than this many days are pruned; None: never.
    keep_days: int | None = field(default=None, metadata={"rule": days})
    #: The same for dispatches in which something failed; None: the value of keep_days.
    keep_failures_days: int | None = field(default=None, metadata={"rule": days})
    #: The oldest dispatches beyond this number are pruned; None: no limit.
    max_rows: int | None = field(default=None, metadata={"rule": days})


def _rules(value: object) -> Fault | None:
    """A dict that has globs as keys, and dicts of the settings in ``Rule`` as values."""
    fault = section(value)
    if fault is not None or not isinstance(value, dict):
        return fault
    for glob, rule in dict.items(value):
        if not isinstance(glob, str) or not glob.strip():
            hint = 'Write it like {"shop.*": {"KEEP_DAYS": 90}}.'
            return Fault(ProblemKind.WRONG_TYPE, "must have globs for signal names as keys.", hint)
        reader = SectionReader()
        reader.read(Rule, rule, f'["{glob}"]')
        for problem in reader.problems:
            place = problem.message.removeprefix(problem.key)
            return Fault(problem.kind, f"is wrong at {problem.key}: it{place}", problem.hint)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The settings of the audit, with their defaults."""

    database: str = field(default="default", metadata={"rule": some_text})  # alias in DATABASES
    #: "auto", "inline", "after_transaction", "buffered", "spooled", or a Delivery class's path.
    delivery: str = field(default="auto", metadata={"rule": some_text})
    include: tuple[str, ...] = ("*",)  # globs of the signals that are audited
    exclude: tuple[str, ...] = ()
    #: {glob: rule}; the first glob that matches a signal counts.
    rules: Mapping[str, Mapping[str, Any]] | None = field(default=None, metadata={"rule": _rules})
    queue_size: int = 10_000  # dispatches that wait for the writer, per process
    batch_size: int = fixed(500)  # dispatches written in one transaction
    flush_seconds: float = fixed(1.0)  # the longest time that they wait
    spool_dir: str = ""  # where "spooled" keeps its files; "spooled" does not work without it
    request_id_header: str = "X-Request-ID"  # "": a new id is made for every request
    #: What is kept of the path of a request: "route", the route that Django found, or "path".
    paths: str = field(default="route", metadata={"rule": choice(*PATHS)})
    #: How many trusted proxies are in front of the application, each of which appends to
    #: X-Forwarded-For; 0: the header is not read.
    trusted_proxies: int = field(default=0, metadata={"rule": not_negative})
    client_header: str = ""  # a header that your proxy sets to the client's address only
    #: Whether the name of the user (its USERNAME_FIELD) is kept beside its key.
    actor_labels: bool = True
    #: Seconds after which a failed receiver may be run again; 0: at once.
    retry_minimum_age: float = field(default=300, metadata={"rule": seconds_or_zero})
    retry_attempts: int = fixed(3)  # the maximum number of attempts
    #: A writer is shown as late by a system check and in the admin if for so many seconds it had
    #: something to write and wrote nothing.
    late_after_seconds: float = fixed(60)


def get_settings() -> Audit:
    """The current settings of the audit."""
    config = get_config()
    return config.room(Audit) if config.rooms else _DEFAULTS


_DEFAULTS: Final = Audit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is kept of a signal's dispatches, and for how long."""

    glob: str  # the glob of the rule; "" if none matched
    payload: str  # "full", "objects" or "none"
    responses: bool
    tracebacks: bool
    keep_days: int | None
    keep_failures_days: int | None
    max_rows: int | None


_NO_RULE: Final = Rule()

_known: dict[str, Policy | None] = {}


def policy_for(signal: str) -> Policy | None:
    """The policy for a signal of this name; None if it is not audited. The result is cached."""
    try:
        return _known[signal]
    except KeyError:
        policy = _decide(signal, get_settings())
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[signal] = policy
        return policy


@cache
def policies() -> list[Policy]:
    """The policies of the settings, in the order in which they are tried; the default is last."""
    read = [_read(glob, raw) for glob, raw in dict(get_settings().rules or {}).items()]
    return [*read, _policy("", _NO_RULE)]


def wanted_details() -> Details:
    """The details that the policies need together."""
    wanted = _ALWAYS
    for policy in policies():
        wanted |= details_of(policy)
        if policy.glob == "*":  # it matches all signals, so the policies after it are not used
            break
    return wanted


def details_of(policy: Policy) -> Details:
    """The details that this policy needs."""
    wanted = _ALWAYS
    if policy.payload != "none":
        wanted |= Details.PAYLOAD
    if policy.responses:
        wanted |= Details.RESPONSE
    if policy.tracebacks:
        wanted |= Details.TRACEBACK
    return wanted


@process_state.at_reset
def forget_policies() -> None:
    """Forget the policies, because the settings have changed."""
    policies.cache_clear()
    _known.clear()


def _decide(signal: str, settings: Audit) -> Policy | None:
    if not is_inspected(signal, settings.include, settings.exclude):
        return None
    return next(each for each in policies() if not each.glob or name_matches(signal, each.glob))


def _read(glob: str, raw: Any) -> Policy:
    return _policy(glob, Rule(**SectionReader().read(Rule, raw, glob)))


def _policy(glob: str, rule: Rule) -> Policy:
    return Policy(
        glob=glob,
        payload=rule.payload,
        responses=rule.responses,
        tracebacks=rule.tracebacks,
        keep_days=rule.keep_days,
        keep_failures_days=rule.keep_failures_days or rule.keep_days,
        max_rows=rule.max_rows,
    )
