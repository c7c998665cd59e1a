"""Run a failed receiver again in the admin: sections of a dispatch's page, and two pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from signal_inspector.audit.admin.base import detail_url, may_see_payloads
from signal_inspector.audit.lookups import calls
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Ending, Retry, RetryOutcome
from signal_inspector.audit.operations.retry import (
    REASON_LENGTH,
    RefusedError,
    run_again,
    will_run_in,
)
from signal_inspector.audit.operations.retry_conditions import (
    Examined,
    RetryCondition,
    State,
    attempts_at,
    examine,
    find_call,
)
from signal_inspector.audit.settings import get_settings, policy_for
from signal_inspector.display.numbers import clock, took
from signal_inspector.display.outcomes import OutcomeWords
from signal_inspector.display.parts import traceback_lines
from signal_inspector.display.text import DottedName, dotted, exception_name

PERMISSION: Final = "signal_audit.retry_receivers"
_NAME: Final = "signal_audit_auditeddispatch_retry"
_FAILURES: Final = 20  # failed receivers that a dispatch's page shows
_SECTIONS: Final = 3  # failed receivers whose conditions it shows
_OTHERS: Final = 50  # receivers that are listed as not being run
_LARGEST: Final = 32_767
_STATES: Final = {
    State.MET: OutcomeWords("ok", "ok", "met"),
    State.FAILED: OutcomeWords("bad", "raised", "not met"),
    State.NOTE: OutcomeWords("warn", "warn", "note"),
}
_OUTCOMES: Final = {
    RetryOutcome.STARTED: OutcomeWords("warn", "running", "started, not ended"),
    RetryOutcome.RETURNED: OutcomeWords("ok", "ok", "returned"),
    RetryOutcome.RAISED: OutcomeWords("bad", "raised", "raised"),
    RetryOutcome.REFUSED: OutcomeWords("none", "skipped", "refused, nothing ran"),
}


def may_retry(request: HttpRequest) -> bool:
    """Whether this user may run receivers again."""
    return bool(request.user.has_perm(PERMISSION))


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A condition, with a glyph and a word for its state."""

    state: OutcomeWords
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """An attempt, in a table."""

    number: int
    time: str
    who: str
    reason: str
    took: str
    outcome: OutcomeWords
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a dispatch's page shows about one failed receiver."""

    index: int
    receiver: DottedName
    conditions: list[ConditionRow]  # [] for users who may not run it
    may_run: bool
    confirm_url: str  # "" for users who may not run it
    attempts: list[AttemptRow]


def sections(dispatch: AuditedDispatch, request: HttpRequest, site: AdminSite) -> list[Section]:
    """What a dispatch's page shows about its failed receivers.

    The first ones have their conditions, which take some queries to check; the others have a link.
    Users who may not run receivers again see only the attempts, and no arguments are restored.
    """
    allowed = may_retry(request)
    attempts = _attempts(dispatch.id)
    if not (attempts or (allowed and dispatch.failed_count)):
        return []
    failed = calls().filter(dispatch_id=dispatch.id, outcome=Ending.RAISED)
    rows = failed.select_related("receiver").only("index", "dispatch_id", "receiver__text")
    made = []
    for position, call in enumerate(rows.order_by("index")[:_FAILURES]):
        mine = attempts.get(call.index, [])
        examined = None
        if allowed and position < _SECTIONS:
            examined = examine(find_call(dispatch.id, call.index))
        if allowed or mine:
            made.append(_section(call, examined, mine, request, site, allowed=allowed))
    return made


def _section(
    call: AuditedCall,
    examined: Examined | None,
    attempts: list[Retry],
    request: HttpRequest,
    site: AdminSite,
    *,
    allowed: bool,
) -> Section:
    return Section(
        index=call.index,
        receiver=dotted(call.receiver.text),
        conditions=[] if examined is None else condition_rows(examined.conditions, request),
        may_run=examined is not None and examined.may_run,
        confirm_url=confirm_url(site, call.dispatch_id, call.index) if allowed else "",
        attempts=attempt_rows(attempts, site),
    )


def _attempts(dispatch_id: UUID) -> dict[int, list[Retry]]:
    """All attempts to run receivers of a dispatch again, by the index of the call."""
    found = Retry.objects.using(get_settings().database).filter(dispatch_id=dispatch_id)
    attempts: dict[int, list[Retry]] = {}
    for each in found.order_by("attempt").defer("message", "traceback"):
        attempts.setdefault(each.call_index, []).append(each)
    return attempts


def condition_rows(conditions: list[RetryCondition], request: HttpRequest) -> list[ConditionRow]:
    """The conditions as rows, without parts of the payload for users who may not see payloads."""
    may_see = may_see_payloads(request)
    return [ConditionRow(_STATES[each.state], each.words(may_see)) for each in conditions]


def attempt_rows(attempts: list[Retry], site: AdminSite) -> list[AttemptRow]:
    """The attempts at one receiver call, the latest first."""
    return [
        AttemptRow(
            number=each.attempt,
            time=clock(each.at)[:-4],
            who=each.actor_label or each.actor or "unknown",
            reason=each.reason,
            took="" if each.duration_ns is None else took(each.duration_ns),
            outcome=outcome_words(each),
            url=result_url(site, each),
        )
        for each in reversed(attempts)
    ]


def outcome_words(retry: Retry) -> OutcomeWords:
    """How an attempt ended."""
    words = _OUTCOMES[RetryOutcome(retry.outcome)]
    return replace(words, note=exception_name(retry.exception_class))


