"""From the overview to the dispatches that a figure counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from signal_inspector.audit.overview.spans import Span, here
from signal_inspector.audit.reading.periods import Period
from signal_inspector.audit.reading.selection import NO_RETRY, Selection
from signal_inspector.audit.reading.texts import GONE
from signal_inspector.audit.tallies import Figures


@dataclass(frozen=True, slots=True)
class Links:
    """The changelists of the audit that this user may see, on this admin site."""

    dispatches: str  # "" without the permission: then there is no overview either
    gaps: str = ""
    origin: str = ""  # of the dispatches that figures lead to

    @property
    def catalogue(self) -> str:
        """What is connected; for the same users."""
        return f"{self.dispatches}catalogue/" if self.dispatches else ""

    def to(self, start: float, end: float | None = None, **wanted: Any) -> str:
        """The dispatches from one moment to another, as Unix seconds; "" for a name that is gone.

        Seconds are named, as the changelist takes a time without them for the whole minute.
        """
        if GONE in wanted.values():
            return ""
        times = [("from", start), ("to", end)]
        params = [(key, f"{here(at):%Y-%m-%dT%H:%M:%S}") for key, at in times if at is not None]
        selection = Selection(**wanted, origin=self.origin, period=Period(params=tuple(params)))
        return self.dispatches + selection.query()

    def of(self, figures: Figures) -> Links:
        """The same for these figures: they count no retries, so that they lead to none."""
        return replace(self, origin=NO_RETRY if figures.retries.count else "")

    def of_slot(self, index: int, span: Span, **wanted: Any) -> str:
        """The dispatches of one slot of the span."""
        start = span.start + index * span.seconds
        is_last = index == span.slots - 1
        return self.to(start, None if is_last else start + span.seconds, **wanted)


def links_of(app_list: Sequence[Mapping[str, Any]]) -> Links:
    """From the list of models that the admin site gives to the template of an app's index."""
    urls = {
        model["object_name"]: model["admin_url"]
        for app in app_list
        if app["app_label"] == "signal_audit"
        for model in app["models"]
        if model.get("admin_url") and model["perms"].get("view")
    }
    return Links(urls.get("AuditedDispatch", ""), urls.get("Gap", ""))
