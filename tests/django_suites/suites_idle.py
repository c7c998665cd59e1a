"""Settings for Django's tests: the wrapper is installed and nobody listens."""

from __future__ import annotations

from test_sqlite import *  # noqa: F403  Django's own settings for its tests

from signal_inspector import instrument

instrument.install()
