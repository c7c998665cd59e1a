"""The page with the options for exporting what the list shows, and the export itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from signal_inspector.audit.admin.base import Option, may_see_payloads
from signal_inspector.audit.admin.changelist import Changelist
from signal_inspector.audit.attribution.circumstances import actor_of
from signal_inspector.audit.models import OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.export import (
    FORMATS,
    AsyncStream,
    Csv,
    Format,
    Stream,
    chunks,
    described,
)
from signal_inspector.audit.search.entries import Wanted
from signal_inspector.audit.search.selection import PARAMETERS, PRESETS, Selection

EXPORT: Final = "signal_audit.export_dispatches"


def may_export(request: HttpRequest) -> bool:
    """Whether this user may export dispatches from the log."""
    return bool(request.user.has_perm(EXPORT))


class ExportPage:
    """What the form shows, and what it asks for when it is submitted."""

    def __init__(self, params: Mapping[str, str], site: AdminSite, *, may_see: bool) -> None:
        self._params = params
        self.list = Changelist(params, site)
        self.selection: Selection = self.list.selection
        self.may_see_payloads = may_see
        self.with_payloads = may_see and params.get("payloads") == "1"

    @property
    def problem(self) -> str:
        """Why this export is not possible; "" if it is."""
        if self.list.is_unknown:
            return f"The log has no match for “{self.list.text}”."
        read = self.selection.period.params
        for name, label in (("day", "Day"), ("from", "From"), ("to", "To")):
            given = self._params.get(name, "").strip()
            if given and not read:
                return f"{label} is not a valid date or time: “{given[:50]}”."
            if given and name in ("from", "to") and self._is_own_time and name not in dict(read):
                return f"{label} is not a valid date or time: “{given[:50]}”."
        return ""

    @property
    def _is_own_time(self) -> bool:
        return not {"when", "day"} & dict(self.selection.period.params).keys()

    @property
    def formats(self) -> list[Option]:
        chosen = self.format_name
        return [Option(name, form.label, name == chosen) for name, form in FORMATS.items()]

    @property
    def format_name(self) -> str:
        asked = self._params.get("format", "")
        return asked if asked in FORMATS else Csv.name

    @property
    def presets(self) -> list[Option]:
        chosen = self.selection.period.preset
        return [Option(key, words, key == chosen) for key, (words, _) in PRESETS.items()]

    @property
    def times(self) -> dict[str, str]:
        """The values of the fields for the period."""
        read = dict(self.selection.period.params)
        return {
            "day": read.get("day", ""),
            "start": read.get("from", ""),
            "end": read.get("to", ""),
        }

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The filters of the list, without the period, for hidden fields."""
        return [(key, text) for key, text in self.selection.params().items()
                if key not in PARAMETERS]  # fmt: skip

    def format(self) -> Format:
        """The format to write; CSV begins with a byte order mark, as Excel needs it for UTF-8."""
        if self.format_name == Csv.name:
            return Csv(payloads=self.with_payloads, mark=True)
        return FORMATS[self.format_name](payloads=self.with_payloads)


def export_page(request: HttpRequest, site: AdminSite) -> ExportPage:
    """The form, empty or as submitted; raises PermissionDenied if the user may not export."""
    if not may_export(request):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else request.GET
    return ExportPage(data.dict(), site, may_see=may_see_payloads(request))


def export_response(request: HttpRequest, page: ExportPage) -> StreamingHttpResponse:
    """The file, streamed from the log. The export is recorded in the log before it is sent."""
    form = page.format()
    wanted = Wanted(selection=page.selection, payloads=page.with_payloads)
    actor, label = actor_of(request.user)
    operation = RunningOperation(
        OperationKind.EXPORT, described(wanted, form), actor, label
    ).begin()
    stream = Stream(chunks(wanted, form, operation), operation)
    content: Any = AsyncStream(stream) if isinstance(request, ASGIRequest) else stream
    name = f"signal-audit-{datetime.now(UTC):%Y-%m-%dT%H%M%S}{form.suffix}"
    return StreamingHttpResponse(
        content,
        content_type=form.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store, private",
            "X-Content-Type-Options": "nosniff",
            "X-Accel-Buffering": "no",
        },
    )
