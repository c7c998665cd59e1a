"""The page of one dispatch."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import html5lib
import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from signal_inspector import Dispatch
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Ending, Method
from tests.audit.admin.conftest import LIST, client_of, person
from tests.audit.admin.logged import START, call, dispatched, model, order_42, plain, retried

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]

BAD = "loyalty.models.LoyaltyAccount.DoesNotExist"


def page_of(client: Client, dispatch: AuditedDispatch, query: str = "") -> str:
    response = client.get(f"{LIST}{dispatch.id}/change/{query}")
    assert response.status_code == 200
    return str(response.content.decode())


def words(page: str) -> str:
    """The page's text, without markup."""
    without = re.sub(
        "<script.*?</script>|<[^>]+>", " ", page.replace("<wbr>", ""), flags=re.DOTALL
    )
    return " ".join(html.unescape(without).split())


def section(page: str, name: str) -> str:
    """The text of a section, by the end of the id of its heading."""
    found = re.search(rf'<section class="module" aria-labelledby="sa-h-{name}.*?</section>', page,
                      re.DOTALL)  # fmt: skip
    return words(found.group()) if found else ""


def data_of(client: Client, dispatch: AuditedDispatch) -> dict[str, Any]:
    """What Copy as JSON finds at the URL that the page names."""
    found = re.search(r'data-sa-copy="([^"]+)"', page_of(client, dispatch))
    assert found
    response = client.get(html.unescape(found.group(1)))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    data: dict[str, Any] = json.loads(response.content)
    return data


def test_sentence(auditor: Client) -> None:
    """The page begins with what a person would say."""
    text = words(page_of(auditor, order_42()))
    assert (
        "Sent in POST /checkout/ on behalf of anna with shop.Order:42 , shop.OrderLine:118" in text
    )
    assert (
        "log_order and sync_warehouse returned; award_points raised LoyaltyAccount.DoesNotExist"
        " . send_robust returned the exception to the sender and continued." in text
    )
    assert "1 of 3 raised, swallowed" in text


def test_arguments_that_were_not_kept(auditor: Client) -> None:
    """The page counts them in a sentence, and has no such sentence if none is missing."""
    assert "not kept" not in words(page_of(auditor, order_42()))
    text = words(page_of(auditor, order_42(payload_dropped=1)))
    assert "1 more argument was not kept." in text


def test_stopped(auditor: Client) -> None:
    """An exception that was raised to the sender says how many receivers never ran."""
    skipped = [call(f"a.b{n}", outcome=Ending.SKIPPED, offset_ns=None) for n in range(2)]
    dispatch = dispatched(
        "a.signals.b", call("a.first", raised="builtins.KeyError"), *skipped,
        outcome=Ending.RAISED, method=Method.SEND,
    )  # fmt: skip
    text = words(page_of(auditor, dispatch))
    assert "first raised KeyError , and send raised it to the sender: 2 receivers skipped." in text
    assert text.count("skipped stopped by first") == 2


def test_orphan(auditor: Client) -> None:
    """A dispatch that nobody received says so."""
    text = words(page_of(auditor, dispatched()))
    assert "Nobody received it." in text
    assert "nothing ran" in text


def test_facts(auditor: Client) -> None:
    """Method, sender, place, actor, request, client, process, delivery and id are told."""
    dispatch = order_42()
    text = words(page_of(auditor, dispatch))
    for fact in (
        "186.2 ms, 39 queries in 22.8 ms",
        "send_robust from shop.models.Order",
        "shop/services.py:131 in place_order",
        "req-8f3c1b2e",
        "203.0.113.24",
        "web-2, pid 4127, uvicorn",
        "0.4 s later by the delivery buffered",
        str(dispatch.id),
    ):
        assert fact in text


def test_waterfall(auditor: Client) -> None:
    """Receivers stand in order, with bars in percent, and what they sent stands under them."""
    page = page_of(auditor, order_42())
    text = section(page, "receivers")
    order = ["log_order", "award_points", "sync_warehouse", "stock_low", "warehouse_synced"]
    places = [text.index(name) for name in order]
    assert places == sorted(places)
    assert 'x="13.69%" y="7" width="86.25%"' in page
    assert 'aria-label="award_points, raised, swallowed, from 3.6 to 25.4 ms"' in page
    assert "self 147.7 ms" in text
    assert "nobody received it" in text


