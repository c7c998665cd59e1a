"""What Signal Inspector adds to ``django.setup()``, in milliseconds of the processor.

Of a project that has the toolbar and OpenTelemetry imported anyway. Every figure is of a fresh
process; those of bare Django, of the core and of all rooms take turns.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from statistics import median
from typing import Final

from tests.benchmarks.rows import Row

BARE: Final = "bare"

#: By what is installed: the milliseconds that may be added, and those to aim at.
GOALS: Final = {"core": (40.0, 20.0), "all rooms": (90.0, 50.0)}

_OURS: Final = {
    BARE: ((), {}),
    "core": (("signal_inspector",), {}),
    "all rooms": (
        ("signal_inspector", "signal_inspector.audit"),
        {
            "SIGNAL_INSPECTOR": {"SINKS": ["signal_inspector.tracing.TracingSink"]},
            "DEBUG_TOOLBAR_PANELS": ["signal_inspector.toolbar.SignalInspectorPanel"],
        },
    ),
}

_SCRIPT: Final = """
import sys, time
from django.conf import settings
ours, more = {ours!r}
contrib = [f"django.contrib.{{app}}" for app in ("admin", "auth", "contenttypes", "messages",
                                                 "sessions")]
settings.configure(
    INSTALLED_APPS=[*ours, *contrib, "debug_toolbar"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    ROOT_URLCONF="debug_toolbar.urls",
    SECRET_KEY="x",
    STATIC_URL="/static/",
    **more,
)
import ctypes.util, django, django.contrib.admin, debug_toolbar
import opentelemetry._logs, opentelemetry.metrics, opentelemetry.trace
# The toolbar asks for GeoDjango, which would run a compiler, dozens of times, to look for GDAL.
ctypes.util.find_library = lambda name: None
began = time.process_time_ns()
django.setup()
print(time.process_time_ns() - began)
"""


def rows(rounds: int) -> list[Row]:
    """A row for the core and one for all rooms."""
    taken: dict[str, list[int]] = {name: [] for name in _OURS}
    for name in _OURS:  # the first run of each writes the compiled modules
        _setup(name)
    for _ in range(rounds):
        for name in random.sample(list(_OURS), len(_OURS)):
            taken[name].append(_setup(name))
    found = []
    for name, (must, aim) in GOALS.items():
        added = (median(taken[name]) - median(taken[BARE])) / 1e6
        case = f"django.setup(), {name}: added ms"
        found.append(Row(case, 0, median(taken[name]), added, must=must, aim=aim))
    return found


def _setup(name: str) -> int:
    """Nanoseconds of ``django.setup()`` in a process of its own."""
    source = _SCRIPT.format(ours=_OURS[name])
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
