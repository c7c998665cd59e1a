"""What an export holds, in both formats, and that it is noted."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections import deque
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.dispatch import Signal
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector import Dispatch, capture
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Operation, OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.export import (
    Csv,
    Format,
    JsonLines,
    Stream,
    chunks,
    escaped,
)
from signal_inspector.audit.rows import DISPATCH_COLUMNS
from signal_inspector.audit.search.entries import Reader, Wanted, shown
from signal_inspector.audit.search.selection import Selection, read_selection
from tests.audit.management.made import made, put
from tests.audit.rows_made import on_order, on_order_badly, rows_of
from tests.test_dispatch_schema import SCHEMA, wrong

pytestmark = pytest.mark.django_db

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    'a "quoted", text',
    "two\r\nlines",
    "\x00nul",
    "\ud800 alone",
    "a\u2028b\u2029c\x85d",
    "\uff1dwide",
    "<script>",
]


def exported(form: Format, selection: Selection | None = None, **wanted: Any) -> bytes:
    asked = Wanted(selection=selection or Selection(), payloads=form.payloads, **wanted)
    return b"".join(chunks(asked, form, RunningOperation(OperationKind.EXPORT, "a test").begin()))


def json_lines(selection: Selection | None = None, **wanted: Any) -> list[dict[str, Any]]:
    data = exported(JsonLines(payloads=True), selection, **wanted)
    return [json.loads(line) for line in data.decode().splitlines()]


def dispatches(selection: Selection | None = None, **wanted: Any) -> list[dict[str, Any]]:
    """What the lines have of dispatches, without their contexts."""
    return [line["dispatch"] for line in json_lines(selection, **wanted)]


def csv_rows(*, payloads: bool = True) -> list[dict[str, str]]:
    text = exported(Csv(payloads=payloads)).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


class TestJsonLines:
    def test_holds_all(self) -> None:
        """A line has the names, words, times, objects, arguments and calls of its dispatch."""
        (id_,) = put(
            made(
                receivers=[on_order, on_order_badly],
                objects=["shop.Order:42"],
                actor="auth.User:7",
                amount=5,
            )
        )
        (line,) = json_lines()
        assert wrong(line, SCHEMA) == []
        told, context = line["dispatch"], line["context"]
        assert told["id"] == str(id_)
        assert (told["signal"], told["method"]) == ("shop.order_placed", "send_robust")
        assert (told["outcome"], context["is_failed"]) == ("returned", True)
        assert (context["actor"], context["objects"]) == ("auth.User:7", ["shop.Order:42"])
        assert told["payload"]["amount"] == {
            "kind": "plain",
            "type": "int",
            "text": "5",
            "value": 5,
        }
        assert [call["receiver"].rpartition(".")[2] for call in told["calls"]] == [
            "on_order",
            "on_order_badly",
        ]
        assert told["calls"][0]["response"]["value"] == "done"
        failure = told["calls"][1]["failure"]
        assert failure["message"] == "no stock"
        assert "ValueError" in failure["traceback"]

    def test_is_what_was_recorded(self) -> None:
        """What a line has of a dispatch is what its record has, and is read as such."""
        signal = Signal()
        signal.connect(on_order, weak=False)
        signal.connect(on_order_badly, weak=False)
        signal.connect(on_order, weak=False, dispatch_uid="skipped")
        with capture() as captured, suppress(ValueError):
            signal.send("the till", order=Group(pk=42), lines=[1, "two", None], at=[{"a": 1.5}])
        put(rows_of(captured[0]))
        recorded, (told,) = captured[0].as_dict(), dispatches()
        assert Dispatch.from_dict(told).as_dict() == told
        # How its transaction ended is told after it, and the rest is not kept.
        not_kept = {"start_ns", "stack", "not_called", "in_transaction", "rolled_back"}
        assert {*recorded} - {*told} <= not_kept
        calls, kept_calls = recorded.pop("calls"), told.pop("calls")
        assert {key: recorded[key] for key in told if "caller" not in key} == {
            key: value for key, value in told.items() if "caller" not in key
        }
        for call, kept in zip(calls, kept_calls, strict=True):
            assert {**call, "path": ""} == {**kept, "path": ""}

    def test_no_column_is_left_out(self) -> None:
        """The record and its context have all that a row has."""
        (id_,) = put(made())
        others = {"parent_id": id_, "transaction_id": id_, "client": "203.0.113.9"}
        texts = {"origin_name": "x", "actor_label": "x", "span_id": "1" * 16}
        fields = AuditedDispatch._meta.concrete_fields
        full = {field.attname: 1 for field in fields if field.null} | others | texts
        AuditedDispatch.objects.update(**full)
        (line,) = json_lines()
        missing = {*map(shown, DISPATCH_COLUMNS)} - {*line["dispatch"], *line["context"]}
        # The first is the method; of the others the numbers here are no names.
        assert missing == {"own_method", "caller", "project_caller"}

    def test_hostile(self) -> None:
        """Whatever texts hold, there is a line for each dispatch, and each line is JSON."""
        put(*[made(signal=text, text=text) for text in HOSTILE])
        lines = dispatches()
        assert len(lines) == len(HOSTILE)
        assert {line["signal"] for line in lines} >= {"+1", "=cmd|' /C calc'!A0", "<script>"}

    @pytest.mark.parametrize(
        "damaged",
        [
            "no json",
            "[NaN]",
            "1e999",
            "[" * 100_000,
            '"\\ud800"',
            '{"a":' * 300 + "1" + "}" * 300,
            '{"a":{"kind":"plain","type":"float","value":NaN}}',
            '{"a":{"kind":7,"type":"x","text":"x"}}',
            '{"a":{"kind":"collection","type":"x","text":"x","items":[[1,2]]}}',
        ],
    )
    def test_damaged_payload(self, damaged: str) -> None:
        """A payload or response that is none of ours is told as it is, in the context."""
        put(made())
        is_text = damaged == '"\\ud800"'  # which a response may be, and stays escaped
        AuditedDispatch.objects.update(payload=damaged)
        AuditedCall.objects.update(response=damaged.replace('{"a":', '{"kind":', 1))
        (line,) = json_lines()
        assert wrong(line, SCHEMA) == []
        assert "payload" not in line["dispatch"]
        assert ("response" in line["dispatch"]["calls"][0]) is is_text
        assert line["context"]["unreadable_payload"] == damaged
        assert ("0" in line["context"].get("unreadable_responses", {})) is not is_text

    def test_order(self) -> None:
        """The oldest comes first, however many chunks there are."""
        ids = put(*[made(timedelta(minutes=700 - number)) for number in range(700)])
        assert [line["id"] for line in dispatches()] == [str(id_) for id_ in ids]

    def test_end(self) -> None:
        """What is sent after the export began is not in it."""
        put(made(timedelta(hours=1)), made(timedelta(hours=-1)))
        assert len(json_lines()) == 1


class TestCsv:
    def test_a_line_for_each_call(self) -> None:
        """A call has a line with the columns of its dispatch; without calls there is one, too."""
        put(made(timedelta(1), receivers=[on_order, on_order_badly]), made(receivers=[]))
        first, second, orphan = csv_rows()
        assert (first["id"], first["call_index"]) == (second["id"], "0")
        assert (second["call_index"], second["call_message"]) == ("1", "no stock")
        assert (orphan["receiver_count"], orphan["call_index"]) == ("0", "")

    def test_form(self) -> None:
        """Lines end in CR LF, and each has as many cells as there are names."""
        put(*[made(signal=text, text=text) for text in HOSTILE])
        text = exported(Csv(payloads=True)).decode()
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert text.endswith("\r\n")
        assert {len(row) for row in rows} == {len(Csv(payloads=True).columns)}
        assert len(rows) == len(HOSTILE) + 1

    def test_formulas(self) -> None:
        """No cell begins with what a spreadsheet takes for a formula."""
        put(*[made(signal=text, actor=text, objects=[f"{text}:1"]) for text in HOSTILE])
        cells = [cell for row in csv_rows() for cell in row.values()]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]
        assert "'+1" in cells

    @given(st.text())
    def test_formulas_of_any_text(self, text: str) -> None:
        """An escaped text begins with no formula, and its text can be had back."""
        cell = escaped(text)
        assert not cell.startswith(tuple("=+-@\t\r\n"))
        assert (cell.removeprefix("'")) == text

    def test_nested(self) -> None:
        """Arguments and objects are JSON texts."""
        put(made(objects=["shop.Order:42", "shop.Cart:1"], lines=[1, 2]))
        (row,) = csv_rows()
        assert json.loads(row["objects"]) == ["shop.Cart:1", "shop.Order:42"]
        assert json.loads(row["payload"])["lines"]["kind"] == "collection"

    def test_mark(self) -> None:
        """The mark of UTF-8 stands first where it is asked for."""
        assert exported(Csv(payloads=True, mark=True)).startswith(b"\xef\xbb\xbfid,")


@pytest.mark.parametrize("form", [JsonLines, Csv])
def test_without_payloads(form: type[Format]) -> None:
    """Without payloads no argument, response, message and traceback is in the export."""
    put(made(receivers=[on_order, on_order_badly], note="walnut"))
    data = exported(form(payloads=False)).decode()
    assert "order_placed" in data
    for text in ("walnut", "done", "no stock", "Traceback", "payload,", "message", "traceback"):
        assert text not in data


def test_times() -> None:
    """Times have a time of day with microseconds, and a zone."""
    put(made(at=datetime(2026, 7, 1, 10, 30, 0, 120, tzinfo=UTC)))
    (line,) = json_lines()
    assert line["dispatch"]["started_at"] == "2026-07-01T10:30:00.000120+00:00"
    assert datetime.fromisoformat(line["context"]["written_at"]).tzinfo is not None


@override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin")
def test_times_without_zones() -> None:
    """Without USE_TZ they are the same, also in the hour that comes twice in autumn."""
    hours = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    put(*[made(at=hour) for hour in hours])
    started = [datetime.fromisoformat(line["started_at"]) for line in dispatches()]
    assert [abs(found - hour) < timedelta(seconds=1) for found, hour in zip(
        started, hours, strict=True)] == [True, True]  # fmt: skip


class TestSelection:
    def test_filters(self) -> None:
        """What the admin's search finds is what is exported."""
        wanted = made(failed=True, actor="auth.User:7", objects=["shop.Order:42"])
        put(wanted, made(failed=True), made(actor="auth.User:7"), made(objects=["shop.Order:42"]))
        asked = {"outcome": "failed", "actor": "auth.User:7", "object": "shop.Order:42"}
        assert [line["id"] for line in dispatches(read_selection(asked))] == [wanted.id]

    def test_period(self) -> None:
        """Only the days that are asked for are exported."""
        put(*[made(at=datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (1, 2, 3)])
        lines = dispatches(read_selection({"day": "2026-03-02"}))
        assert [line["started_at"][:10] for line in lines] == ["2026-03-02"]

    def test_glob(self) -> None:
        """A glob on signals takes those it matches, and none where it matches none."""
        put(made(signal="shop.a"), made(signal="shop.b"), made(signal="crm.c"))
        assert {line["signal"] for line in dispatches(signal_glob="shop.*")} == {
            "shop.a",
            "shop.b",
        }
        assert json_lines(signal_glob="none.*") == []

    def test_glob_on_the_end(self) -> None:
        """A glob matches the last parts of a name, too, as in the other commands."""
        put(made(signal="shop.signals.paid"), made(signal="shop.signals.lost"))
        found = [line["signal"] for line in dispatches(signal_glob="signals.p*")]
        assert found == ["shop.signals.paid"]


class TestAct:
    def test_complete(self) -> None:
        """An export is noted with its count and its end."""
        put(made(), made())
        json_lines()
        operation = Operation.objects.get()
        assert (operation.kind, operation.rows, operation.detail) == (
            OperationKind.EXPORT,
            2,
            "a test",
        )
        assert operation.ended_at is not None

    def test_begins_in_the_log(self) -> None:
        """It stands in the log, without an end, before the first byte."""
        RunningOperation(OperationKind.EXPORT, "a test").begin()
        assert Operation.objects.get().ended_at is None

    def test_stopped(self) -> None:
        """An export that nobody takes to its end says so, with what was taken."""
        put(*[made(timedelta(minutes=number)) for number in range(300)])
        operation = RunningOperation(OperationKind.EXPORT, "a test").begin()
        wanted = Wanted(selection=Selection())
        with closing(chunks(wanted, JsonLines(payloads=True), operation)) as parts:
            next(parts)
            next(parts)
        operation = Operation.objects.get()
        assert 0 < operation.rows < 300
        assert "Incomplete" in operation.detail
        assert operation.ended_at is not None

    def test_never_begun(self) -> None:
        """A response that is closed before its first byte ends the operation, too."""
        operation = RunningOperation(OperationKind.EXPORT, "a test").begin()
        form = JsonLines(payloads=True)
        Stream(chunks(Wanted(selection=Selection()), form, operation), operation).close()
        assert "never started" in Operation.objects.get().detail

    def test_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that fails says by what."""
        put(made())

        def fail(self: object, ids: list[UUID]) -> None:
            raise OSError("disk gone")

        monkeypatch.setattr(Reader, "fetch", fail)
        with pytest.raises(OSError, match="disk gone"):
            json_lines()
        assert "OSError disk gone" in Operation.objects.get().detail


def test_gone_meanwhile() -> None:
    """A dispatch that is deleted between two queries is left out."""
    ids = put(made(), made())
    AuditedDispatch.objects.filter(id=ids[0]).delete()
    reader = Reader(Wanted(selection=Selection()))
    assert [entry.id for entry in reader.fetch(ids)] == [ids[1]]


def test_memory() -> None:
    """Five times as many dispatches take no more memory."""

    def peak(count: int) -> int:
        put(*[made(timedelta(minutes=number), note="x" * 150) for number in range(count)])
        wanted = Wanted(selection=Selection())
        operation = RunningOperation(OperationKind.EXPORT, "a test").begin()
        tracemalloc.start()
        try:
            deque(chunks(wanted, Csv(payloads=True), operation), maxlen=0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak(500)
    assert peak(2_000) < 1.5 * few
