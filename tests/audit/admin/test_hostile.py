"""Pages of the audit under whatever may stand in an address, a form, or the log itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from signal_inspector.audit.models import AuditedDispatch, Operation
from tests.audit.admin.conftest import LIST, client_of, person
from tests.audit.admin.logged import call, dispatched, gap, order_42, plain, retried

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7|add:7 }}{% debug %}",
    "a\0b",
    "\x1b[2J\r\nSet-Cookie: a=b",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "%s%d%n%%",
    "'; DROP TABLE signal_audit_dispatch; --",
    "%",
    "_" * 300,
    "x" * 20_000,
    "-1",
    "9" * 400,
    "1e400",
    "NaN",
    "²",
    "①",
    "\u202egpj.exe",
    "../../../../etc/passwd",
    "9999-12-31",
    "0000-00-00",
    "0001-01-01T00:00:00+23:59",
    "2026-02-30",
    "1970-01-01T00:00+14:00",
    "9000-12-31T23:59:59.999999-23:59",
    "2026-11-22T10:00:00+24:00",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "shop.Order:",
    ":42",
    "a.b:c:d.e:f",
    "shop.Order:<b>",
    "auth.User:" + "9" * 100,
]
PARAMETERS = [
    "q", "before", "after", "id", "signal", "receiver", "exception", "object", "actor", "label",
    "request", "trace", "parent", "in_transaction", "outcome", "method", "transaction", "origin",
    "when", "day", "from", "to", "what", "key", "reason", "format", "payloads", "receivers",
    "first_call", "p", "o", "e",
]  # fmt: skip


def page_of(response: Any) -> str:
    content = b"".join(response) if response.streaming else response.content
    return str(content.decode())


def is_harmless(page: str) -> bool:
    return not any(bad in page for bad in ("<script>alert", "<img src=x", "14{"))


OVERVIEW = "/admin/signal_audit/"
PAGES = [OVERVIEW, LIST, f"{LIST}export/", f"{LIST}purge/"]


@pytest.fixture
def everybody(db: None) -> Client:
    """Who may do everything."""
    return client_of(person(is_superuser=True))


@pytest.mark.parametrize("name", ["q", "before", "after", "day", "from", "to", "when", "key"])
def test_one_parameter(name: str, everybody: Client) -> None:
    """Whatever stands in a parameter that is read, the list comes, and shows it as a text."""
    order_42()
    path = f"{LIST}purge/" if name == "key" else LIST
    for hostile in HOSTILE:
        response = everybody.get(f"{path}?{urlencode({name: hostile})}")
        assert response.status_code == 200, hostile
        assert is_harmless(page_of(response)), hostile


def test_all_parameters(everybody: Client) -> None:
    """So it is on every page with all parameters at once."""
    dispatch = order_42()
    for path in (*PAGES, f"{LIST}{dispatch.id}/change/"):
        for hostile in HOSTILE:
            query = urlencode(dict.fromkeys(PARAMETERS, hostile))
            response = everybody.get(f"{path}?{query}")
            assert response.status_code == 200, (path, hostile)
            assert is_harmless(page_of(response)), (path, hostile)


@pytest.mark.parametrize("path", ["export/", "purge/"])
def test_forms(path: str, everybody: Client) -> None:
    """A form may hold anything: the file comes or the form says why not, and nothing is gone."""
    order_42()
    there = AuditedDispatch.objects.count()
    for hostile in HOSTILE:
        for names in (PARAMETERS, ["what", "key", "reason"], ["from"], ["day"]):
            response = everybody.post(f"{LIST}{path}", dict.fromkeys(names, hostile))
            assert response.status_code in (200, 400), (names, hostile)
            assert is_harmless(page_of(response)), (names, hostile)
    assert AuditedDispatch.objects.count() == there


@pytest.mark.parametrize("hostile", [text for text in HOSTILE if "/" not in text])
def test_ids(hostile: str, everybody: Client) -> None:
    """What is no id in the path of a page leads to a search for it, and for nothing else."""
    response = everybody.get(f"{LIST}{quote(hostile)}/change/")
    assert response.status_code == 302
    address = urlsplit(response["Location"])
    assert address.path == LIST
    assert parse_qs(address.query, keep_blank_values=True) == {"q": [hostile[:100]]}
    assert page_of(everybody.get(response["Location"]))


def test_names_of_parameters_in_an_id(everybody: Client) -> None:
    """What stands in the place of an id cannot set a filter."""
    response = everybody.get(f"{LIST}a&outcome=failed%23b/change/")
    assert parse_qs(urlsplit(response["Location"]).query) == {"q": ["a&outcome=failed#b"]}


@pytest.mark.parametrize("hostile", HOSTILE[:3])
def test_what_the_log_holds(hostile: str, everybody: Client) -> None:
    """Names, keys, messages and payloads of any content are shown as text on every page."""
    payload = {hostile: plain(hostile)}
    dispatch = dispatched(
        hostile,
        call(hostile, raised=hostile, message=hostile, traceback=hostile, response=hostile),
        objects=[f"shop.Order:{hostile}"],
        payload=payload,
        actor=hostile,
        actor_label=hostile,
        request_id=hostile,
        origin_name=hostile,
        trace_id=hostile[:32],
    )
    attempt = retried(dispatch, call_index=0, reason=hostile, message=hostile, actor_label=hostile)
    missing = gap(detail=hostile, process=hostile)
    Operation.objects.create(kind=1, at=timezone.now(), actor_label=hostile, detail=hostile)
    pages = [
        *PAGES,
        f"{LIST}{dispatch.id}/change/",
        f"{LIST}{dispatch.id}/retry/0/",
        f"{LIST}{dispatch.id}/retry/0/{attempt.attempt}/",
        *(f"/admin/signal_audit/{model}/" for model in ("gap", "retry", "operation")),
        f"/admin/signal_audit/gap/{missing.pk}/change/",
        f"/admin/signal_audit/retry/{attempt.pk}/change/",
    ]
    for path in pages:
        response = everybody.get(path)
        assert response.status_code == 200, path
        assert is_harmless(page_of(response)), path


@pytest.mark.parametrize(
    ("model", "column"),
    [("retry", "message"), ("retry", "traceback"), ("gap", "detail"), ("operation", "detail")],
)
def test_no_column_can_be_guessed(model: str, column: str) -> None:
    """A list is filtered by what stands at its side: not, letter by letter, by what is hidden."""
    retried(order_42())
    gap(reason=3, detail="secret")
    client = client_of(person(f"view_{model}"))
    for lookup in ("startswith", "contains", "regex", "gte", "isnull", "exact"):
        response = client.get(f"/admin/signal_audit/{model}/?{column}__{lookup}=s")
        assert response.status_code == 400, lookup


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("retry", "outcome__exact=1"),
        ("gap", "reason__exact=3&closed_at__isempty=1"),
        ("operation", "kind__exact=2"),
        ("gap", "_popup=1&o=1.-2&p=0&all="),
    ],
)
def test_filters_at_the_side(model: str, query: str) -> None:
    """What stands there works."""
    client = client_of(person(f"view_{model}"))
    assert client.get(f"/admin/signal_audit/{model}/?{query}").status_code == 200
