"""Who sees what of the log in the admin, and that nobody changes it there."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from signal_inspector.audit.models import AuditedDispatch, Gap, Operation, Retry
from tests.audit.admin.conftest import LIST, client_of, person
from tests.audit.admin.logged import gap, order_42, retried

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

SECRETS = ("no such account", "Traceback (most", "reserved", "shop.OrderLine:118", "channel")
SOURCE = "account = LoyaltyAccount.objects.get(user=user)"
# Lines of an order are found by the object key of a plain viewer, too.
PRIVATE = [secret for secret in SECRETS if ":" not in secret]


def detail(dispatch: AuditedDispatch) -> str:
    return f"{LIST}{dispatch.id}/change/"


def json_url(dispatch: AuditedDispatch) -> str:
    return f"{LIST}{dispatch.id}/json/"


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        ((), 403),
        (("view_payloads",), 403),
        (("export_dispatches", "retry_receivers", "purge_dispatches"), 403),
        (("view_auditeddispatch",), 200),
    ],
)
def test_view_permission(permissions: tuple[str, ...], status: int) -> None:
    """List and page need the permission to view dispatches, and no other one stands for it."""
    client, dispatch = client_of(person(*permissions)), order_42()
    assert client.get(LIST).status_code == status
    assert client.get(detail(dispatch)).status_code == status
    assert client.get(json_url(dispatch)).status_code == status


def test_stranger(client: Client) -> None:
    """Who is not logged in is sent to the login."""
    dispatch = order_42()
    for url in (detail(dispatch), json_url(dispatch)):
        response = client.get(url)
        assert response.status_code == 302
        assert "/login/" in response["Location"]


def test_payloads(auditor: Client) -> None:
    """With the permission for payloads arguments, responses, messages and tracebacks show."""
    dispatch = order_42()
    document = auditor.get(json_url(dispatch)).content.decode()
    assert [secret for secret in SECRETS if secret not in document] == []
    page = auditor.get(detail(dispatch)).content.decode()
    # The page shows the frames of a traceback without its first line.
    assert [secret for secret in SECRETS if secret not in page] == ["Traceback (most"]
    assert SOURCE in page


def test_no_payloads(viewer: Client) -> None:
    """Without it none of them is anywhere in the page; it says how many arguments there are."""
    dispatch = order_42(payload_dropped=2)
    document = viewer.get(json_url(dispatch)).content.decode()
    assert [secret for secret in (*PRIVATE, SOURCE) if secret in document] == []
    page = viewer.get(detail(dispatch)).content.decode()
    assert [secret for secret in (*PRIVATE, SOURCE) if secret in page] == []
    assert "7 arguments, which you may not see" in page
    assert "DoesNotExist" in page


def test_no_payloads_in_retries() -> None:
    """The message and traceback of a retry need the permission for payloads too."""
    attempt = retried(order_42())
    url = reverse("admin:signal_audit_retry_change", args=[attempt.pk])
    plain = client_of(person("view_retry")).get(url).content.decode()
    assert "loyalty 2.4.1 is deployed" in plain
    assert "secret of the retry" not in plain
    assert "traceback of the retry" not in plain
    allowed = client_of(person("view_retry", "view_payloads")).get(url).content.decode()
    assert "secret of the retry" in allowed


def test_refused_row_is_private() -> None:
    """The database's words on a row that it refused need the permission for payloads."""
    refused = gap(reason=3, detail="Failing row contains (secret)")
    url = reverse("admin:signal_audit_gap_change", args=[refused.pk])
    assert b"Failing row" not in client_of(person("view_gap")).get(url).content
    assert b"Failing row" in client_of(person("view_gap", "view_payloads")).get(url).content


@pytest.mark.parametrize("model", [AuditedDispatch, Gap, Retry, Operation])
def test_superuser_changes_nothing(model: type, rf: RequestFactory) -> None:
    """A superuser may view, and neither add, change nor delete."""
    request = rf.get("/")
    request.user = person(is_superuser=True)
    shown = admin.site.get_model_admin(model)
    assert shown.has_view_permission(request)
    assert not shown.has_add_permission(request)
    assert not shown.has_change_permission(request)
    assert not shown.has_delete_permission(request)


@pytest.mark.parametrize("view", ["add", "delete", "history"])
def test_no_urls_to_change(view: str) -> None:
    """There is no URL that would add or delete a dispatch."""
    with pytest.raises(NoReverseMatch):
        reverse(f"admin:signal_audit_auditeddispatch_{view}", args=[] if view == "add" else [1])


def test_posting_changes_nothing(superuser: Client) -> None:
    """A superuser who posts the page of a gap or of a dispatch changes nothing."""
    dispatch, missing = order_42(), gap()
    superuser.post(detail(dispatch), {"actor": "auth.User:1"})
    url = reverse("admin:signal_audit_gap_change", args=[missing.pk])
    assert superuser.post(url, {"missing": "0"}).status_code == 403
    url = reverse("admin:signal_audit_gap_delete", args=[missing.pk])
    assert superuser.post(url, {"post": "yes"}).status_code == 403
    missing.refresh_from_db()
    dispatch.refresh_from_db()
    assert (missing.missing, dispatch.actor) == (1_204, "auth.User:7")


@pytest.mark.parametrize(("permissions", "is_closed"), [((), False), (("close_gap",), True)])
def test_closing_gaps(permissions: tuple[str, ...], is_closed: bool) -> None:
    """A gap is marked as resolved by who may do that, and by nobody else."""
    missing = gap()
    client = client_of(person("view_gap", *permissions))
    url = reverse("admin:signal_audit_gap_changelist")
    client.post(url, {"action": "mark_as_dealt_with", "_selected_action": [missing.pk]})
    missing.refresh_from_db()
    assert (missing.closed_at is not None) is is_closed
    assert LogEntry.objects.filter(object_id=str(missing.pk)).exists() is is_closed


def test_pages_of_the_log(superuser: Client) -> None:
    """Gaps, retries, exports and deletions have lists, by these names."""
    gap()
    retried(order_42())
    for model in ("gap", "retry", "operation"):
        assert superuser.get(f"/admin/signal_audit/{model}/").status_code == 200
    assert b"Log of exports and deletions" in superuser.get("/admin/signal_audit/").content
