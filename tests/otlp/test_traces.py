"""The traces of a shop that exports by hand, as a collector received them."""

from __future__ import annotations

from pathlib import Path

from signal_inspector import __version__
from tests.otlp.arrived import Span
from tests.otlp.running import Run

RECEIVERS = "tests.otlp.shop.receivers"
SIGNALS = "tests.otlp.shop.signals"
OWNER = "ada@example.com"  # who the shop's exceptions speak of
DECLINED = f"{RECEIVERS}.CardDeclined"


def ours(ran: Run, page: str) -> list[Span]:
    """The spans of a page that Signal Inspector made."""
    spans = ran.arrived.trace(ran.visits[page].trace_id)
    return [span for span in spans if span.scope == "signal_inspector"]


def test_order(ran: Run) -> None:
    """Request, dispatch, receiver, nested dispatch and its receiver stand under one another."""
    assert ran.outline("place") == [
        "GET place/",
        "  INSERT",
        "  send signals.order_placed",
        "    receive receivers.reserve_stock",
        "      INSERT",
        "    receive receivers.count_order",
        "    receive receivers.send_invoice",
        "      UPDATE",
        "      send signals.invoice_sent",
        "        receive receivers.archive_invoice",
        "          INSERT",
    ]


def test_raising_send(ran: Run) -> None:
    """A receiver that never ran, as one before it raised, has no span."""
    assert ran.visits["refuse"].status == 500
    assert ran.outline("refuse") == [
        "GET refuse/",
        "  send signals.order_refused",
        "    receive receivers.look_at_order",
        "      SELECT",
        "    receive receivers.charge_card",
    ]


def test_robust_send(ran: Run) -> None:
    """After a failure that was swallowed the next receiver has its span beside it."""
    assert ran.visits["cancel"].status == 200
    assert ran.outline("cancel") == [
        "GET cancel/",
        "  send_robust signals.order_cancelled",
        "    receive receivers.refund",
        "    receive receivers.restock",
        "      INSERT",
    ]


def test_async_send(ran: Run) -> None:
    """Receivers that run at the same time are siblings, each with its own statement."""
    assert ran.outline("pay")[:2] == ["GET pay/", "  asend signals.order_paid"]
    (dispatch,) = ran.span("pay", "GET pay/").children
    # Before Django 6.1 the sync receiver runs at the same time too: any of them may be first.
    assert sorted(tuple(child.outline()) for child in dispatch.children) == [
        (f"receive {RECEIVERS}.close_order", "  INSERT"),
        (f"receive {RECEIVERS}.tell_warehouse", "  SELECT"),
        (f"receive {RECEIVERS}.thank", "  INSERT"),
    ]


def test_orphan(ran: Run) -> None:
    """A dispatch that nobody received is seen, with no receiver under it."""
    assert ran.outline("forget") == ["GET forget/", "  send signals.order_forgotten"]


def test_client(ran: Run) -> None:
    """The request goes on in the trace that its client began, so do its dispatches."""
    for visit in ran.visits.values():
        for top in ran.arrived.tops(visit.trace_id):
            assert top.kind == "server"
            assert top.parent_id == visit.parent_id


def test_unsampled(ran: Run) -> None:
    """Nothing of a trace that is not sampled arrives: no receiver begins one of its own."""
    visit = ran.visits["unsampled place"]
    assert visit.status == 200
    assert ran.arrived.trace(visit.trace_id) == []
    known = {visit.trace_id for visit in ran.visits.values()}
    strangers = [span for span in ran.arrived.spans if span.trace_id not in known]
    # What Django asks of the database as it starts is in no request.
    assert {span.scope for span in strangers} <= {"opentelemetry.instrumentation.sqlite3"}
    assert all("otlp_shop" not in span.attributes["db.statement"] for span in strangers)


def test_once(ran: Run) -> None:
    """No span arrives twice, and each ends within its parent."""
    ids = [span.span_id for span in ran.arrived.spans]
    assert len(ids) == len(set(ids))
    for span in ran.arrived.spans:
        for child in span.children:
            assert span.start_ns <= child.start_ns <= child.end_ns <= span.end_ns


