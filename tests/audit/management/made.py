"""Dispatches in the log, of any age and signal; and the command, run here or as a program."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.lookups import first_id_at
from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.rows import ObjectRow, Rows
from signal_inspector.audit.sanitize import name_text, storable
from signal_inspector.audit.settings import get_settings
from tests.audit.programs import Programs
from tests.audit.rows_made import dispatched, on_order, on_order_badly, rows_of

_EPOCH = 1_000_000


def made(
    age: timedelta = timedelta(0),
    signal: str = "shop.order_placed",
    *,
    failed: bool = False,
    objects: Sequence[str] = (),
    actor: str = "",
    at: datetime | None = None,
    receivers: Sequence[Any] | None = None,
    **arguments: Any,
) -> Rows:
    """The rows of a dispatch that started so long ago."""
    chosen = receivers if receivers is not None else [on_order_badly if failed else on_order]
    rows = rows_of(dispatched(*chosen, **arguments), Circumstances(actor=storable(actor)))
    when = at or timezone.now() - age
    id_ = str(UUID(int=first_id_at(when).int | secrets.randbits(60)))
    dispatch = rows.dispatch._replace(
        id=id_, signal_id=name_text(signal), started_at=int(when.timestamp() * _EPOCH)
    )
    keys = [storable(key).split(":") for key in objects]
    return Rows(
        dispatch,
        [call._replace(dispatch_id=id_) for call in rows.calls],
        [ObjectRow(label, key, id_) for label, key in keys],
    )


def put(*rows: Rows) -> list[UUID]:
    """Write them to the log; their ids."""
    assert write(rows, get_settings().database).count == len(rows)
    return [UUID(each.id) for each in rows]


def kept() -> list[UUID]:
    """The ids in the log, in order."""
    return list(AuditedDispatch.objects.order_by("id").values_list("id", flat=True))


def run(*arguments: str) -> str:
    """What the command writes to stdout; it has to end well."""
    out = io.StringIO()
    call_command("signal_audit", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def told(*arguments: str) -> str:
    """What it writes to stderr."""
    err = io.StringIO()
    call_command("signal_audit", *arguments, stdout=io.StringIO(), stderr=err)
    return err.getvalue()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments))


def refused(status: int, *arguments: str) -> str:
    """What is said of a command that ends with this status."""
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode == status
    return str(caught.value)


def fill(programs: Programs, code: str) -> None:
    """Put dispatches into the log of programs: ``put(made(...))``."""
    # What it sends to make them is not to be in the log as well.
    programs.run(f"from tests.audit.management.made import *\n{code}", EXCLUDE=["*"])


def start(programs: Programs, *arguments: str, before: str = "", **audit: Any) -> Any:
    """Start the command as a program of its own; ``before`` is code to run first."""
    argv = ["manage.py", "signal_audit", *arguments]
    code = f"{before}\nfrom django.core.management import execute_from_command_line\n"
    return programs.start(
        f"{code}sys.argv = {argv!r}\nexecute_from_command_line(sys.argv)", **audit
    )


def finish(process: subprocess.Popen[str], status: int = 0) -> tuple[str, str]:
    """Its output, when it has ended with this status."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, (process.returncode, err)
    return out, err
