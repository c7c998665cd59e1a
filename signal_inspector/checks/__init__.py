"""The system checks of this app, under the tag ``signal_inspector``.

The rules, and the reading of source that they need, are imported when a command checks: a server
that does not has no use for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage

from signal_inspector.checks.settings import TAG, check_settings, check_toolbar

__all__ = ["TAG", "check_settings", "check_signals", "check_toolbar"]


def check_signals(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What is wrong with the project's signals and receivers; to be registered with ``TAG``."""
    from signal_inspector.checks import signals  # noqa: PLC0415 - see above

    return signals.check_signals(app_configs, **kwargs)
