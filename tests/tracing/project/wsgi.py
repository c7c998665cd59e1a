"""The WSGI application. SEND_AT_IMPORT makes it send a signal as it is imported."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from tests.tracing.project.telemetry import set_up_web

set_up_web()
application = get_wsgi_application()

if os.environ.get("SEND_AT_IMPORT"):
    from tests.tracing.project.signals import counted

    counted.send(sender=None, token="import")
