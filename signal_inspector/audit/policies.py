"""What is kept of which signal: ``INCLUDE``, ``EXCLUDE`` and ``RULES``, decided once per name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from signal_inspector.audit.settings import Audit, Rule, get_settings
from signal_inspector.core.record.values import Details
from signal_inspector.names import is_inspected, name_matches
from signal_inspector.setting_rules import SectionReader

_REMEMBERED = 10_000  # signals whose policy is remembered

_ALWAYS: Final = Details.CALLER | Details.TRANSACTION | Details.TRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is kept of a signal, and for how long."""

    glob: str  # the rule's own; "" where none matched
    payload: str  # "full", "objects" or "none"
    responses: bool
    tracebacks: bool
    keep_days: int | None
    keep_failures_days: int | None
    max_rows: int | None


_DEFAULT: Final = Rule()
_known: dict[str, Policy | None] = {}
_in_order: list[Policy] | None = None


def policy_for(signal: str) -> Policy | None:
    """The policy for a signal of this name; None if it is not audited. Remembered."""
    try:
        return _known[signal]
    except KeyError:
        policy = _decide(signal, get_settings())
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[signal] = policy
        return policy


def policies() -> list[Policy]:
    """The policies of the settings in the order in which they are tried; the default's is last."""
    global _in_order
    if _in_order is None:
        read = [_read(glob, raw) for glob, raw in dict(get_settings().rules or {}).items()]
        _in_order = [*read, _policy("", _DEFAULT)]
    return _in_order


def wanted_details() -> Details:
    """What has to be gathered for the policies together."""
    wanted = _ALWAYS
    for policy in policies():
        wanted |= details_of(policy)
        if policy.glob == "*":  # no signal comes to those behind it
            break
    return wanted


def details_of(policy: Policy) -> Details:
    """What has to be gathered of the dispatches that this policy is for."""
    wanted = _ALWAYS
    if policy.payload != "none":
        wanted |= Details.PAYLOAD
    if policy.responses:
        wanted |= Details.RESPONSE
    if policy.tracebacks:
        wanted |= Details.TRACEBACK
    return wanted


def forget_policies() -> None:
    """Decide anew: the settings have changed."""
    global _in_order
    _in_order = None
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
