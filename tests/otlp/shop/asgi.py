from __future__ import annotations

from tests.otlp.shop import exporting

exporting.start()  # before Django reads its middleware, which contrib's instrumentation adds to

from django.core.asgi import get_asgi_application  # noqa: E402

application = get_asgi_application()
