"""Purge in the admin: delete all dispatches of one object, actor or request.

The page shows what would be deleted and how many dispatches, and asks for a reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from signal_inspector.audit.admin.base import Option
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.attribution.circumstances import actor_of
from signal_inspector.audit.models import OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.prune import purge
from signal_inspector.audit.search.finding import Counted, count
from signal_inspector.audit.search.selection import Selection, read_selection
from signal_inspector.display.numbers import dispatch_count, integer

PERMISSION: Final = "signal_audit.purge_dispatches"
#: The keys to delete by: a label for each, and words for which dispatches these are.
KINDS: Final = {
    "object": ("Object", "that carried the object"),
    "actor": ("Actor", "caused by the actor"),
    "request": ("Request", "sent in the request"),
}
REASON_LENGTH: Final = 1_000
SECONDS: Final = 20.0  # that one request may spend deleting: servers and proxies wait for thirty


def may_purge(request: HttpRequest) -> bool:
    """Whether this user may delete dispatches from the log."""
    return bool(request.user.has_perm(PERMISSION))


class PurgeForm:
    """What to delete: all dispatches of exactly one key, from a form or the list's filters."""

    def __init__(self, params: Mapping[str, str]) -> None:
        listed = [kind for kind in KINDS if params.get(kind, "").strip()]
        self.kind = params.get("what") or (listed[0] if listed else "")
        #: The key as it was given: nothing is deleted by a key that is read only in part.
        self.key = (params.get("key") if "key" in params else params.get(self.kind, "")) or ""
        self.key = self.key.strip()
        self.reason = " ".join(params.get("reason", "").split())[:REASON_LENGTH]
        others = read_selection(params).params().keys() - {self.kind}
        #: Whether the list had further filters, which are ignored here.
        self.has_other_filters = bool(self.kind in params and others)

    @cached_property
    def selection(self) -> Selection | None:
        """The dispatches of the key; None if there is no valid key."""
        if self.kind not in KINDS or not self.key:
            return None
        found = read_selection({self.kind: self.key})
        return found if found.params() == {self.kind: self.key} else None

    @property
    def problem(self) -> str:
        """Why nothing can be deleted by this key; "" if it can, or if no key is given yet."""
        if not self.kind and not self.key:
            return ""
        if self.kind not in KINDS:
            return "Choose what to delete by: an object, an actor or a request."
        if not self.key:
            return "Enter a key: without one, nothing is deleted."
        return "" if self.selection else "This is not a valid key."

    @property
    def choices(self) -> list[Option]:
        return [Option(kind, text, kind == self.kind) for kind, (text, _) in KINDS.items()]

    @property
    def whose(self) -> str:
        """Which dispatches these are: "that carried the object"."""
        return KINDS[self.kind][1]

    def counted(self) -> Counted:
        """How many dispatches there are now, counted up to the cap."""
        found = None if self.selection is None else count(self.selection)
        return found or Counted(0)

    def described(self, counted: Counted) -> str:
        """The text for the log of deletions: one line, which no key or reason can break."""
        key = " ".join(self.key.split())
        return f"{self.kind} {key} ({counted.words}). Reason: {self.reason}"


class PurgePages:
    """The page, for the admin of dispatches."""

    admin_site: AdminSite

    def purge_urls(self) -> list[URLPattern]:
        """The URL of the page, to be placed before the admin's own URLs."""
        view = require_http_methods(["GET", "HEAD", "POST"])(self.purge_view)
        for alias in connections:
            # In a transaction of the request, none of the short transactions would end earlier.
            view = transaction.non_atomic_requests(using=alias)(view)
        name = "signal_audit_auditeddispatch_purge"
        return [path("purge/", self.admin_site.admin_view(view), name=name)]

    def purge_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would be deleted and what would stay; a POST with a reason deletes it."""
        self._check(request)
        if not may_purge(request):
            raise PermissionDenied
        is_post = request.method == "POST"
        form = PurgeForm((request.POST if is_post else request.GET).dict())
        problem, stopped = form.problem, ""
        if is_post and not problem:
            if form.selection is None:
                problem = "Enter what to delete."
            elif not form.reason:
                problem = "Nothing was deleted. Enter a reason."
            else:
                stopped = self._purge(request, form, form.selection)
                if not stopped:
                    return HttpResponseRedirect(changelist_url(self.admin_site))
        context: dict[str, Any] = {"title": "Delete dispatches", "form": form}
        context |= {"problem": problem, "stopped": stopped, "reason_length": REASON_LENGTH}
        context["counted"] = form.counted()
        answer = self._answer(request, "signal_inspector/audit/purge.html", context)
        answer.status_code = 400 if problem and is_post else 200
        return answer

    def _purge(self, request: HttpRequest, form: PurgeForm, selection: Selection) -> str:
        """Delete for as long as a request may take; "" if done, otherwise how far it got."""
        counted = form.counted()
        if not counted.number:
            messages.warning(request, f"The log has no dispatches of {form.key}.")
            return ""
        until = time.monotonic() + SECONDS
        left = Counted(0)
        with RunningOperation(
            OperationKind.PURGE, form.described(counted), *actor_of(request.user)
        ) as operation:
            for deleted in purge(selection):
                operation.count(deleted)
                if time.monotonic() >= until:
                    left = form.counted()
                    break
            if left.number:
                operation.end(f"Incomplete: {left.words} left after {SECONDS:.0f} s.")
        if left.number:
            return f"{integer(operation.rows)} deleted so far, {left.words} left."
        said = f"{dispatch_count(operation.rows)} of {form.key} deleted."
        messages.success(request, said)
        return ""

    def _check(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def _answer(
        self, request: HttpRequest, template: Any, context: dict[str, Any]
    ) -> TemplateResponse:
        raise NotImplementedError
