"""Runs the shop's tests from whichever directory ``manage.py test`` is called in."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.test.runner import DiscoverRunner


class ShopRunner(DiscoverRunner):
    """Looks for tests in the example project, not in the current directory."""

    def setup_test_environment(self, **kwargs: Any) -> None:
        super().setup_test_environment(**kwargs)
        for name in ("", "django"):  # assertLogs() hears what is logged; the console need not
            logging.getLogger(name).handlers = [logging.NullHandler()]
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast

    def build_suite(self, test_labels: list[str] | None = None, **kwargs: Any) -> Any:
        return super().build_suite(test_labels or [str(settings.BASE_DIR)], **kwargs)
