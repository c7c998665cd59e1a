from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from django.test import SimpleTestCase, TestCase, override_settings

from guide.testing import INLINE
from traces.files import RotatingFile, earlier, lines
from traces.spans import Kind, read
from traces.waterfall import MOST_ROWS, Trace, nest

TRACE = f"{7:032x}"
REQUEST = {
    "http.request.method": "POST",
    "url.path": "/checkout/",
    "http.response.status_code": 302,
}
ORDER_PLACED = {
    "django.signal.name": "shop.signals.order_placed",
    "django.signal.method": "send",
    "code.function.name": "shop.services.Checkout.place",
}
AWARD = {
    "django.signal.name": "shop.signals.order_placed",
    "code.function.name": "loyalty.receivers.award_points",
}
STATEMENT = {"db.system.name": "sqlite", "db.query.text": 'SELECT * FROM "loyalty_account"'}


def span(number: int, parent: int, name: str, at: int, ms: int, **more: Any) -> dict[str, Any]:
    """A span as OTLP JSON has it; times in milliseconds."""
    attributes = more.pop("attributes", {})
    raw = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": name,
        "startTimeUnixNano": str(10**18 + at * 1_000_000),
        "endTimeUnixNano": str(10**18 + (at + ms) * 1_000_000),
        "attributes": pairs(attributes),
        **more,
    }
    return raw | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", int: "intValue", bool: "boolValue"}
    return [
        {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for key, value in attributes.items()
    ]


def line(*spans: dict[str, Any]) -> bytes:
    scope = {"scope": {"name": "tests"}, "spans": list(spans)}
    message = {"resourceSpans": [{"resource": {}, "scopeSpans": [scope]}]}
    return json.dumps(message).encode() + b"\n"


def exception(kind: str, message: str) -> dict[str, Any]:
    attributes = {"exception.type": kind, "exception.message": message}
    return {"name": "exception", "timeUnixNano": "1", "attributes": pairs(attributes)}


def failed(**more: Any) -> dict[str, Any]:
    return {"status": {"code": 2}, **more}


def an_order() -> list[dict[str, Any]]:
    """A request, the signal it sent, two receivers of which one failed, statements."""
    error = AWARD | {"error.type": "loyalty.models.LoyaltyAccount.DoesNotExist"}
    swallowing = ORDER_PLACED | {"django.signal.receiver.failed_count": 1}
    log = AWARD | {"code.function.name": "analytics.receivers.log_order"}
    return [
        span(1, 0, "POST checkout/", 0, 100, kind=2, attributes=REQUEST),
        span(2, 1, "send_robust shop.signals.order_placed", 10, 80, attributes=swallowing),
        span(3, 2, "receive analytics.receivers.log_order", 10, 20, attributes=log),
        span(
            4,
            2,
            "receive loyalty.receivers.award_points",
            40,
            20,
            attributes=error,
            **failed(events=[exception("DoesNotExist", "No <account> matches")]),
        ),
        span(5, 4, "SELECT", 45, 5, kind=3, attributes=STATEMENT),
    ]


def trace_of(*spans: dict[str, Any]) -> Trace:
    return Trace(read([line(*spans)]).traces[TRACE])


class ReadTest(SimpleTestCase):
    def test_kinds(self):
        """Requests, signals, receivers and statements are told apart by their attributes."""
        kinds = [span.kind for span in trace_of(*an_order()).spans]
        self.assertEqual(
            kinds, [Kind.REQUEST, Kind.SIGNAL, Kind.RECEIVER, Kind.RECEIVER, Kind.DATABASE]
        )
        self.assertEqual(trace_of(span(1, 0, "work", 0, 1)).top.kind, Kind.OTHER)

    def test_what_is_read_of_a_span(self):
        """Names are cut to what a reader looks for, values come back with their types."""
        request, signal, _, award, select = trace_of(*an_order()).spans
        self.assertEqual((request.action, request.target), ("POST", "/checkout/"))
        self.assertEqual(request.attributes["http.response.status_code"], 302)
        self.assertEqual((signal.action, signal.target), ("send_robust", "order_placed"))
        self.assertEqual((award.target, award.duration_ms), ("award_points", 20))
        self.assertEqual((select.action, select.target), ("SELECT", "loyalty_account"))

    def test_failures(self):
        """Only what failed of itself counts, and a signal says what it swallowed."""
        trace = trace_of(*an_order())
        self.assertEqual([span.target for span in trace.failures], ["award_points"])
        self.assertEqual(trace.failures[0].failure, "DoesNotExist")
        self.assertEqual(trace.failures[0].exception, "DoesNotExist: No <account> matches")
        self.assertEqual(trace.spans[1].swallowed, 1)
        counted = {"django.signal.receiver.failed_count": 1}
        self.assertEqual(trace_of(span(1, 0, "a", 0, 9, attributes=counted)).top.swallowed, 1)
        raising = span(1, 0, "a", 0, 9, attributes=counted, **failed())
        self.assertEqual(trace_of(raising).top.swallowed, 0)
        raised = [span(1, 0, "a", 0, 9, **failed()), span(2, 1, "b", 0, 9, **failed())]
        self.assertEqual([span.name for span in trace_of(*raised).failures], ["b"])

    def test_broken_lines(self):
        """What is no OTLP JSON is skipped and counted, whatever is wrong with it."""
        good = line(*an_order())
        wrong_id = line(span(1, 0, "a", 0, 1) | {"traceId": '"><script>'})
        wrong_time = line(span(1, 0, "a", 0, 1) | {"endTimeUnixNano": "soon"})
        broken = [good[:100], b"[]\n", b"{}\n", b"\xff\n", b"[" * 9_999, wrong_id, wrong_time]
        recorded = read([broken[0], good, *broken[1:]])
        self.assertEqual(recorded.broken, len(broken))
        self.assertEqual(list(recorded.traces), [TRACE])
        self.assertEqual(len(recorded.traces[TRACE]), 5)

    def test_one_of_many(self):
        """Asked for one trace, the others are not read."""
        other = span(1, 0, "a", 0, 1) | {"traceId": f"{8:032x}"}
        lines = [line(*an_order()), line(other), line(other, span(9, 1, "b", 0, 1))]
        recorded = read(lines, TRACE)
        self.assertEqual(list(recorded.traces), [TRACE])
        self.assertEqual(len(recorded.traces[TRACE]), 6)


class WaterfallTest(SimpleTestCase):
    def test_rows(self):
        """Each span stands under its parent, and its bar where its time was."""
        rows = trace_of(*reversed(an_order())).lay_out()
        self.assertEqual([row.depth for row in rows], [0, 1, 2, 2, 3])
        self.assertEqual([row.span.target for row in rows][2:4], ["log_order", "award_points"])
        self.assertEqual(
            [(row.bars[0].x, row.bars[0].width) for row in rows][3:], [(40, 20), (45, 5)]
        )

    def test_lists(self):
        """The lists of the template open and close as often, also where rows are cut off."""
        few = [*an_order(), span(6, 1, "later", 95, 1)]
        deep = [span(number, number - 1, "deep", number, 9) for number in range(1, MOST_ROWS + 9)]
        for spans in (few, deep):
            rows = nest(trace_of(*spans).lay_out())
            self.assertLessEqual(len(rows), MOST_ROWS)
            self.assertEqual(sum(row.opens for row in rows), sum(len(row.closes) for row in rows))
        self.assertEqual([row.opens for row in nest(trace_of(*few).lay_out())][:2], [True, True])

    def test_repeated_statements(self):
        """The same statement many times in a row is one row, with a bar for each."""
        repeated = [
            span(number, 4, "SELECT", 40 + number, 1, attributes=STATEMENT)
            for number in range(6, 12)
        ]
        row = trace_of(*an_order()[:4], *repeated).lay_out()[-1]
        self.assertEqual((row.repeated, len(row.bars), row.duration_ms), (6, 6, 6))
        self.assertEqual(len(trace_of(*an_order(), *repeated[:2]).lay_out()), 7)

    def test_parts_of_a_trace(self):
        """Spans whose parent is not there stand at the top, and those in a circle too."""
        trace = trace_of(*an_order()[1:])
        self.assertFalse(trace.is_whole)
        self.assertEqual([row.depth for row in trace.lay_out()], [0, 1, 1, 2])
        circle = trace_of(span(1, 2, "a", 0, 1), span(2, 1, "b", 0, 1), span(3, 3, "c", 0, 1))
        self.assertEqual([row.depth for row in circle.lay_out()], [0, 1, 0])

    def test_no_time_at_all(self):
        """A trace that began and ended at once has bars all the same."""
        self.assertEqual(trace_of(span(1, 0, "a", 0, 0)).lay_out()[0].bars[0].width, 0)


class FileTest(SimpleTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "traces.jsonl"

    def test_it_does_not_grow_for_ever(self):
        """A full file is put aside, the one before it goes, and the newest lines are kept."""
        file = RotatingFile(self.path, 100)
        for number in range(50):
            file.write(f"line {number:04}\n")
        kept = [line.decode().strip() for line in lines(self.path)]
        self.assertEqual(kept[-1], "line 0049")
        self.assertEqual(kept, sorted(kept))
        self.assertLessEqual(self.path.stat().st_size, 100)
        self.assertEqual(earlier(self.path).stat().st_size, 100)
        self.assertEqual(len(list(self.path.parent.iterdir())), 2)

    def test_thrown_away_meanwhile(self):
        """Whoever throws the file away does not disturb who writes it."""
        file = RotatingFile(self.path, 100)
        file.write("a\n")
        self.path.unlink()
        file.write("b\n")
        self.assertEqual(list(lines(self.path)), [b"b\n"])


class PagesTest(TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "traces.jsonl"
        settings = override_settings(TRACES_FILE=self.path, DEMO=True)
        settings.enable()
        self.addCleanup(settings.disable)

    def write(self, *written: bytes) -> None:
        self.path.write_bytes(b"".join(written))

    def test_the_list(self):
        """Each trace has a row with its request, and how much was sent and failed in it."""
        self.write(line(*an_order()))
        page = self.client.get("/traces/")
        self.assertContains(page, f'<a href="/traces/{TRACE}/">POST /checkout/</a>')
        trace = page.context["traces"][0]
        counted = (trace.signals, trace.receivers, trace.statements, len(trace.failures))
        self.assertEqual(counted, (1, 2, 1, 1))
        self.assertContains(page, "100.0 ms")

    def test_only_what_sent(self):
        """Requests without a signal can be left out."""
        self.write(line(span(1, 0, "GET", 0, 1, kind=2)))
        self.assertContains(self.client.get("/traces/"), TRACE)
        self.assertNotContains(self.client.get("/traces/?signals"), TRACE)

    def test_one_trace(self):
        """A trace shows its tree, its failure with the exception, and every attribute."""
        self.write(line(*an_order()))
        page = self.client.get(f"/traces/{TRACE}/")
        for text in ["POST /checkout/", "order_placed", "log_order", "1 receiver failed"]:
            self.assertContains(page, text)
        self.assertContains(page, "failed: DoesNotExist")
        self.assertContains(page, '<span class="kind">Receiver</span>', 2)
        self.assertContains(page, '<span class="time">80.00 ms</span>', 1)
        self.assertContains(page, '<rect x="45.0%" width="5.0%"', 1)
        self.assertContains(page, "<dt>db.system.name</dt><dd>sqlite</dd>", html=True)
        html = page.content.decode()
        for tag in ("ol", "li"):
            self.assertEqual(
                html.count(f"<{tag} ") + html.count(f"<{tag}>"), html.count(f"</{tag}>")
            )

    def test_the_strict_policy_is_kept(self):
        """Bars are drawn without a style of their own, which the policy of the shop forbids."""
        self.write(line(*an_order()))
        html = self.client.get(f"/traces/{TRACE}/").content.decode()
        self.assertIn("<rect", html)
        self.assertNotRegex(html, INLINE)

    def test_nothing_is_trusted(self):
        """Names, attributes and messages are text, whatever they hold."""
        evil = "<img src=x onerror=alert(1)>"
        worst = span(
            1,
            0,
            evil,
            0,
            1,
            attributes={evil: evil, "error.type": evil, "url.path": evil},
            kind=2,
            **failed(events=[exception(evil, evil), {"name": evil}]),
        )
        self.write(line(worst))
        for path in ("/traces/", f"/traces/{TRACE}/"):
            page = self.client.get(path)
            self.assertContains(page, "&lt;img src=x")
            self.assertNotContains(page, "<img")

    def test_broken_lines_are_told(self):
        """Both pages say how many lines they could not read."""
        self.write(line(*an_order()), b"{broken\n", b"}" + TRACE.encode())
        self.assertContains(self.client.get("/traces/"), "2 lines of the file could not be read")
        page = self.client.get(f"/traces/{TRACE}/")
        self.assertContains(page, "1 line of the file could not be read, and was skipped")

    def test_a_trace_that_is_gone(self):
        """A trace that is not there says so, with a way back."""
        for trace_id in (TRACE, "no-id"):
            page = self.client.get(f"/traces/{trace_id}/")
            self.assertContains(page, "This trace is not here", status_code=404)
            self.assertContains(page, 'href="/traces/"', status_code=404)

    def test_part_of_a_trace(self):
        """A trace of which a part is missing says so."""
        self.write(line(*an_order()[1:]))
        self.assertContains(self.client.get("/traces/"), "not whole")
        self.assertContains(self.client.get(f"/traces/{TRACE}/"), "This trace is not whole")

    def test_a_long_trace(self):
        """Of a trace with very many spans the first are shown, and the others counted."""
        spans = [span(number, 1, "work", number, 1) for number in range(2, MOST_ROWS + 12)]
        self.write(line(span(1, 0, "GET", 0, 9_999, kind=2), *spans))
        self.assertContains(self.client.get(f"/traces/{TRACE}/"), "11 more rows are not shown")

    def test_throwing_away(self):
        """The button under the list throws both files away."""
        self.write(line(*an_order()))
        earlier(self.path).write_bytes(line(*an_order()))
        self.assertRedirects(self.client.post("/traces/"), "/traces/")
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_only_in_the_demo(self):
        """On a server that is not a demo nobody sees traces, nor throws them away."""
        self.write(line(*an_order()))
        with override_settings(DEMO=False):
            for response in (
                self.client.get("/traces/"),
                self.client.get(f"/traces/{TRACE}/"),
                self.client.post("/traces/"),
            ):
                self.assertEqual(response.status_code, 404)
        self.assertTrue(self.path.exists())

    @override_settings(WITH_TELEMETRY=False, TELEMETRY_MISSING=["opentelemetry-sdk"])
    def test_not_installed(self):
        """Without OpenTelemetry the pages and the guide say what is not installed."""
        self.assertContains(self.client.get("/traces/"), "<code>opentelemetry-sdk</code>")
        self.assertContains(self.client.get("/guide/"), "Not installed: opentelemetry-sdk")

    @override_settings(WITH_TELEMETRY=False, TELEMETRY_MISSING=[])
    def test_switched_off(self):
        """Where it is switched off, the pages and the guide say so."""
        for path in ("/traces/", "/guide/"):
            self.assertContains(self.client.get(path), "SHOP_TELEMETRY=0")
