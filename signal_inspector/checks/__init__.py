"""The system checks of this app, under the tag ``signal_inspector``."""

from __future__ import annotations

from signal_inspector.checks.settings import TAG, check_settings, check_toolbar
from signal_inspector.checks.signals import check_signals

__all__ = ["TAG", "check_settings", "check_signals", "check_toolbar"]
