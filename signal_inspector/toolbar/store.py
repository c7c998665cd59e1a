"""What the toolbar's store holds of a request: its dispatches, compressed, and a summary."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.http import HttpRequest, HttpResponse

from signal_inspector.conf import get_config
from signal_inspector.core.record.details import redactor
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Caller, Outcome
from signal_inspector.toolbar.figures import covered_ns

_PATH = 500  # characters of a path with its query
_READ = 2_000  # of them that are looked through for secrets

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request and how much it sent. Plain values only."""

    method: str
    path: str  # with its query, redacted and capped
    status: int
    started: float  # Unix time in seconds
    start_ns: int  # perf_counter at the start: the zero of the timeline
    duration_ns: int
    dispatches: int  # dropped ones included
    dropped: int
    limit: int
    failed: int  # receiver calls that raised
    busy_ns: int  # time in dispatches at the top
    trace_id: str = ""  # of the first dispatch that was traced
    trace_sampled: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize(
    request: HttpRequest,
    response: HttpResponse,
    dispatches: Sequence[Dispatch],
    *,
    dropped: int,
    **measured: Any,
) -> StoredRequest:
    """What is stored of a request that has just been answered; ``measured``: the other fields."""
    tops = [d for d in dispatches if d.parent_id is None]
    calls = [call for dispatch in dispatches for call in dispatch.calls]
    traced = next((d for d in dispatches if d.trace_id), None)
    return StoredRequest(
        method=str(request.method)[:20],
        path=_path(request)[:_PATH],
        status=response.status_code,
        dispatches=len(dispatches) + dropped,
        dropped=dropped,
        failed=sum(call.outcome is Outcome.RAISED for call in calls),
        trace_id=traced.trace_id if traced else "",
        trace_sampled=traced.trace_sampled if traced else None,
        busy_ns=covered_ns((d.start_ns, d.start_ns + d.duration_ns) for d in tops),
        **measured,
    )


def _path(request: HttpRequest) -> str:
    """The path without its secrets; in strict mode the route in its place, if it has one."""
    config = get_config()
    route = getattr(request.resolver_match, "route", None)
    if config.strict and isinstance(route, str):
        return f"/{route.removeprefix('/')}"
    return redactor(config).redact_text(request.get_full_path()[:_READ])


def pack(dispatches: Iterable[Dispatch]) -> str:
    """A text for the store, which takes only JSON: compressed, as dispatches are much alike.

    In base64, which takes 6 percent more than base85 and a tenth of its time. One by one, so that
    the garbage collector does not walk all of them again and again.
    """
    rows: list[str] = []
    stacks: dict[tuple[Caller, ...], int] = {}  # most of a dispatch, and mostly that of another
    for dispatch in dispatches:
        row = dispatch.as_dict()
        if "stack" in row:
            row["stack"] = stacks.setdefault(dispatch.stack, len(stacks))
        rows.append(_encode(row))
    text = f'{{"stacks":{_encode(list(stacks))},"dispatches":[{",".join(rows)}]}}'
    return b64encode(zlib.compress(text.encode(), level=1)).decode()


def unpack(packed: str) -> list[Dispatch]:
    """The dispatches that ``pack`` stored; ``sequence`` is their place in the request, from 0."""
    data = json.loads(zlib.decompress(b64decode(packed)))
    stacks = [tuple(map(Caller.from_list, stack)) for stack in data["stacks"]]
    found = []
    for place, row in enumerate(data["dispatches"]):
        stack = row.pop("stack", None)
        dispatch = Dispatch.from_dict(row, is_trusted=True)
        dispatch.sequence = place
        if stack is not None:
            dispatch.stack = stacks[stack]
        found.append(dispatch)
    return found


_FIELDS = {field.name for field in fields(StoredRequest)}


def stored_request(data: dict[str, Any]) -> StoredRequest:
    """The request of stored data; fields of another version are left out."""
    return StoredRequest(**{key: value for key, value in data.items() if key in _FIELDS})
