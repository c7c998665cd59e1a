"""A shop with Sentry beside OpenTelemetry and us, as a collector received it."""

from __future__ import annotations

import json
import re

import pytest

from tests.otlp.conftest import Start
from tests.otlp.running import Run, Way
from tests.otlp.test_traces import RECEIVERS


@pytest.fixture(scope="module")
def ran(start: Start) -> Run:
    """The shop, with Sentry's spans of receivers switched on."""
    return start(Way(protocol="grpc", settings="sentry_settings"))


@pytest.fixture(scope="module")
def plain(start: Start) -> Run:
    """The shop without Sentry."""
    return start(Way(protocol="grpc"))


@pytest.mark.parametrize("page", ["place", "refuse", "cancel", "forget"])
def test_traces(ran: Run, plain: Run, page: str) -> None:
    """What arrives is what arrives without Sentry: the same spans, each once."""
    assert ran.outline(page) == plain.outline(page)
    assert ran.visits[page].status == plain.visits[page].status


def test_async_traces(ran: Run, plain: Run) -> None:
    """So it is where receivers run at the same time."""
    assert sorted(ran.outline("pay")) == sorted(plain.outline("pay"))


def test_metrics(ran: Run, plain: Run) -> None:
    """Nothing is counted twice, nor under another name."""
    for name in ("django.signal.send.duration", "django.signal.receiver.duration"):
        counted, expected = (
            {frozenset(point.attributes.items()): point.count for point in each.points}
            for each in (ran.arrived.metrics[name], plain.arrived.metrics[name])
        )
        assert counted == expected


def test_sentry(ran: Run) -> None:
    """Sentry goes on seeing each receiver once, too."""
    (told,) = re.findall(r"sentry: \S*cancel\S* (\[.*\])", ran.output)
    ours = [name for name in json.loads(told) if name.startswith(RECEIVERS)]
    assert ours == [f"{RECEIVERS}.refund", f"{RECEIVERS}.restock"]
