"""``python -m tests.benchmarks``: what a send and a connect cost, beside bare Django, in one run.

``--quick`` measures less, for a gate. ``--check`` fails where a "must" is missed by more than
the noise, after having measured again. ``--only PART`` measures one part of it. ``--json FILE``
writes the figures too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from itertools import chain
from pathlib import Path
from typing import Final

import django
from django.conf import settings

from tests.benchmarks import contest, startup
from tests.benchmarks.measure import FIRST, SENDS, Contestant, Effort, measure
from tests.benchmarks.rows import Row, rows_of, table
from tests.benchmarks.sentry import Sentry, version

_FULL: Final = Effort(rounds=25, turns=12)
_QUICK: Final = Effort(rounds=10, turns=8)
_ATTEMPTS: Final = 3  # at rows that miss, after the first
_PARTS: Final = ("sync", "async", "connect", "tracing", "startup")
_SDK: Final = "opentelemetry-sdk"


def main() -> int:
    arguments = _arguments()
    settings.configure(INSTALLED_APPS=[], DATABASES={}, USE_TZ=True)
    django.setup()
    effort = _QUICK if arguments.quick else _FULL
    print(_setting(effort), end="\n\n", flush=True)
    # The SDK's patches go on, and come off, before ours.
    sentry = Sentry() if version() else None
    contest.prepare()
    rows = list(_all_rows(arguments.only, sentry, effort, _ATTEMPTS if arguments.check else 0))
    print(table(rows))
    if arguments.json:
        figures = {**_machine(), "rows": [row.as_dict() for row in rows]}
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")
    missed = [row for row in rows if not row.is_near]
    if missed:
        print(f"\n{len(missed)} missed by more than the noise")
    return 1 if arguments.check and missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less")
    parser.add_argument("--check", action="store_true", help="fail where a must is missed")
    parser.add_argument("--only", choices=_PARTS, metavar="PART", help=", ".join(_PARTS))
    parser.add_argument("--json", metavar="FILE", help="write the figures here, too")
    return parser.parse_args()


def _machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "django": django.get_version(),
        "sentry-sdk": version() or "not installed",
        _SDK: _sdk_version() or "not installed",
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _sdk_version() -> str | None:
    try:
        return version_of(_SDK)
    except PackageNotFoundError:
        return None


def _setting(effort: Effort) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in _machine().items())
    return (
        f"{machine}\n"
        f"Ratios to bare Django's send() in the same round: medians of {effort.rounds} rounds of "
        f"{effort.turns} turns of {SENDS} sends,\nwhich the contestants take one after another. "
        "Processor time. Receivers do nothing. Garbage is collected\nas Python has it. What a "
        f"turn has recorded is let go of after it, outside its time; its first {FIRST} sends more "
        "are not timed.\nIn place of the ratio stands what is added: to connect() in "
        "microseconds,\nto django.setup() in milliseconds."
    )


def _all_rows(
    only: str | None, sentry: Sentry | None, effort: Effort, attempts: int
) -> Iterator[Row]:
    if only in (None, "sync"):
        yield from _sync_rows(sentry, effort, attempts)
    if only in (None, "async"):
        yield from _async_rows(effort)
    if only in (None, "connect"):
        yield from _connecting_rows(effort, attempts)
    if only in (None, "startup"):
        yield from startup.rows(effort.rounds)
    if only not in (None, "tracing"):
        return
    if _sdk_version() is None:
        print(f"Tracing is left out: {_SDK} is not installed.", end="\n\n")
    else:
        yield from _tracing_rows(sentry, effort, attempts)


def _sync_rows(sentry: Sentry | None, effort: Effort, attempts: int) -> Iterator[Row]:
    for receivers in contest.SIGNALS:
        contestants = contest.sync_contestants(receivers)
        if receivers and sentry is not None:
            contestants.append(sentry.contestant(receivers))
        yield from _rows(contestants, effort, receivers, attempts)


def _connecting_rows(effort: Effort, attempts: int) -> Iterator[Row]:
    for connected in contest.CONNECTED:
        contestants = contest.connecting_contestants(connected)
        yield from _rows(contestants, effort, connected, attempts)


def _tracing_rows(sentry: Sentry | None, effort: Effort, attempts: int) -> Iterator[Row]:
    from tests.benchmarks import tracing  # the only module that imports the SDK

    print(tracing.METHOD, end="\n\n", flush=True)
    cases = tracing.cases()
    for receivers in filter(None, contest.SIGNALS):
        for tracings in cases:
            contestants = tracing.contestants(tracings, receivers)
            if sentry is not None and any(case.samples for case in tracings):
                contestants.append(sentry.contestant(receivers))
            yield from _rows(contestants, effort, receivers, attempts)
    for case in chain.from_iterable(cases):
        case.close()


def _rows(
    contestants: list[Contestant], effort: Effort, receivers: int, attempts: int
) -> list[Row]:
    rows = rows_of(measure(contestants, effort), receivers)
    for _ in range(attempts):
        if all(row.is_near for row in rows):
            break
        rows = _better(rows, rows_of(measure(contestants, effort), receivers))
    return rows


def _better(before: list[Row], after: list[Row]) -> list[Row]:
    """Of each row the measurement that reaches its goal, or else the later one."""
    return [old if old.is_near else new for old, new in zip(before, after, strict=True)]


def _async_rows(effort: Effort) -> Iterator[Row]:
    with asyncio.Runner() as runner:
        for receivers in contest.ASYNC_SIGNALS:
            contestants = contest.async_contestants(receivers, runner)
            yield from rows_of(measure(contestants, effort), receivers, prefix="asend: ")


if __name__ == "__main__":
    sys.exit(main())