@pytest.mark.parametrize(
    ("outcome", "words_for_it"), [(Ending.RAISED, "raised to the sender"),
                                  (Ending.CANCELLED, "cancelled")],
)  # fmt: skip
def test_a_nested_dispatch_that_ended_before_its_receivers(
    auditor: Client, outcome: Ending, words_for_it: str
) -> None:
    """The lane of a nested dispatch agrees with its outcome: a failed one is no orphan."""
    dispatch = dispatched("a.sender", call("a.receivers.sending"))
    dispatched("a.nested", at=dispatch.started_at + timedelta(milliseconds=1), outcome=outcome,
               is_failed=1, parent_id=dispatch.id, parent_call=0)  # fmt: skip
    page = page_of(auditor, dispatch)
    assert words_for_it in section(page, "receivers")
    assert "nobody received it" not in page
    assert 'class="si-ring" cx' not in page


def test_no_inline_style(auditor: Client) -> None:
    """Nothing needs a policy that allows inline styles or scripts."""
    page = page_of(auditor, order_42())
    ours = page[page.index('<div class="sa">') :]
    ours = ours[: ours.index("<!-- END Content -->")]
    assert " style=" not in ours
    assert re.findall(r"<script(?![^>]*application/json)", ours) == []
    assert re.findall(r"\son\w+=", ours) == []


def test_history_of_an_exception(auditor: Client) -> None:
    """When its kind was first raised by this receiver, and how often since."""
    bad = "loyalty.receivers.award_points"
    dispatched("a.b", call(bad), at=START - timedelta(hours=3))
    dispatched("a.b", call("other.receiver", raised=BAD), at=START - timedelta(hours=2))
    first = dispatched("a.b", call(bad, raised=BAD), at=START - timedelta(hours=1))
    dispatched("a.b", call(bad, raised="builtins.KeyError"), at=START - timedelta(minutes=30))
    last = order_42()
    text = section(page_of(auditor, last), "failure")
    assert "The first of its kind in the log was at 2026-11-22 03:14:07.410 ." in text
    assert "Since then 2 of 3 calls of this receiver raised it." in text
    link = re.search(r'<a href="([^"]+exception=[^"]+)">2 of 3', page_of(auditor, last))
    assert link
    listed = auditor.get(html.unescape(link.group(1))).content.decode()
    assert str(first.id) in listed
    assert str(last.id) in listed
    assert "This is the first of its kind" in section(page_of(auditor, first), "failure")


def test_traceback_is_open(auditor: Client) -> None:
    """The traceback needs no click."""
    assert "<details open><summary>Traceback" in page_of(auditor, order_42())


def test_payload(auditor: Client) -> None:
    """Arguments with their values; items of collections; what was redacted."""
    text = section(page_of(auditor, order_42()), "payload")
    assert "channel 'web' str" in text
    assert "card_token redacted" in text
    assert "lines list of 2 list 0 shop.OrderLine:118" in text


@pytest.mark.parametrize("payload", ["not JSON", "[]", '{"a": []}', '{"a": {"kind": 1}}'])
def test_unreadable_payload(auditor: Client, payload: str) -> None:
    """A payload that is not as the audit writes it leaves the page as it is, and is told."""
    dispatch = dispatched()
    AuditedDispatch.objects.filter(id=dispatch.id).update(payload=payload)
    page = page_of(auditor, dispatch)
    assert "cannot be read" in section(page, "payload")


def test_related(auditor: Client) -> None:
    """Links to the same request, transaction, trace, objects and day, with how many there are."""
    dispatch = order_42()
    dispatched(objects=["shop.Order:42"], request_id="other")
    page = page_of(auditor, dispatch)
    text = section(page, "related")
    for line in (
        "Same request 3 dispatches, 1 failed",
        "Same transaction 3 dispatches",
        "Parent none; not sent by a receiver",
        "Nested 2 dispatches",
        "Same trace 3 dispatches",
        "shop.Order:42 2 dispatches carried it",
        "anna, the same day 4 dispatches",
    ):
        assert line in text
    for url in re.findall(r'<li><a class="sa-any" href="([^"]+)"', page):
        assert auditor.get(html.unescape(url)).status_code == 200


