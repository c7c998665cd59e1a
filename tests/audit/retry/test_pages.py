"""The pages of a retry in the admin: who may, what they say, and that a POST runs it once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from signal_inspector.audit.models import AuditedCall, Retry, RetryOutcome
from tests.audit.admin.conftest import client_of, person
from tests.audit.retry.shop import Calls, fail, order_placed, recorded
from tests.payload_app.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

SEE, RETRY, PAYLOADS = "view_auditeddispatch", "retry_receivers", "view_payloads"
REASON = {"reason": "points <b>are</b> back", "attempt": "1"}


def confirm(call: AuditedCall) -> str:
    args = [call.dispatch_id, call.index]
    return reverse("admin:signal_audit_auditeddispatch_retry", args=args)


def result(call: AuditedCall, attempt: int = 1) -> str:
    args = [call.dispatch_id, call.index, attempt]
    return reverse("admin:signal_audit_auditeddispatch_retry_result", args=args)


def detail(call: AuditedCall) -> str:
    return reverse("admin:signal_audit_auditeddispatch_change", args=[call.dispatch_id])


@pytest.fixture
def mira(db: None) -> Client:
    """Who may see everything and run receivers again."""
    return client_of(person(SEE, RETRY, PAYLOADS))


class TestPermissions:
    @pytest.mark.parametrize(
        ("permissions", "status"),
        [
            ((), 403),
            ((SEE,), 403),
            ((RETRY,), 403),
            ((SEE, PAYLOADS, "export_dispatches", "purge_dispatches"), 403),
            ((SEE, RETRY), 200),
        ],
    )
    def test_get_and_post(self, permissions: tuple[str, ...], status: int) -> None:
        """Both permissions are asked for at every step, at the run too."""
        call, client = recorded(), client_of(person(*permissions))
        assert client.get(confirm(call)).status_code == status
        response = client.post(confirm(call), REASON)
        assert response.status_code == (302 if status == 200 else 403)
        assert len(Calls.seen) == (1 if status == 200 else 0)
        assert client.get(result(call)).status_code == status

    def test_result(self) -> None:
        """The page of the outcome is for the same people."""
        call = recorded()
        client_of(person(SEE, RETRY)).post(confirm(call), REASON)
        assert client_of(person(SEE)).get(result(call)).status_code == 403

    def test_stranger(self, client: Client) -> None:
        """Who is not logged in is sent to the login, and nothing runs."""
        call = recorded()
        for response in (client.get(confirm(call)), client.post(confirm(call), REASON)):
            assert response.status_code == 302
            assert "/login/" in response["Location"]
        assert Calls.seen == []

    def test_withdrawn(self) -> None:
        """A permission that is taken away between the page and the button is gone."""
        call, user = recorded(), person(SEE, RETRY)
        client = client_of(user)
        assert client.get(confirm(call)).status_code == 200
        user.user_permissions.clear()
        assert client.post(confirm(call), REASON).status_code == 403
        assert not Retry.objects.exists()

    def test_csrf(self) -> None:
        """A POST from elsewhere is refused."""
        call = recorded()
        client = Client(enforce_csrf_checks=True)
        client.force_login(person(SEE, RETRY))
        assert client.post(confirm(call), REASON).status_code == 403
        assert Calls.seen == []

    @pytest.mark.parametrize("method", ["put", "delete", "patch"])
    def test_methods(self, mira: Client, method: str) -> None:
        """Nothing but a POST runs it."""
        call = recorded()
        assert getattr(mira, method)(confirm(call)).status_code == 405
        mira.get(confirm(call), REASON)
        mira.head(confirm(call), REASON)
        assert Calls.seen == []

    def test_payloads(self) -> None:
        """Arguments are for those who may see payloads; others are told how many there are."""
        order = Order.objects.create()
        call = recorded(order=order, total="hush")
        page = client_of(person(SEE, RETRY)).get(confirm(call)).content.decode()
        assert "It gets 2 arguments, which you may not see" in page
        assert "hush" not in page
        page = client_of(person(SEE, RETRY, PAYLOADS)).get(confirm(call)).content.decode()
        assert "&#x27;hush&#x27;" in page
        assert f"payload_app.Order:{order.pk}" in page

    def test_what_is_missing(self) -> None:
        """Why arguments cannot be restored tells of the payload, so it is counted for others."""
        call = recorded(order=Order(pk=77))
        page = client_of(person(SEE, RETRY)).get(confirm(call)).content.decode()
        assert "Its arguments cannot be restored: 1 of 1." in page
        assert "payload_app.Order:77" not in page
        assert client_of(person(SEE, RETRY)).post(confirm(call), REASON).status_code == 409
        page = client_of(person(SEE, RETRY, PAYLOADS)).get(confirm(call)).content.decode()
        assert "payload_app.Order:77 is not in the database" in page

    def test_message(self) -> None:
        """Message and traceback of the attempt are for those who may see payloads."""
        call, plain = recorded(), client_of(person(SEE, RETRY))
        Calls.act = fail
        plain.post(confirm(call), REASON)
        assert b"no points today" not in plain.get(result(call)).content
        page = client_of(person(SEE, RETRY, PAYLOADS)).get(result(call)).content.decode()
        assert "no points today" in page
        assert '<span class="si-function">fail</span>' in page


class TestConfirming:
    def test_says(self, mira: Client) -> None:
        """The page says what will run, with what, and what will not."""
        call = recorded(n=7)
        page = mira.post(confirm(call), {"reason": 'because "so"'}).content.decode()
        for text in (
            "It can be run again",
            "tests/audit/retry/shop.py",
            "tests.payload_app.models.Order",
            "bystander",
            "Run award_points now",
            'value="because &quot;so&quot;"',
            "csrfmiddlewaretoken",
        ):
            assert text in page, text
        assert Calls.seen == []

    def test_run(self, mira: Client) -> None:
        """A POST runs the receiver, and leads to a page that tells how it ended."""
        call = recorded(n=7)
        response = mira.post(confirm(call), REASON)
        assert (response.status_code, response["Location"]) == (302, result(call))
        retry = Retry.objects.get()
        assert (retry.outcome, retry.actor_label) == (RetryOutcome.RETURNED, "user0")
        page = mira.get(result(call)).content.decode()
        assert "returned, and its transaction was committed" in page
        assert "points &lt;b&gt;are&lt;/b&gt; back" in page
        mira.get(result(call))
        assert len(Calls.seen) == 1

    def test_twice(self, mira: Client) -> None:
        """A second press of the same button runs nothing and says why."""
        call = recorded()
        Calls.act = fail
        assert mira.post(confirm(call), REASON).status_code == 302
        response = mira.post(confirm(call), REASON)
        assert response.status_code == 409
        assert "there has been another attempt in the meantime" in response.content.decode()
        assert len(Calls.seen) == 1

    @pytest.mark.parametrize("attempt", ["", "0", "2", "-1", "x", "1" * 400, "①"])
    def test_other_attempt(self, mira: Client, attempt: str) -> None:
        """A form that was made for another attempt, or by hand, runs nothing."""
        call = recorded()
        response = mira.post(confirm(call), {**REASON, "attempt": attempt})
        assert response.status_code == 409
        assert Calls.seen == []

    def test_no_reason(self, mira: Client) -> None:
        """Without a reason nothing runs, and the page asks for it again."""
        response = mira.post(confirm(recorded()), {"reason": " ", "attempt": "1"})
        assert response.status_code == 409
        assert "a reason is required" in response.content.decode()

    def test_without_a_number(self, mira: Client) -> None:
        """The form that leads to the page runs nothing, whatever it holds."""
        call = recorded()
        response = mira.post(confirm(call), {"reason": "because"})
        assert response.status_code == 200
        assert Calls.seen == []
        assert not Retry.objects.exists()

    def test_no_reason_from_a_link(self, mira: Client) -> None:
        """A reason in an address is not taken: it would stand in logs, and be a stranger's."""
        page = mira.get(confirm(recorded()), {"reason": "a stranger's"}).content.decode()
        assert "stranger" not in page.partition("<form")[2]

    def test_obstacle(self, mira: Client) -> None:
        """Where a condition fails its line says why, and there is no button."""
        call = recorded()
        order_placed.receivers.clear()
        page = mira.get(confirm(call)).content.decode()
        assert "It cannot be run again" in page
        assert "it is not connected to tests.audit.retry.shop.order_placed" in page
        assert "<form" not in page.partition('<div id="content"')[2].partition("<footer")[0]
        assert mira.post(confirm(call), REASON).status_code == 409

    @pytest.mark.parametrize("index", [7, 32_767, 10**30])
    def test_unknown(self, mira: Client, index: int) -> None:
        """A call that the log does not have is not found."""
        call = recorded()
        call.index = index
        assert mira.get(confirm(call)).status_code == 404
        assert mira.get(result(recorded(), 9)).status_code == 404

    @pytest.mark.django_db(transaction=True)
    def test_atomic_requests(self, mira: Client, settings: Any) -> None:
        """With ATOMIC_REQUESTS the attempt still has transactions of its own."""
        from django.db import connections

        call = recorded()

        def write_and_fail() -> None:
            Group.objects.create(name="written")
            fail()

        Calls.act = write_and_fail
        for alias in ("default", "other"):
            connections.settings[alias]["ATOMIC_REQUESTS"] = True
        try:
            assert mira.post(confirm(call), REASON).status_code == 302
        finally:
            for alias in ("default", "other"):
                connections.settings[alias]["ATOMIC_REQUESTS"] = False
        assert not Group.objects.exists()
        assert Retry.objects.get().outcome == RetryOutcome.RAISED


