"""Exporting from the admin: who may, what is asked, what comes, and that it is noted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.test import AsyncClient, Client

from signal_inspector.audit.models import Operation
from tests.audit.admin.conftest import LIST, client_of, person
from tests.audit.admin.logged import order_42
from tests.audit.admin.test_detail import data_of
from tests.audit.management.made import made, put
from tests.audit.rows_made import needs

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

URL = f"{LIST}export/"
MAY = ("view_auditeddispatch", "export_dispatches")


@pytest.fixture
def exporter(db: None) -> Client:
    """Who may export, without payloads."""
    return client_of(person(*MAY))


def content(response: Any) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


class TestPermissions:
    def test_nobody(self) -> None:
        """Who is not logged in is sent to do so, and nothing is noted."""
        assert Client().post(URL, {"format": "csv"}).status_code == 302
        assert not Operation.objects.exists()

    @pytest.mark.parametrize("permissions", [MAY[:1], MAY[1:], ("view_payloads",)])
    def test_not_allowed(self, permissions: tuple[str, ...]) -> None:
        """It takes the permission to see dispatches, and the one to export them."""
        client = client_of(person(*permissions))
        assert client.get(URL).status_code == 403
        assert client.post(URL, {"format": "csv"}).status_code == 403
        assert not Operation.objects.exists()

    def test_payloads(self, exporter: Client) -> None:
        """Arguments, messages and tracebacks come for who may see them, and only if asked for."""
        put(made(failed=True, note="walnut"))
        both = client_of(person(*MAY, "view_payloads"))
        for client, asked, comes in (
            (exporter, {"payloads": "1"}, False),
            (both, {}, False),
            (both, {"payloads": "1"}, True),
        ):
            text = content(client.post(URL, {"format": "jsonl", **asked}))
            assert [part in text for part in ("walnut", "no stock", "Traceback")] == [comes] * 3
        assert "With arguments" in both.get(URL).content.decode()
        assert "With arguments" not in exporter.get(URL).content.decode()

    @pytest.mark.parametrize("may_see", [True, False])
    def test_the_same_as_the_copy(self, may_see: bool) -> None:
        """A line is what Copy as JSON gives, for those who may see payloads and for others."""
        dispatch = order_42()
        client = client_of(person(*MAY, *["view_payloads"] * may_see))
        asked = {"format": "jsonl", "payloads": "1"}
        lines = map(json.loads, content(client.post(URL, asked)).splitlines())
        (line,) = [each for each in lines if each["dispatch"]["id"] == str(dispatch.id)]
        assert line == data_of(client, dispatch)
        private = {"payload", "payload_dropped"} & line["dispatch"].keys()
        for call in line["dispatch"]["calls"]:
            private |= {"response"} & call.keys()
            private |= {"message", "traceback"} & call.get("failure", {}).keys()
        everything = {"payload", "payload_dropped", "response", "message", "traceback"}
        assert private == (everything if may_see else set())
        assert len(line["context"]["objects"]) == 4

    def test_csrf(self) -> None:
        """A form of another site exports nothing."""
        client = Client(enforce_csrf_checks=True)
        client.force_login(person(*MAY))
        assert client.post(URL, {"format": "csv"}).status_code in (200, 403)
        assert not Operation.objects.exists()

    def test_link(self, exporter: Client, viewer: Client) -> None:
        """The list leads there with its filters, for who may."""
        put(made(signal="shop.a"))
        assert f"{URL}?signal=shop.a" in exporter.get(LIST, {"signal": "shop.a"}).content.decode()
        assert "export/" not in viewer.get(LIST).content.decode()


class TestForm:
    def test_asks(self, exporter: Client) -> None:
        """Asking exports nothing: it shows format, time, filters and how many there are."""
        put(made(signal="shop.a"), made(signal="shop.b"))
        page = exporter.get(URL, {"signal": "shop.a", "when": "7d"}).content.decode()
        for part in ('name="signal" value="shop.a"', 'value="7d" selected', "1 dispatch."):
            assert part in page
        assert not Operation.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"from": "yesterday"},
            {"to": "2026-13-01"},
            {"day": "x"},
            {"from": "2026-01-01", "to": "x"},
        ],
    )
    def test_wrong_time(self, exporter: Client, wrong: dict[str, str]) -> None:
        """A time that cannot be read exports nothing, rather than everything."""
        put(made())
        response = exporter.post(URL, {"format": "csv", **wrong})
        assert "is not a valid date or time" in response.content.decode()
        assert not Operation.objects.exists()

    def test_unknown_text(self, exporter: Client) -> None:
        """A search for what the log does not have exports nothing."""
        put(made())
        response = exporter.post(URL, {"format": "csv", "q": "nothing.of:this"})
        assert "has no match for" in response.content.decode()

    def test_hostile(self, exporter: Client) -> None:
        """What stands in the query is text on the page."""
        page = exporter.get(URL, {"actor": '"><script>alert(1)</script>'}).content.decode()
        assert "<script>alert" not in page


class TestFile:
    def test_csv(self, exporter: Client) -> None:
        """CSV comes as a file with a mark for Excel, and is in no cache."""
        put(made(signal="=1+1"))
        response = exporter.post(URL, {"format": "csv"})
        rows = list(csv.DictReader(io.StringIO(content(response).removeprefix("\ufeff"))))
        assert [row["signal"] for row in rows] == ["'=1+1"]
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        disposition = response.headers["Content-Disposition"]
        assert disposition.startswith('attachment; filename="signal-audit-')
        assert disposition.endswith('.csv"')
        assert "no-store" in response.headers["Cache-Control"]

    def test_filters(self, exporter: Client) -> None:
        """What comes is what the filters and the search say."""
        put(made(signal="shop.a", failed=True), made(signal="shop.a"), made(signal="shop.b"))
        asked = {"format": "jsonl", "signal": "shop.a", "outcome": "failed"}
        assert len(content(exporter.post(URL, asked)).splitlines()) == 1
        assert (
            len(content(exporter.post(URL, {"format": "jsonl", "q": "shop.b"})).splitlines()) == 1
        )

    def test_period(self, exporter: Client) -> None:
        """The time of the form holds."""
        put(made(timedelta(hours=3)), made(timedelta(minutes=3)))
        assert (
            len(content(exporter.post(URL, {"format": "jsonl", "when": "1h"})).splitlines()) == 1
        )

    def test_noted(self) -> None:
        """Who, what and how much is noted."""
        user = person(*MAY)
        put(made(signal="shop.a"), made(signal="shop.b"))
        content(client_of(user).post(URL, {"format": "jsonl", "signal": "shop.a"}))
        operation = Operation.objects.get()
        assert (operation.actor, operation.actor_label) == (f"auth.User:{user.pk}", user.username)
        assert (operation.detail, operation.rows) == ("jsonl, without payloads: signal=shop.a", 1)
        assert operation.ended_at is not None

    @pytest.mark.django_db(transaction=True)
    def test_hung_up(self, exporter: Client) -> None:
        """A client that hangs up is noted with what it has got."""
        put(*[made(timedelta(seconds=n)) for n in range(600)])
        response = exporter.post(URL, {"format": "jsonl"})
        parts: Iterator[bytes] = iter(response.streaming_content)
        next(parts)
        next(parts)
        assert Operation.objects.get().ended_at is None
        response.close()
        operation = Operation.objects.get()
        assert "Incomplete" in operation.detail
        assert 0 < operation.rows < 600
        assert operation.ended_at is not None


@pytest.mark.django_db(transaction=True)
class TestAsync:
    def test_streams(self) -> None:
        """An async server gets the same file, without a warning that it is read at once."""
        needs("postgresql", "mysql")
        ids = put(*[made(timedelta(seconds=600 - n)) for n in range(600)])

        async def ask(user: User) -> str:
            client = AsyncClient()
            await client.aforce_login(user)
            response: Any = await client.post(URL, {"format": "jsonl"})
            assert response.is_async
            return b"".join([part async for part in response.streaming_content]).decode()

        text = async_to_sync(ask)(person(*MAY))
        assert [json.loads(line)["dispatch"]["id"] for line in text.splitlines()] == [
            str(id_) for id_ in ids
        ]
        assert Operation.objects.get().rows == 600

    def test_hung_up(self) -> None:
        """A client of an async server that hangs up is noted, too."""
        needs("postgresql", "mysql")
        put(*[made(timedelta(seconds=n), note="x" * 150) for n in range(600)])
        client = client_of(person(*MAY))
        cookie = "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items())

        async def ask() -> None:
            body = b"format=jsonl&csrfmiddlewaretoken=" + b"a" * 32
            headers = {
                b"cookie": f"{cookie}; csrftoken={'a' * 32}".encode(),
                b"content-type": b"application/x-www-form-urlencoded",
                b"content-length": str(len(body)).encode(),
                b"host": b"testserver",
            }
            scope = {
                "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
                "method": "POST", "path": URL, "query_string": b"", "scheme": "http",
                "headers": list(headers.items()), "server": ("testserver", 80),
            }  # fmt: skip
            server = ApplicationCommunicator(get_asgi_application(), scope)
            await server.send_input({"type": "http.request", "body": body})
            started = await server.receive_output(30)
            assert started["status"] == 200, started
            assert (await server.receive_output(30))["body"]
            await server.send_input({"type": "http.disconnect"})
            await server.wait(30)

        async_to_sync(ask)()
        operation = Operation.objects.get()
        assert operation.ended_at is not None
        assert ("Incomplete" in operation.detail) == (operation.rows < 600)
