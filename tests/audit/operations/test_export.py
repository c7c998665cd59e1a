"""What an export holds, in both formats, and that it is noted."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections import deque
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector.audit.models import AuditedDispatch, Operation, OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.export import (
    Csv,
    Format,
    JsonLines,
    Stream,
    chunks,
    escaped,
)
from signal_inspector.audit.search.entries import Reader, Wanted
from signal_inspector.audit.search.selection import Selection, read_selection
from tests.audit.management.made import made, put
from tests.audit.rows_made import on_order, on_order_badly

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
        assert line["id"] == str(id_)
        assert (line["signal"], line["method"]) == ("shop.order_placed", "send_robust")
        assert (line["outcome"], line["is_failed"]) == ("returned", True)
        assert (line["actor"], line["objects"]) == ("auth.User:7", ["shop.Order:42"])
        assert line["payload"] == {"amount": 5}
        assert [call["receiver"].rpartition(".")[2] for call in line["calls"]] == [
            "on_order",
            "on_order_badly",
        ]
        assert line["calls"][0]["response"] == "done"
        assert line["calls"][1]["message"] == "no stock"
        assert "ValueError" in line["calls"][1]["traceback"]

    def test_hostile(self) -> None:
        """Whatever texts hold, there is a line for each dispatch, and each line is JSON."""
        put(*[made(signal=text, text=text) for text in HOSTILE])
        lines = json_lines()
        assert len(lines) == len(HOSTILE)
        assert {line["signal"] for line in lines} >= {"+1", "=cmd|' /C calc'!A0", "<script>"}

    @pytest.mark.parametrize("damaged", ["no json", "[NaN]", "1e999", "[" * 100_000, '"\\ud800"'])
    def test_damaged_payload(self, damaged: str) -> None:
        """A payload that is no JSON is told as it is; half of a pair stays escaped."""
        put(made())
        AuditedDispatch.objects.update(payload=damaged)
        (line,) = json_lines()
        assert line["payload"] == ("\ud800" if damaged == '"\\ud800"' else damaged)

    def test_order(self) -> None:
        """The oldest comes first, however many chunks there are."""
        ids = put(*[made(timedelta(minutes=700 - number)) for number in range(700)])
        assert [line["id"] for line in json_lines()] == [str(id_) for id_ in ids]

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
    assert line["started_at"] == "2026-07-01T10:30:00.000120+00:00"
    assert datetime.fromisoformat(line["written_at"]).tzinfo is not None


@override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin")
def test_times_without_zones() -> None:
    """Without USE_TZ they are the same, also in the hour that comes twice in autumn."""
    hours = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    put(*[made(at=hour) for hour in hours])
    started = [datetime.fromisoformat(line["started_at"]) for line in json_lines()]
    assert [abs(found - hour) < timedelta(seconds=1) for found, hour in zip(
        started, hours, strict=True)] == [True, True]  # fmt: skip


class TestSelection:
    def test_filters(self) -> None:
        """What the admin's search finds is what is exported."""
        wanted = made(failed=True, actor="auth.User:7", objects=["shop.Order:42"])
        put(wanted, made(failed=True), made(actor="auth.User:7"), made(objects=["shop.Order:42"]))
        asked = {"outcome": "failed", "actor": "auth.User:7", "object": "shop.Order:42"}
        assert [line["id"] for line in json_lines(read_selection(asked))] == [wanted.id]

    def test_period(self) -> None:
        """Only the days that are asked for are exported."""
        put(*[made(at=datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (1, 2, 3)])
        lines = json_lines(read_selection({"day": "2026-03-02"}))
        assert [line["started_at"][:10] for line in lines] == ["2026-03-02"]

    def test_glob(self) -> None:
        """A glob on signals takes those it matches, and none where it matches none."""
        put(made(signal="shop.a"), made(signal="shop.b"), made(signal="crm.c"))
        assert {line["signal"] for line in json_lines(signal_glob="shop.*")} == {
            "shop.a",
            "shop.b",
        }
        assert json_lines(signal_glob="none.*") == []


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
        assert "Not complete" in operation.detail
        assert operation.ended_at is not None

    def test_never_begun(self) -> None:
        """A response that is closed before its first byte ends the operation, too."""
        operation = RunningOperation(OperationKind.EXPORT, "a test").begin()
        form = JsonLines(payloads=True)
        Stream(chunks(Wanted(selection=Selection()), form, operation), operation).close()
        assert "never begun" in Operation.objects.get().detail

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