class TestSection:
    def test_conditions(self, mira: Client) -> None:
        """The page of the dispatch lists the conditions, and leads on with a reason."""
        call = recorded(n=7)
        page = mira.get(detail(call)).content.decode()
        assert "Run award_points again" in page
        assert "Its arguments can be restored: 0 objects by their keys, 1 plain value." in page
        assert f'method="post" action="{confirm(call)}"' in page

    def test_attempts(self, mira: Client) -> None:
        """Attempts are told with their outcome, to those who may not run it as well."""
        call = recorded()
        Calls.act = fail
        mira.post(confirm(call), REASON)
        for client in (mira, client_of(person(SEE))):
            page = client.get(detail(call)).content.decode()
            assert "points &lt;b&gt;are&lt;/b&gt; back" in page
            assert "MineError" in page
            section = page.partition("Run award_points again")[2].partition("</section>")[0]
            assert "no points today" not in section

    def test_not_for_everybody(self) -> None:
        """Who may not run it sees neither the conditions nor a form, and nothing is restored."""
        page = client_of(person(SEE, PAYLOADS)).get(detail(recorded())).content.decode()
        assert "Run award_points again" not in page

    def test_many(self, mira: Client) -> None:
        """Of many failures the first have their conditions on the page, the others a link."""
        desks = [_receiver(number) for number in range(5)]
        for desk in desks:
            order_placed.connect(desk)
        page = mira.get(detail(recorded())).content.decode()
        assert page.count("sa-conditions") == 3
        assert page.count("See whether it can be run again") == 3


def _receiver(number: int) -> Any:
    def receiver(**named: Any) -> None:
        fail()

    receiver.__qualname__ = f"receiver_{number}"
    return receiver
