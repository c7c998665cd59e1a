"""Random worlds of signals, run on bare Django and under the wrapper: nothing may differ.

``spec`` says what a world is, ``strategies`` draws one, ``world`` builds and runs it, ``modes``
runs it in every mode and compares, ``agreement`` holds the record against what happened.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.differential.agreement")