def confirm_url(site: AdminSite, dispatch_id: UUID, index: int) -> str:
    """The URL of the page that asks whether to run a receiver again."""
    return reverse(f"admin:{_NAME}", args=[dispatch_id, index], current_app=site.name)


def result_url(site: AdminSite, retry: Retry) -> str:
    """The URL of the page that shows how an attempt ended."""
    args = [retry.dispatch_id, retry.call_index, retry.attempt]
    return reverse(f"admin:{_NAME}_result", args=args, current_app=site.name)


class RetryPages:
    """The pages, for the admin of dispatches."""

    admin_site: AdminSite

    def retry_urls(self) -> list[URLPattern]:
        """The URLs of the pages, to be placed before the admin's own URLs."""
        confirm = require_http_methods(["GET", "HEAD", "POST"])(self.retry_view)
        result = require_http_methods(["GET", "HEAD"])(self.retry_result_view)
        for alias in connections:
            # In a transaction of the request, the record of an attempt could be rolled back.
            confirm = transaction.non_atomic_requests(using=alias)(confirm)
        view, at = self.admin_site.admin_view, "<uuid:dispatch_id>/retry/<int:index>/"
        return [
            path(at, view(confirm), name=_NAME),
            path(f"{at}<int:attempt>/", view(result), name=f"{_NAME}_result"),
        ]

    def retry_view(self, request: HttpRequest, dispatch_id: UUID, index: int) -> HttpResponse:
        """Show what will run and what will not; a POST from this page runs it.

        A POST from the dispatch's page has a reason but no number of an attempt, so it only shows
        this page.
        """
        call = self._failed_call(request, dispatch_id, index)
        problem = ""
        if "attempt" in request.POST:
            try:
                retry = run_again(
                    call,
                    reason=request.POST.get("reason", ""),
                    actor=request.user,
                    expected=_whole(request.POST["attempt"]),
                )
            except RefusedError as error:
                problem = str(error)
            else:
                return HttpResponseRedirect(result_url(self.admin_site, retry))
        examined = examine(call)
        context = self._confirming(request, examined)
        context |= {"problem": problem, "reason": _reason(request)}
        answer = self._answer(request, "signal_inspector/audit/retry/confirm.html", context)
        answer.status_code = 409 if problem else 200
        return answer

    def retry_result_view(
        self, request: HttpRequest, dispatch_id: UUID, index: int, attempt: int
    ) -> HttpResponse:
        """The page that shows how an attempt ended."""
        call = self._failed_call(request, dispatch_id, index)
        attempts = attempts_at(dispatch_id, index)
        retry = next((each for each in attempts if each.attempt == attempt), None)
        if retry is None:
            raise Http404
        context = self._common(call) | {
            "title": f"Attempt {attempt} at {dotted(call.receiver.text).last}",
            "retry": retry,
            "time": clock(retry.at)[:-4],
            "took": "" if retry.duration_ns is None else took(retry.duration_ns),
            "outcome": outcome_words(retry),
            "exception": exception_name(retry.exception_class),
            "frames": traceback_lines(retry.traceback) if may_see_payloads(request) else (),
            "recorded_url": detail_url(self.admin_site, retry.recorded_as)
            if retry.recorded_as
            else "",
            "again_url": confirm_url(self.admin_site, dispatch_id, index),
        }
        return self._answer(request, "signal_inspector/audit/retry/result.html", context)

    def _failed_call(self, request: HttpRequest, dispatch_id: UUID, index: int) -> AuditedCall:
        self._check(request)
        if not may_retry(request):
            raise PermissionDenied
        try:
            return find_call(dispatch_id, min(index, _LARGEST))
        except AuditedCall.DoesNotExist:
            raise Http404 from None

    def _confirming(self, request: HttpRequest, examined: Examined) -> dict[str, Any]:
        call, found = examined.call, examined.found
        receiver = None if found is None else found.receiver
        return self._common(call) | {
            "title": f"Run {dotted(call.receiver.text).last} again",
            "examined": examined,
            "conditions": condition_rows(examined.conditions, request),
            "attempts": attempt_rows(examined.attempts, self.admin_site),
            "place": "" if receiver is None else receiver.place,
            "is_async": receiver is not None and receiver.is_async,
            "databases": will_run_in(examined),
            "others": _others(call),
            "is_audited": policy_for(call.dispatch.signal.text) is not None,
            "reason_length": REASON_LENGTH,
        }

    def _common(self, call: AuditedCall) -> dict[str, Any]:
        return {
            "call": call,
            "dispatch": call.dispatch,
            "receiver": dotted(call.receiver.text),
            "signal": dotted(call.dispatch.signal.text),
            "time_of_dispatch": clock(call.dispatch.started_at)[:-4],
            "dispatch_url": detail_url(self.admin_site, call.dispatch_id),
        }

    def _check(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def _answer(
        self, request: HttpRequest, template: Any, context: dict[str, Any]
    ) -> TemplateResponse:
        raise NotImplementedError


def _others(call: AuditedCall) -> list[str]:
    """The other receivers of the record."""
    found = calls().filter(dispatch_id=call.dispatch_id).exclude(index=call.index)
    rows = found.select_related("receiver").order_by("index")[:_OTHERS]
    return [dotted(each.receiver.text).last for each in rows]


def _reason(request: HttpRequest) -> str:
    # Not from the URL: URLs are in logs and histories, and a link could set the reason.
    return request.POST.get("reason", "")[:REASON_LENGTH]


def _whole(text: str) -> int:
    """The number in a form field; if there is none, a number that no attempt has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
