"""The system checks of this app, under the tag ``signal_inspector``.

The rules, and the code that reads source for them, are imported only when a command runs checks:
a server that does not run checks does not need them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage

from signal_inspector.checks.settings import TAG, check_settings, check_toolbar

__all__ = ["TAG", "check_settings", "check_signals", "check_toolbar"]


def check_signals(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the project's signals and receivers; to be registered with ``TAG``."""
    from signal_inspector.checks import signals  # noqa: PLC0415 - see above

    return signals.check_signals(app_configs, **kwargs)