def test_parent(auditor: Client) -> None:
    """A nested dispatch leads to the one in whose receiver it was sent."""
    dispatch = order_42()
    nested = AuditedDispatch.objects.filter(parent_id=dispatch.id).first()
    assert nested is not None
    page = page_of(auditor, nested)
    assert "Parent order_placed, sent by its receiver 3" in section(page, "related")
    assert f"{LIST}{dispatch.id}/change/" in page
    orphaned = dispatched(parent_id=UUID(int=5), parent_call=0)
    assert "not in the log" in section(page_of(auditor, orphaned), "related")


@override_settings(SIGNAL_INSPECTOR={"TRACE_URL": "https://traces.example.com/{trace_id}"})
def test_trace_url(auditor: Client) -> None:
    """The trace opens where TRACE_URL says."""
    url = 'href="https://traces.example.com/7c1d4e0b9a5f4c7e8f2a61b30d9c5e42"'
    assert url in page_of(auditor, order_42())


@override_settings(SIGNAL_INSPECTOR={"TRACE_URL": "https://traces.example.com/{trace_id}"})
def test_a_trace_that_was_not_sampled_is_no_link(auditor: Client) -> None:
    """Its id is shown, as it stands in logs, but no viewer has it."""
    page = page_of(auditor, dispatched(trace_id="7c1d" * 8, trace_sampled=0))
    assert "traces.example.com" not in page
    assert "7c1d" * 8 in page
    assert "not sampled" in page


def test_object_links(auditor: Client) -> None:
    """Objects link to their admin page for who may see it, and to none where there is none."""
    page = page_of(auditor, order_42())
    assert "/admin/auth/user/7/change/" not in page
    user = User.objects.get()
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    page = page_of(auditor, order_42())
    assert '<a class="si-mono" href="/admin/auth/user/7/change/">auth.User:7</a>' in page
    assert "/admin/shop/" not in page


@pytest.mark.parametrize(
    "key", ["auth.User:../../x", 'auth.User:"><script>', "os.system:1", "auth:1", ":", "a.b.c:1"]
)
def test_odd_objects(auditor: Client, key: str) -> None:
    """A key that is none leads nowhere else, and harms nothing."""
    page = page_of(auditor, dispatched(payload={"it": model(key)}, objects=[key]))
    assert "<script>" not in page.replace("<script>\n", "")
    assert [url for url in re.findall(r'href="([^"]*)"', page) if "/../" in url] == []


def test_json(auditor: Client) -> None:
    """Copy as JSON holds the dispatch as every room gives it, and its context in the log."""
    document = data_of(auditor, order_42())
    assert document["version"] == 1
    assert document["context"]["process"] == "web-2, pid 4127, uvicorn"
    data = document["dispatch"]
    assert Dispatch.from_dict(data).as_dict() == data
    assert data["signal"] == "shop.signals.order_placed"
    assert data["method"] == "send_robust"
    assert [each["receiver"] for each in data["calls"]][1] == "loyalty.receivers.award_points"
    assert data["payload"]["channel"]["value"] == "web"


def test_json_without_payloads() -> None:
    """Who may not see payloads gets the same keys without values and texts of the application."""
    client = client_of(person("view_auditeddispatch"))
    document = data_of(client, order_42())
    data = document["dispatch"]
    assert Dispatch.from_dict(data).payload is None
    assert "payload" not in data
    failed = data["calls"][1]
    assert failed["failure"] == {"exception_class": BAD}
    assert "response" not in failed
    assert "unreadable_payload" not in document["context"]


@pytest.mark.parametrize("id_", ["0198a2b4-0000-7000-8000-000000000000", "order-42"])
def test_json_of_nothing(auditor: Client, id_: str) -> None:
    """There is no JSON of a dispatch that the log does not have."""
    assert auditor.get(f"{LIST}{id_}/json/").status_code == 404


