"""How many worlds are tried: ``WORLDS=ci``, ``dev``, ``deep``, or a number."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

_EXAMPLES: Final = {"dev": 200, "ci": 500, "deep": 20_000}


def _profile() -> settings:
    name = os.environ.get("WORLDS") or ("ci" if os.environ.get("CI") == "true" else "dev")
    return settings(
        max_examples=_EXAMPLES.get(name) or int(name),
        # A gate fails for a reason: it tries the same worlds each time.
        derandomize=name == "ci",
        deadline=None,
        database=None if name == "ci" else settings.default.database,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


PROFILE: Final = _profile()
