"""Settings for Django's tests with the wrapper installed: it is what every process loads first.

Idle, nobody listens. Else every signal is recorded, Django's own too, and read in full.
"unknown" is what an unknown version of Django would get: no method is replaced by our own loop.
"""

from __future__ import annotations

import logging
import os

from test_sqlite import *  # noqa: F403  Django's own settings for its tests

from signal_inspector.core.wrapper import instrument

MODE = os.environ["SUITES_MODE"]

SIGNAL_INSPECTOR = {
    "INCLUDE": ["*"],
    "EXCLUDE": [],
    "SINKS": {
        "idle": [],
        "recorded": ["suites_sinks.ReadEverything"],
        "live": ["suites_sinks.ReadEverythingLive"],
        "unknown": ["suites_sinks.ReadEverythingLive"],
    }[MODE],
}
TEST_RUNNER = "suites_runner.Runner"

if MODE == "unknown":
    instrument.KNOWN_DJANGO = ()  # type: ignore[misc]
instrument.install()

# What fails inside the inspector is only logged, and tests may swallow a log: run.py reads this
# file in the end.
logging.getLogger("signal_inspector").addHandler(
    logging.FileHandler(os.environ["SUITES_INTERNAL_ERRORS"], delay=True)
)
