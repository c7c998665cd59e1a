"""Tools for a project's tests: assert what was sent and who received it, and inject failures.

They work whether or not the app is in ``INSTALLED_APPS``, under ``manage.py test`` and pytest.
"""

from __future__ import annotations

from unittest.mock import ANY

from signal_inspector.testing.captures import CapturedCall, CapturedDispatch
from signal_inspector.testing.capturing import (
    CapturedDispatches,
    DispatchesMixin,
    capture_dispatches,
)
from signal_inspector.testing.faults import delay, inject_failure
from signal_inspector.testing.messages import sending, where
from signal_inspector.testing.mutes import mute, only
from signal_inspector.testing.swallowed import expect_swallowed

__all__ = [
    "ANY",
    "CapturedCall",
    "CapturedDispatch",
    "CapturedDispatches",
    "DispatchesMixin",
    "capture_dispatches",
    "delay",
    "expect_swallowed",
    "inject_failure",
    "mute",
    "only",
    "sending",
    "where",
]
