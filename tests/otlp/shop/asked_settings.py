"""The traced project with more asked of TRACING than it does by itself, and less told."""

from __future__ import annotations

from tests.otlp.shop.traced_settings import *  # noqa: F403
from tests.otlp.shop.traced_settings import SIGNAL_INSPECTOR

SIGNAL_INSPECTOR = {
    **SIGNAL_INSPECTOR,
    "TRACING": {
        "LOG_FAILURES": True,
        "EXCEPTION_MESSAGES": False,
        "PAYLOAD_ATTRIBUTES": ["channel", "order"],
        "DISPATCH_HOOK": "tests.otlp.shop.hooks.name_tenant",
        "RECEIVER_HOOK": "tests.otlp.shop.hooks.fail",
    },
}
