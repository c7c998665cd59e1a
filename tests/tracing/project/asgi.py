"""ASGI applications: as Django makes it, and with a flush when the server shuts down.

Without HAS_ASGI_EXTRA it is as if contrib's ASGI package were not installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

if not os.environ.get("HAS_ASGI_EXTRA"):
    sys.modules["opentelemetry.instrumentation.asgi"] = None  # type: ignore[assignment]

from django.core.asgi import get_asgi_application

from tests.tracing.project.telemetry import set_up_web

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

provider = set_up_web()
django_application = get_asgi_application()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Django's application, which knows no lifespan, with one: it flushes at the end."""
    if scope["type"] != "lifespan":
        await django_application(scope, receive, send)
        return
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            provider.shutdown()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