def test_the_page_does_not_read_its_json(auditor: Client) -> None:
    """The page reads calls, objects and names once; the JSON is read when it is asked for."""
    dispatch = order_42()
    with CaptureQueriesContext(connection) as queries:
        page_of(auditor, dispatch)
    asked = [re.sub('["`]', "", each["sql"]) for each in queries]
    assert any(f"{AuditedCall._meta.db_table}.dispatch_id = " in sql for sql in asked)
    assert not any(f"{AuditedCall._meta.db_table}.dispatch_id IN (" in sql for sql in asked)


def test_retries(auditor: Client) -> None:
    """Attempts to run a receiver again are told with who, why and how they ended."""
    dispatch = order_42()
    retried(dispatch)
    page = page_of(auditor, dispatch)
    assert "mira loyalty 2.4.1 is deployed" in section(page, "retry-1")


def test_not_there(auditor: Client) -> None:
    """A dispatch that the log does not have leads to a search for it."""
    for id_ in (str(UUID(int=1)), "nonsense"):
        response = auditor.get(f"{LIST}{id_}/change/", follow=True)
        assert response.redirect_chain
        assert "has no match for" in response.content.decode()


HOSTILE = [
    "<script>alert(1)</script>",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    '"><img src=x onerror=alert(1)>',
    "x" * 900,
    "</script><script>alert(1)</script>",
    "{{ 7|add:7 }}{% load x %}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile(auditor: Client, text: str) -> None:
    """Names, messages, payloads and labels are text, whatever is in them."""
    dispatch = dispatched(
        f"a.{text}",
        call(f"b.{text}", raised=f"c.{text}", message=text, traceback=text, location=text,
             response=json.dumps(text)),
        payload={text: plain(text), "m": model(f"auth.User:{text}")},
        objects=[f"auth.User:{text[:190]}"],
        actor=text[:200], actor_label=text[:150], origin_name=text[:500], request_id=text[:200],
        trace_id=text[:32],
    )  # fmt: skip
    for page in (page_of(auditor, dispatch), auditor.get(LIST).content.decode(),
                 auditor.get(LIST, {"q": text, "signal": text}).content.decode()):  # fmt: skip
        parsed = html5lib.parse(page, namespaceHTMLElements=False)
        assert [each.text for each in parsed.iter("script") if each.text and "alert" in each.text
                and each.get("type") != "application/json"] == []  # fmt: skip
        assert [each for each in parsed.iter("img") if each.get("src") == "x"] == []
        assert "14" not in [each.text for each in parsed.iter("b")]
    assert data_of(auditor, dispatch)["context"]["origin_name"] == text[:500]


def test_many_receivers(auditor: Client) -> None:
    """Of 500 receivers 200 are on a page; failures beyond it are told all the same."""
    calls = [call(f"a.r{index}") for index in range(499)]
    dispatch = dispatched("a.b", *calls, call("a.last", raised=BAD))
    page = page_of(auditor, dispatch)
    assert page.count('class="si-lane"') == 200
    assert "Exception in last" in section(page, "failure")
    assert "last raised LoyaltyAccount.DoesNotExist" in words(page)
    rest = page_of(auditor, dispatch, "?first_call=400")
    assert rest.count('class="si-lane"') == 100
    assert "?first_call=200" in rest
    assert page_of(auditor, dispatch, "?first_call=-1e9").count('class="si-lane"') == 200


def test_many_nested(auditor: Client) -> None:
    """Of very many nested dispatches 100 are shown, with a link to all."""
    dispatch = dispatched("a.b", call())
    template = dispatched("a.nested", parent_id=dispatch.id, parent_call=0)
    columns = {
        field.attname: getattr(template, field.attname)
        for field in AuditedDispatch._meta.concrete_fields
    }
    AuditedDispatch.objects.bulk_create(
        AuditedDispatch(**columns | {"id": UUID(int=template.id.int + 10_000 + index)})
        for index in range(10_000)
    )
    with CaptureQueriesContext(connection) as queries:
        page = page_of(auditor, dispatch)
    assert page.count("sa-nested") == 100
    assert "All nested dispatches" in page
    assert "Nested more than 1,000 dispatches" in section(page, "related")
    assert len(page) < 400_000
    assert len(queries) < 30


def test_queries(auditor: Client) -> None:
    """The page of the order needs a bounded number of queries."""
    dispatch = order_42()
    with CaptureQueriesContext(connection) as queries:
        page_of(auditor, dispatch)
    assert len(queries) <= 21
