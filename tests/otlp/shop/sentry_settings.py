"""The traced project with Sentry beside: its spans of receivers go to the output."""

from __future__ import annotations

import json

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport

from tests.otlp.shop.traced_settings import *  # noqa: F403


class Told(Transport):
    """Sends nothing: prints which receivers a transaction has spans of."""

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            if item.type == "transaction":
                transaction = item.payload.json
                receivers = [
                    span["description"]
                    for span in transaction["spans"]
                    if span["op"] == "event.django"
                ]
                print(f"sentry: {transaction['transaction']} {json.dumps(receivers)}", flush=True)


sentry_sdk.init(
    dsn="https://key@sentry.invalid/1",
    transport=Told,
    traces_sample_rate=1.0,
    integrations=[DjangoIntegration(signals_spans=True)],
)
