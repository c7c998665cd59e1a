"""System checks of signals and receivers: which rules there are, and when each one runs.

Many commands run checks but have no use for advice, so the rules depend on the command.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from types import FrameType
from typing import Any, Final

from django.apps import AppConfig
from django.core.checks import CheckMessage
from django.core.management.base import BaseCommand

from signal_inspector.checks import connecting, naming, placing, receiving, sending
from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Finding, get_options, is_ignored
from signal_inspector.checks.sending import providing_args
from signal_inspector.core import internal_errors

_ENTRIES = (BaseCommand.execute.__code__, BaseCommand.check.__code__)

Rule = Callable[[Facts], Iterable[Finding]]

#: Rules that use only what this process already knows: they run at each start of a server.
FROM_CONNECTIONS: Final[tuple[Rule, ...]] = (
    receiving.without_kwargs,
    connecting.dead,
    connecting.fleeting,
    connecting.connected_twice,
    connecting.imported_twice,
    connecting.uid_taken,
    connecting.vain_disconnect,
    receiving.below_decorator,
    placing.misplaced,
)

#: Rules that have to read the source, or that only give advice: they run only for ``check``.
FROM_SOURCE: Final[tuple[Rule, ...]] = (
    placing.late,
    sending.sync_on_asend,
    receiving.unloggable,
    receiving.text_as_sender,
    receiving.unsent_parameter,
    providing_args,
    sending.never_sent,
    sending.nobody_connected,
    naming.names,
    sending.may_stop_others,
)


def asking_command() -> str | None:
    """The name of the outermost management command that is running; None for no command.

    It is the outermost because ``manage.py test`` calls ``check``. It is found on the stack,
    because ``sys.argv`` does not show ``call_command()``, or programs that are not manage.py.
    With the autoreloader, runserver runs the checks in a separate thread that starts below
    ``execute()``, so ``check()`` is looked for as well.
    """
    command: object = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code in _ENTRIES:
            command = frame.f_locals.get("self", command)
        frame = frame.f_back
    return None if command is None else type(command).__module__.rpartition(".")[2]


def check_signals(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Check the project's signals and receivers; to be registered with ``TAG``.

    All ids are in docs/checks.md. Neither a finding nor a failure in here stops a command. For a
    command that is not in ``Checks.commands`` nothing is checked, and for ``runserver`` only what
    takes no noticeable time at start-up.
    """
    try:
        options = get_options()
        command = asking_command()
        if not _is_listed(command, options.commands):
            return []
        rules = FROM_CONNECTIONS + (FROM_SOURCE if command in (None, "check") else ())
        found = findings(Facts(options), rules, app_configs)
        return [finding.as_message() for finding in found]
    except Exception as error:
        internal_errors.report("the checks of signals", error)
        return []


def findings(
    facts: Facts, rules: Iterable[Rule], app_configs: Sequence[AppConfig] | None = None
) -> list[Finding]:
    """The findings of the rules, without those that settings ignore; each finding once.

    With ``app_configs``, only findings about a signal or a receiver of one of these apps.
    """
    found: dict[Finding, None] = {}
    for rule in rules:
        for finding in _asked(rule, facts):
            if not is_ignored(facts.options, finding) and _is_of(app_configs, finding):
                found[finding] = None
    return list(found)


def _asked(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """The findings of one rule. If the rule fails, the others still run."""
    try:
        yield from rule(facts)
    except Exception as error:
        internal_errors.report(f"the check {rule.__name__}", error)


def _is_listed(command: str | None, globs: Iterable[str]) -> bool:
    return command is None or any(fnmatchcase(command, glob) for glob in globs)


def _is_of(app_configs: Sequence[AppConfig] | None, finding: Finding) -> bool:
    if app_configs is None:
        return True
    prefixes = tuple(f"{config.name}." for config in app_configs)
    return any(name.startswith(prefixes) for name in finding.names)
