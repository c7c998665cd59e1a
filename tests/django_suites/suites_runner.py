"""Django's test runner with the inspector made ready, without an entry in INSTALLED_APPS.

Django's ``runtests.py`` sets INSTALLED_APPS itself, and some of its tests count the apps.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.test.runner import DiscoverRunner


class Runner(DiscoverRunner):
    """Makes the inspector ready in the process from which the parallel ones are forked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        AppConfig.create("signal_inspector").ready()
