"""Settings for Django's tests: every signal is recorded, Django's own too, and read in full.

A settings module is what every process of the runner loads first, the parallel ones too.
"""

from __future__ import annotations

import logging
import os

from test_sqlite import *  # noqa: F403  Django's own settings for its tests

from signal_inspector import instrument

SIGNAL_INSPECTOR = {"INCLUDE": ["*"], "EXCLUDE": [], "SINKS": ["suites_sink.ReadEverything"]}

instrument.install()

# What fails inside the inspector is only logged, and tests may swallow a log: a file is read
# by run.py in the end.
logging.getLogger("signal_inspector").addHandler(
    logging.FileHandler(os.environ["SIGNAL_INSPECTOR_TROUBLE"], delay=True)
)
