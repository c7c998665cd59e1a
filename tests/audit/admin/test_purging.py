"""Deleting in the admin: who may, what is asked, what goes and stays, and that it is noted."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from signal_inspector.audit.admin import purge
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Operation,
    OperationKind,
    Retry,
)
from tests.audit.admin.conftest import LIST, client_of, person
from tests.audit.admin.logged import call, dispatched, order_42, retried

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

URL = f"{LIST}purge/"
MAY = ("view_auditeddispatch", "purge_dispatches")
ORDER = {"what": "object", "key": "shop.Order:42", "reason": "asked for by letter"}


@pytest.fixture
def purger(db: None) -> Client:
    """Who may delete dispatches."""
    return client_of(person(*MAY))


def kept() -> int:
    return AuditedDispatch.objects.count()


def post(client: Client, **data: str) -> Any:
    return client.post(URL, {**ORDER, **data})


class TestPermissions:
    def test_nobody(self) -> None:
        """Who is not logged in is sent to do so, and deletes nothing."""
        order_42()
        assert post(Client()).status_code == 302
        assert (kept(), Operation.objects.count()) == (3, 0)

    @pytest.mark.parametrize(
        "permissions",
        [
            (),
            MAY[:1],
            MAY[1:],
            ("view_auditeddispatch", "view_payloads", "export_dispatches", "retry_receivers"),
        ],
    )
    def test_not_allowed(self, permissions: tuple[str, ...]) -> None:
        """It takes the permissions to see and to delete dispatches; no other stands for them."""
        order_42()
        client = client_of(person(*permissions))
        assert client.get(URL, ORDER).status_code == 403
        assert post(client).status_code == 403
        assert (kept(), Operation.objects.count()) == (3, 0)

    def test_taken_away(self) -> None:
        """Who saw the page and then loses the permission deletes nothing."""
        order_42()
        user = person(*MAY)
        client = client_of(user)
        assert client.get(URL, ORDER).status_code == 200
        user.user_permissions.clear()
        assert post(client).status_code == 403
        assert kept() == 3

    def test_superuser(self, superuser: Client) -> None:
        """A superuser may delete here, as nowhere else in the admin."""
        order_42()
        assert post(superuser).status_code == 302
        assert kept() == 2

    def test_not_on_the_staff(self) -> None:
        """Both permissions are of no use to who is not on the staff."""
        order_42()
        user = person(*MAY)
        user.is_staff = False
        user.save()
        assert post(client_of(user)).status_code == 302
        assert kept() == 3

    def test_csrf(self) -> None:
        """A form of another site deletes nothing; that of the page does."""
        order_42()
        client = Client(enforce_csrf_checks=True)
        client.force_login(person(*MAY))
        assert post(client).status_code == 403
        assert (kept(), Operation.objects.count()) == (3, 0)
        client.get(URL, ORDER)
        token = client.cookies["csrftoken"].value
        assert post(client, csrfmiddlewaretoken=token).status_code == 302
        assert kept() == 2

    def test_link(self, purger: Client, viewer: Client) -> None:
        """The list leads there with what it is filtered by, for who may."""
        order_42()
        query = {"object": "shop.Order:42"}
        assert f"{URL}?object=shop.Order%3A42" in purger.get(LIST, query).content.decode()
        assert "purge/" not in viewer.get(LIST, query).content.decode()


class TestAsking:
    def test_get_deletes_nothing(self, purger: Client) -> None:
        """A GET with all that the form asks for says how many would go, and deletes nothing."""
        order_42()
        page = purger.get(URL, ORDER).content.decode()
        assert "To be deleted: 1 dispatch<" in page
        assert 'name="key" value="shop.Order:42"' in page
        assert (kept(), Operation.objects.count()) == (3, 0)

    @pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
    def test_other_methods(self, purger: Client, method: str) -> None:
        """No other method is taken."""
        order_42()
        assert getattr(purger, method)(f"{URL}?what=object&key=shop.Order:42").status_code == 405
        assert kept() == 3

    def test_nothing_chosen(self, purger: Client) -> None:
        """Without a key there is nothing to confirm, and no complaint."""
        order_42()
        page = purger.get(URL).content.decode()
        assert "To be deleted" not in page
        assert "errornote" not in page

    @pytest.mark.parametrize("kind", ["object", "actor", "request"])
    def test_prefilled(self, purger: Client, kind: str) -> None:
        """What the list is filtered by stands in the form."""
        page = purger.get(URL, {kind: "auth.User:7"}).content.decode()
        assert f'<option value="{kind}" selected>' in page
        assert 'id="sa-key" name="key" value="auth.User:7"' in page

    def test_other_filters(self, purger: Client) -> None:
        """Where the list is filtered by more, it is said that this does not count."""
        order_42()
        words = "other filters of the list are ignored"
        narrowed = {"object": "shop.Order:42", "signal": "shop.a"}
        assert words in purger.get(URL, narrowed).content.decode()
        assert words not in purger.get(URL, {"object": "shop.Order:42"}).content.decode()

    def test_bounded_count(self, purger: Client) -> None:
        """It counts no further than to 10,000, whatever is asked for."""
        order_42()
        with CaptureQueriesContext(connections["default"]) as sql:
            purger.get(URL, ORDER)
        counts = [each["sql"] for each in sql if "COUNT(" in each["sql"]]
        assert len(counts) == 1
        assert "LIMIT 10001" in counts[0]


class TestDeleting:
    @pytest.mark.parametrize(
        ("kind", "key", "column"),
        [("actor", "auth.User:70", "actor"), ("request", "r-70", "request_id")],
    )
    def test_actor_and_request(self, purger: Client, kind: str, key: str, column: str) -> None:
        """All of an actor or a request goes, and nothing of another whose key begins alike."""
        dispatched("shop.a", call(), **{column: key})
        dispatched("shop.b", call(), **{column: key})
        stay = [dispatched("shop.a", call(), **{column: each}).id for each in (key[:-1], None)]
        assert post(purger, what=kind, key=key).status_code == 302
        assert set(AuditedDispatch.objects.values_list("id", flat=True)) == set(stay)
        assert set(AuditedCall.objects.values_list("dispatch_id", flat=True)) == set(stay)

    def test_object(self, purger: Client) -> None:
        """What carried an object goes with calls, keys and retries; what others have stays."""
        retried(order_42())
        other = dispatched("shop.a", call(), objects=["shop.Order:4", "auth.User:7"])
        kept_retry = retried(other)
        calls = AuditedCall.objects.count()
        response = purger.post(URL, ORDER, follow=True)
        assert "1 dispatch of shop.Order:42 deleted." in response.content.decode()
        assert kept() == 3
        assert AuditedCall.objects.count() == calls - 3
        assert set(AuditedObject.objects.values_list("dispatch_id", flat=True)) == {other.id}
        assert list(Retry.objects.values_list("id", flat=True)) == [kept_retry.id]

    def test_noted(self) -> None:
        """Who, what, how many and why stands in the log of deletions."""
        order_42()
        user = person(*MAY)
        post(client_of(user), reason=" by letter,\nof 22 November ")
        operation = Operation.objects.get()
        assert (operation.kind, operation.rows) == (OperationKind.PURGE, 1)
        assert (operation.actor, operation.actor_label) == (f"auth.User:{user.pk}", user.username)
        assert operation.detail == (
            "object shop.Order:42 (1 dispatch). Reason: by letter, of 22 November"
        )
        assert operation.ended_at is not None

    def test_noted_before(self, purger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """The note is there before anything goes, and says so if it did not end well."""
        order_42()

        def fails(selection: object) -> Any:
            assert Operation.objects.get().ended_at is None
            raise OSError("disk")

        monkeypatch.setattr(purge, "purge", fails)
        with pytest.raises(OSError, match="disk"):
            post(purger)
        assert "Incomplete: OSError disk" in Operation.objects.get().detail
        assert kept() == 3

    @pytest.mark.parametrize("reason", ["", "   "])
    def test_no_reason(self, purger: Client, reason: str) -> None:
        """Without a reason nothing goes."""
        order_42()
        response = post(purger, reason=reason)
        assert response.status_code == 400
        assert "Enter a reason" in response.content.decode()
        assert (kept(), Operation.objects.count()) == (3, 0)

    def test_nothing_there(self, purger: Client) -> None:
        """A key that the log does not have deletes and notes nothing, and it is said."""
        order_42()
        response = purger.post(URL, {**ORDER, "key": "shop.Order:43"}, follow=True)
        assert "no dispatches of shop.Order:43" in response.content.decode()
        assert (kept(), Operation.objects.count()) == (3, 0)

    def test_in_parts(self, purger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """After its time it stops, says what is left, and goes on when it is asked to."""
        for _ in range(260):
            dispatched("shop.a", actor="auth.User:9")
        monkeypatch.setattr(purge, "SECONDS", 0.0)
        response = post(purger, what="actor", key="auth.User:9")
        page = response.content.decode()
        assert response.status_code == 200
        assert "250 deleted so far, 10 dispatches left." in page
        assert "Continue" in page
        operation = Operation.objects.get()
        assert (operation.rows, "Incomplete: 10 dispatches left" in operation.detail) == (
            250,
            True,
        )
        assert post(purger, what="actor", key="auth.User:9").status_code == 302
        assert (kept(), Operation.objects.count()) == (0, 2)


class TestHostile:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"key": ""},
            {"key": "  "},
            {"key": "\0"},
            {"key": "shop.Order:4\x002"},
            {"what": ""},
            {"what": "", "key": ""},
            {"what": "signal", "key": "shop.signals.order_placed"},
            {"what": "outcome", "key": "failed"},
            {"what": "period"},
            {"what": "__class__"},
            {"key": "x" * 5_000},
        ],
    )
    def test_no_key(self, purger: Client, wrong: dict[str, str]) -> None:
        """What is no key deletes nothing: never all, nor all of a signal."""
        order_42()
        response = post(purger, **wrong)
        assert response.status_code == 400
        assert "errornote" in response.content.decode()
        assert (kept(), Operation.objects.count()) == (3, 0)

    @pytest.mark.parametrize(
        "key", ["%", "shop.Order:%", "*", "shop.Order:", "' OR 1=1 --", "é\ud800"]
    )
    def test_no_pattern(self, purger: Client, key: str) -> None:
        """A key is compared as it is."""
        order_42()
        for kind in purge.KINDS:
            post(purger, what=kind, key=key.encode("utf-8", "replace").decode())
        assert (kept(), Operation.objects.count()) == (3, 0)

    def test_query_of_a_post(self, purger: Client) -> None:
        """A POST deletes by its body alone."""
        order_42()
        assert purger.post(f"{URL}?what=object&key=shop.Order:42&reason=x").status_code == 400
        assert kept() == 3

    def test_markup(self, purger: Client) -> None:
        """What is typed is text on the page."""
        evil = '"><script>alert(1)</script>'
        dispatched("shop.a", actor=evil)
        page = purger.get(URL, {"actor": evil}).content.decode()
        assert "To be deleted" in page
        assert "<script>alert" not in page
        page = post(purger, what="actor", key=evil, reason="").content.decode()
        assert "<script>alert" not in page
        page = purger.post(URL, {**ORDER, "what": "actor", "key": evil}, follow=True)
        assert "<script>alert" not in page.content.decode()
        assert kept() == 0


@pytest.mark.django_db(databases=["default", "other"])
def test_database() -> None:
    """It deletes, and notes it, where the log is."""
    order_42()
    with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "other"}}):
        order_42()
        assert post(client_of(person(*MAY))).status_code == 302
    assert [AuditedDispatch.objects.using(alias).count() for alias in ("default", "other")] == [
        3,
        2,
    ]
    assert [Operation.objects.using(alias).count() for alias in ("default", "other")] == [0, 1]
