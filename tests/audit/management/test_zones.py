"""Ages and times where neither the process nor the project lives in UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from signal_inspector.audit.destinations.database.adapters import stored, stored_now, utc_of
from tests.listening import run_python

pytestmark = pytest.mark.programs

PROGRAM = """
import io, json
from datetime import UTC, datetime, timedelta
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["signal_inspector", "signal_inspector.audit"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    USE_TZ={use_tz},
    TIME_ZONE="{time_zone}",
)
import django

django.setup()
from django.core.management import call_command
from django.dispatch import Signal
from signal_inspector.audit.models import GapReason
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.models import AuditedDispatch, Writer
from signal_inspector.audit.operations.health import late_writers, status
from signal_inspector.audit.delivery.gaps import Register

order_placed = Signal()
call_command("migrate", verbosity=0)
for number in range(2):
    order_placed.send(None, number=number)


def said(*command):
    out = io.StringIO()
    call_command("signal_audit", *command, stdout=out, stderr=io.StringIO())
    return out.getvalue()


losses.lose(GapReason.OVERFLOW, 3)
losses.write("default")
writer = Register("default", "buffered")
writer.beat(2)
said("prune", "--older-than", "1h")
recent = json.loads(said("stats", "--json", "--last", "1h"))["recent"]
exported = said("export").splitlines()
newest = datetime.fromisoformat(json.loads(exported[-1])["context"]["written_at"])
print(json.dumps({{
    "kept": AuditedDispatch.objects.count(),
    "exported": len(exported),
    "last": len(said("export", "--last", "1h").splitlines()),
    "tail": len(said("tail", "--no-follow").splitlines()),
    "recent": recent["dispatches"],
    "gaps": recent["gaps"]["missing"],
    "late": len(late_writers("default")),
    "written": abs(newest - datetime.now(UTC)) < timedelta(minutes=5),
    "same": said("stats").partition("Newest ")[2][:20].strip() in said("tail", "--no-follow"),
}}))
"""

RIGHT = {
    "kept": 2,
    "exported": 2,
    "last": 2,
    "tail": 2,
    "recent": 2,
    "gaps": 3,
    "late": 0,
    "written": True,
    "same": True,
}


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize(
    ("process", "project"),
    [
        ("America/New_York", "Pacific/Auckland"),
        ("Pacific/Auckland", "America/New_York"),
        ("UTC", "Asia/Tokyo"),
        ("Asia/Kolkata", "UTC"),
    ],
)
def test_what_is_new_is_new(process: str, project: str, use_tz: bool) -> None:
    """Nothing seconds old is pruned, late or left out, whatever zone the process is in."""
    source = PROGRAM.format(use_tz=use_tz, time_zone=project)
    found: dict[str, Any] = json.loads(run_python(source, TZ=process, PYTHONWARNINGS="default"))
    assert found == RIGHT


@pytest.mark.parametrize("use_tz", [True, False])
@override_settings(TIME_ZONE="Asia/Tokyo")
def test_times_of_the_tables(use_tz: bool) -> None:
    """Without USE_TZ they are in TIME_ZONE, also for someone who looks from elsewhere."""
    moment = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)
    with override_settings(USE_TZ=use_tz), timezone.override("America/New_York"):
        assert stored(moment) == (moment if use_tz else datetime(2026, 11, 23, 5, 30))
        assert utc_of(stored(moment)) == moment
        assert abs(utc_of(stored_now()) - datetime.now(UTC)) < timedelta(minutes=5)
