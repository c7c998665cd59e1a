"""What the pages share: read-only model admins, permissions, links, and words of ``display``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from signal_inspector.audit.models import AuditedDispatch, TransactionOutcome
from signal_inspector.audit.models.choices import OUTCOMES, UNSEENS
from signal_inspector.audit.settings import get_settings
from signal_inspector.display import outcomes
from signal_inspector.display.outcomes import Ended, OutcomeWords

if TYPE_CHECKING:
    from signal_inspector.audit.stats.overview import Span

PAYLOADS = "signal_audit.view_payloads"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several options in a form."""

    value: str
    text: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link with its text; of several links, the current one is marked."""

    text: str
    url: str
    is_current: bool = False


def period_links(span: Span, **kept: str) -> list[Link]:
    """Links that choose a period for the figures of a page, and keep these parameters."""
    from signal_inspector.audit.stats.overview import KINDS  # noqa: PLC0415 - with the pages

    return [
        Link(kind.words, f"?{urlencode({'when': key} | kept)}", key == span.key)
        for key, kind in KINDS.items()
    ]


def may_see_payloads(request: HttpRequest) -> bool:
    """Whether arguments, responses, messages and tracebacks may be shown."""
    return bool(request.user.has_perm(PAYLOADS))


if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Any]
else:
    _Base = admin.ModelAdmin


class ReadOnlyAdmin(_Base):
    """A read-only admin of a model in the audit's database."""

    actions: Any = None
    view_on_site = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).using(get_settings().database)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether a list may be filtered by this lookup: only its own filters may do so.

        By default, a URL may filter by any column. Values that a page hides from a user without a
        permission could then be guessed character by character.
        """
        filters: list[Any] = list(self.list_filter)
        columns = [each[0] if isinstance(each, tuple) else each for each in filters]
        return lookup.partition("__")[0] in columns

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def detail_url(site: AdminSite, id_: UUID) -> str:
    """The URL of the page of one dispatch."""
    name = "admin:signal_audit_auditeddispatch_change"
    return reverse(name, args=[id_], current_app=site.name)


def object_url(key: str, request: HttpRequest, site: AdminSite) -> str:
    """The URL of the admin page of ``shop.Order:42``; "" if there is none, or no permission.

    The model is looked up in the app registry; nothing is imported. Whether the object still
    exists is not checked: its page says so.
    """
    label, colon, pk = key.partition(":")
    if not colon or not pk:
        return ""
    try:
        model = apps.get_model(label)
        if not site.is_registered(model):
            return ""
        model_admin = site.get_model_admin(model)
        if not model_admin.has_view_or_change_permission(request):
            return ""
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return reverse(name, args=[quote(pk)], current_app=site.name)
    except (LookupError, ValueError, NoReverseMatch):
        return ""


def zone() -> str:
    """The name of the current time zone."""
    return timezone.get_current_timezone_name()


def dispatch_outcome(dispatch: AuditedDispatch) -> OutcomeWords:
    """How a dispatch ended, in the words that all rooms use."""
    return outcomes.dispatch_outcome(
        Ended(
            outcome=OUTCOMES[dispatch.outcome],
            method=dispatch.method_name,
            receivers=dispatch.receiver_count,
            failed=dispatch.failed_count,
            skipped=dispatch.skipped_count,
            unseen=None if dispatch.unseen is None else UNSEENS[dispatch.unseen],
        )
    )


def transaction_words(outcome: int) -> OutcomeWords:
    """How the transaction of a dispatch ended."""
    if outcome == TransactionOutcome.COMMITTED:
        return OutcomeWords("ok", "ok", "committed")
    if outcome == TransactionOutcome.ROLLED_BACK:
        return OutcomeWords("warn", "rollback", "rolled back")
    if outcome == TransactionOutcome.NONE:
        return OutcomeWords("none", "", "none")
    return OutcomeWords("none", "", "unknown")