def test_scope(ran: Run) -> None:
    """Our spans are internal, and say which version of which package made them."""
    spans = [span for page in ran.visits for span in ours(ran, page)]
    assert len(spans) == 6 + 3 + 3 + 4 + 1
    assert {span.kind for span in spans} == {"internal"}
    assert {span.scope_version for span in spans} == {__version__}
    assert all(span.schema_url.startswith("https://opentelemetry.io/schemas/") for span in spans)


def test_attributes_of_a_dispatch(ran: Run) -> None:
    """A dispatch tells signal, method, sender, number of receivers and the line that sends it.

    Its id is its record's.
    """
    span = ran.span("place", "send signals.order_placed")
    path = Path(span.attributes.pop("code.file.path"))
    line = span.attributes.pop("code.line.number")
    assert "order_placed.send(" in path.read_text().splitlines()[line - 1]
    assert span.attributes.pop("code.function.name").endswith("place")
    record = ran.visits["place"].dispatches[0]
    assert record["signal"] == f"{SIGNALS}.order_placed"
    assert span.attributes == {
        "django.signal.name": f"{SIGNALS}.order_placed",
        "django.signal.method": "send",
        "django.signal.sender": "tests.otlp.shop.models.Order",
        "django.signal.receiver.count": 3,
        "django.signal.dispatch.id": record["id"],
    }


def test_attributes_of_a_receiver(ran: Run) -> None:
    """A receiver tells its full name, its signal and where its code is."""
    span = ran.span("place", "receive receivers.send_invoice")
    path = Path(span.attributes.pop("code.file.path"))
    line = span.attributes.pop("code.line.number")
    assert path.parts[-4:] == ("tests", "otlp", "shop", "receivers.py")
    assert "def send_invoice" in "".join(path.read_text().splitlines()[line - 1 : line + 1])
    assert span.attributes == {
        "code.function.name": f"{RECEIVERS}.send_invoice",
        "django.signal.name": f"{SIGNALS}.order_placed",
    }


def test_every_record_has_its_span(ran: Run) -> None:
    """Each record of a sampled request has one dispatch span with its id, and no other has one."""
    for page, visit in ran.visits.items():
        if page.startswith("unsampled"):
            continue
        spans = ours(ran, page)
        found = [
            span.attributes["django.signal.dispatch.id"]
            for span in spans
            if "django.signal.method" in span.attributes
        ]
        assert sorted(found) == sorted(record["id"] for record in visit.dispatches)


def test_raising_send_is_an_error(ran: Run) -> None:
    """Receiver, dispatch and request are errors where the receiver's exception went through."""
    receiver = ran.span("refuse", "receive receivers.charge_card")
    dispatch = ran.span("refuse", "send signals.order_refused")
    for span in (receiver, dispatch):
        assert span.status == "error"
        assert span.attributes["error.type"] == DECLINED
    assert ran.span("refuse", "GET refuse/").status == "error"
    assert ran.span("refuse", "receive receivers.look_at_order").status == "unset"


def test_robust_send_is_no_error(ran: Run) -> None:
    """Where Django swallowed the exception the receiver is an error, its dispatch is not."""
    receiver = ran.span("cancel", "receive receivers.refund")
    assert receiver.status == "error"
    assert receiver.attributes["error.type"] == DECLINED
    dispatch = ran.span("cancel", "send_robust signals.order_cancelled")
    assert dispatch.status == "unset"
    assert "error.type" not in dispatch.attributes
    assert dispatch.attributes["django.signal.receiver.failed_count"] == 1


def test_nothing_wrong_is_no_error(ran: Run) -> None:
    """No span of ours has a status or an exception where nothing failed."""
    for page in ("place", "pay", "forget"):
        for span in ours(ran, page):
            assert span.status == "unset"
            assert span.events == []
            assert "error.type" not in span.attributes


def test_exception(ran: Run) -> None:
    """The receiver that raised has the exception once, with message and stack trace."""
    for page, receiver in (("refuse", "charge_card"), ("cancel", "refund")):
        (event,) = ran.span(page, f"receive receivers.{receiver}").events
        assert event.name == "exception"
        assert event.attributes["exception.type"] == DECLINED
        assert event.attributes["exception.message"] == f"the card of {OWNER}"
        stack = event.attributes["exception.stacktrace"]
        assert f"in {receiver}" in stack
        assert stack.rstrip().endswith(f"CardDeclined: the card of {OWNER}")
