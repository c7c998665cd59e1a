"""A Celery application whose broker is a directory. FLUSH: whether its processes flush at exit.

SET_UP says where the provider is made: in "each" process of the pool, in the "parent", or where
the document's example does it ("document").
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
from celery import Celery, signals
from opentelemetry import trace

from tests.tracing.project import telemetry

django.setup()
BROKER = Path(os.environ["SPANS_IN"], "broker")
BROKER.mkdir(exist_ok=True)

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(BROKER),
    "data_folder_out": str(BROKER),
    "control_folder": str(BROKER),
    "polling_interval": 0.05,
}
app.conf.task_ignore_result = True

if os.environ.get("SET_UP") == "parent":
    telemetry.set_up()
elif os.environ.get("SET_UP") == "document":
    import shop.celery  # type: ignore[import-not-found]  # noqa: F401


@signals.worker_process_init.connect(weak=False)
def set_up(**kwargs: object) -> None:
    if os.environ.get("SET_UP") == "each":
        telemetry.set_up()


@signals.worker_process_shutdown.connect(weak=False)
def flush(**kwargs: object) -> None:
    if os.environ.get("FLUSH"):
        provider: Any = trace.get_tracer_provider()
        provider.shutdown()


@app.task
def place(token: str) -> None:
    from tests.tracing.project.signals import placed, tracer

    with tracer.start_as_current_span("task", attributes={"token": token}):
        placed.send_robust(sender=None, token=token)
    Path(os.environ["SPANS_IN"], f"{token}.done").touch()
