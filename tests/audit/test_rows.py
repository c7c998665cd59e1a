"""``signal_inspector.audit.rows`` and ``payloads``: what is kept, and that it can be kept."""

from __future__ import annotations

import enum
import json
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.dispatch import Signal
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector import capture
from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.models import Method, Unseen
from signal_inspector.audit.payloads import (
    carried_objects,
    payload_text,
    read_payload,
    read_response,
    response_text,
)
from signal_inspector.audit.rows import Rows, in_ascii, read_caller
from signal_inspector.audit.sanitize import INTEGER, LARGEST, bounded
from signal_inspector.audit.settings import Policy
from signal_inspector.conf import get_config
from signal_inspector.core.record.values import Caller, Summary
from signal_inspector.payload import Redactor, summarize_arguments
from tests.audit.rows_made import (
    FULL,
    dispatched,
    on_order,
    on_order_badly,
    rows_of,
    values,
)
from tests.listening import Chained

HOSTILE = ["a\0b", "\ud800", "\udfff" * 600, "é\u202e", "🦊" * 3_000, "'; DROP TABLE x; --", "\\N"]


class Color(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: object
    y: object


def summarized(**arguments: Any) -> dict[str, Summary]:
    return summarize_arguments(arguments, get_config().limits, Redactor(()))[0]


def policy(**changes: Any) -> Policy:
    known = {name: getattr(FULL, name) for name in FULL.__dataclass_fields__}
    return Policy(**{**known, **changes})


class TestPayload:
    def test_plain_values_stand_for_themselves(self) -> None:
        """What JSON holds exactly is written as it is, by the order of the names."""
        text = payload_text(summarized(b=True, a=None, f=1.5, i=-3, s='"é'))
        assert text == '{"a":null,"b":true,"f":1.5,"i":-3,"s":"\\"é"}'

    def test_the_order_of_arguments_is_no_difference(self) -> None:
        """Equal arguments have equal text, in whatever order they were given."""
        one = payload_text(summarized(order=1, note="x", items=[1, {"k": 2}]))
        assert one == payload_text(summarized(items=[1, {"k": 2}], note="x", order=1))

    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, 0, -1, 2**63 - 1, -(2**63), 2**64, 10**30, 0.1, -0.0, "", "x", "'\"\\"),
            *(Decimal("12.50"), Decimal("NaN"), date(2026, 11, 22), time(10, 14), timedelta(1)),
            *(datetime(2026, 11, 22, 10, 14, 7, 1, tzinfo=UTC), datetime(2026, 1, 1)),
            *(UUID(int=7), Color.RED, Point(1, Point(2, "x")), {"a": {"b": [1]}}, [], {1, 2}),
            *(float("nan"), float("inf"), "x" * 5_000, 10**3_000, list(range(500)), b"secret"),
            *(User(pk=7), User(), User, {"password": "x"}, object(), [User(pk=8), [User(pk=9)]]),
            *HOSTILE,
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_nothing_of_a_summary_is_lost(self, value: object) -> None:
        """What is read back is what was summarized: kind, type, text, value, items, cuts."""
        payload = summarized(value=value)
        text = payload_text(payload)
        assert text.encode()
        assert "\0" not in text
        assert read_payload(text) == payload
        assert read_response(response_text(payload["value"])) == payload["value"]

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        )
    )
    def test_any_plain_value_comes_back(self, value: object) -> None:
        """Whatever JSON-like value an argument has, its summary survives the text."""
        payload = summarized(value=value)
        text = payload_text(payload)
        assert read_payload(text) == payload
        assert payload_text(read_payload(text)) == text

    def test_a_secret_stays_marked_as_one(self) -> None:
        """A redacted argument is told to be redacted, so nobody runs a retry without it."""
        text = payload_text(summarized(password="hunter2", card="4111 1111 1111 1111"))
        assert "hunter2" not in text
        assert "4111" not in text
        assert [summary.kind for summary in read_payload(text).values()] == ["redacted"] * 2

    def test_objects_alone(self) -> None:
        """With "objects" model instances are kept, and of the rest the name and the type."""
        payload = summarized(order=User(pk=7), note="private", many=[User(pk=8), "private"])
        text = payload_text(payload, "objects")
        assert "private" not in text
        read = read_payload(text)
        assert read["order"] == payload["order"]
        assert (read["note"].kind, read["note"].type) == ("withheld", "str")
        assert [item.kind for _, item in read["many"].items] == ["model", "withheld"]

    @pytest.mark.parametrize("text", ["[]", "3", '{"a":[]}', '{"a":{}}', '{"a":{"kind":1}}', "{"])
    def test_foreign_text_is_refused(self, text: str) -> None:
        """Text that is none of ours is a ValueError."""
        with pytest.raises(ValueError, match=r".+"):
            read_payload(text)

    def test_text_too_deep_to_be_read_is_refused(self) -> None:
        """Text that is nested deeper than Python can read is a ValueError too."""
        deep = "[" * 200_000
        with pytest.raises(ValueError, match="This is not a payload of the audit"):
            read_payload(deep)
        with pytest.raises(ValueError, match="This is not a payload of the audit"):
            read_response(deep)

    def test_nothing_kept(self) -> None:
        """Where no payload was kept there are no arguments to read."""
        assert payload_text(summarized(a=1), "none") == ""
        assert read_payload("") == {}
        assert read_response("") is None


def test_who_sent() -> None:
    """The line that sent and the project's are names of one kind."""
    rows = rows_of(dispatched(on_order))
    [caller, project] = values(rows, "caller_id", "project_caller_id")
    assert caller == project
    assert re.fullmatch(r"tests/audit/rows_made\.py:\d+ dispatched", project)


@pytest.mark.parametrize(
    ("text", "path", "line", "function"),
    [
        ("shop/services.py:131 place_order", "shop/services.py", 131, "place_order"),
        ("/srv/my shop/a.py:1 A.<locals>.b", "/srv/my shop/a.py", 1, "A.<locals>.b"),
        ("shop/a.py f", "shop/a.py", 0, "f"),
        ("shop/a.py:7", "shop/a.py", 7, ""),
        ("<string>:1 <module>", "<string>", 1, "<module>"),
        ("x:² f", "x:²", 0, "f"),
        (f"x:{2**64} f", f"x:{2**64}", 0, "f"),
        (" f", "", 0, "f"),
        ("", "", 0, ""),
    ],
)
def test_read_caller(text: str, path: str, line: int, function: str) -> None:
    """The caller is read back from its name; what is no line number is part of the path."""
    assert read_caller(text) == Caller(path, line, function)


class TestObjects:
    def test_objects_in_collections_count(self) -> None:
        """Saved instances are found wherever the payload shows them, each once."""
        rows = rows_of(dispatched(on_order, a=User(pk=7), b=[User(pk=8), {"x": User(pk=7)}]))
        assert [(row[0], row[1]) for row in rows.objects] == [
            ("auth.User", "7"),
            ("auth.User", "8"),
        ]

    def test_what_has_no_key_is_no_object(self) -> None:
        """An unsaved instance, a class, a text that looks like a key: none of them is found."""
        payload = summarized(a=User(), b=User, c="auth.User:7", d=Summary)
        assert list(carried_objects(payload)) == []

    def test_a_key_that_was_cut_is_none(self) -> None:
        """A key that is not whole would lead to another object, so it is left out."""
        payload = summarized(a=User(pk="x" * 500))
        assert list(carried_objects(payload)) == []


class TestRender:
    def test_a_failure(self) -> None:
        """Failed receivers are counted, and told with exception, message and traceback."""
        rows = rows_of(dispatched(on_order, on_order_badly))
        assert list(
            values(rows, "is_failed", "receiver_count", "failed_count", "skipped_count")
        ) == [1, 2, 1, 0]
        call = rows.calls[1]._asdict()
        assert call["exception_id"] == "ValueError"
        assert call["message"] == "no stock"
        assert "on_order_badly" in call["traceback"]
        assert call["location_id"].startswith("tests/audit/rows_made.py:")
        assert call["offset_ns"] >= rows.calls[0].offset_ns + rows.calls[0].duration_ns

    def test_skipped_receivers(self) -> None:
        """With send() those behind the failure are skipped, and were never started."""
        signal = Signal()
        for receiver in (on_order_badly, on_order):
            signal.connect(receiver)
        with capture() as dispatches, pytest.raises(ValueError, match="no stock"):
            signal.send(None)
        rows = rows_of(dispatches[0])
        assert list(values(rows, "failed_count", "skipped_count")) == [1, 1]
        assert rows.calls[1].offset_ns is None

    def test_circumstances(self) -> None:
        """Actor, request, origin and client are those of the circumstances when it is rendered."""
        around = Circumstances(request_id="r-1", client="192.0.2.1", origin_name="POST /x/")
        dispatch = dispatched(on_order)
        around.take_actor(User(pk=7, username="mira"))
        rows = rows_of(dispatch, around)
        assert list(
            values(rows, "actor", "actor_label", "request_id", "client", "origin_name")
        ) == ["auth.User:7", "mira", "r-1", "192.0.2.1", "POST /x/"]

    def test_a_method_of_a_subclass_s_own(self) -> None:
        """Its name is kept, and that its receivers were not seen."""
        signal = Chained()
        signal.connect(on_order)
        with capture() as dispatches:
            signal.send_chained(None, 1)
            signal.send(None)
        names = ("method", "own_method", "unseen", "receiver_count")
        assert [tuple(values(rows_of(each), *names)) for each in dispatches] == [
            (Method.OWN, "send_chained", Unseen.UNTOLD, 1),
            (Method.SEND, "", Unseen.PUT_OFF, 0),
        ]

    def test_what_is_known_by_time_only(self) -> None:
        """That the receiver, or the queries, are known by time is kept with them."""
        dispatch = dispatched(on_order)
        dispatch.by_time = True
        dispatch.tally(0).by_time = 2
        rows = rows_of(dispatch)
        assert list(values(rows, "by_time")) == [1]
        assert rows.calls[0].queries_by_time == 2

    def test_absent_is_null(self) -> None:
        """What is looked for by an index is null where there is none: not one long empty list."""
        rows = rows_of(dispatched(on_order))
        names = ("actor", "request_id", "trace_id", "parent_id", "transaction_id", "client")
        assert list(values(rows, *names)) == [None] * 6

    def test_the_policy_is_obeyed(self) -> None:
        """Payload, responses and tracebacks are kept where the policy of the signal says so."""
        dispatch = dispatched(on_order, on_order_badly, order=User(pk=7))
        less = policy(payload="none", responses=False, tracebacks=False)
        rows = rows_of(dispatch, policy=less)
        assert list(values(rows, "payload")) == [""]
        assert rows.objects == []
        assert [(call.traceback, call.response) for call in rows.calls] == [("", ""), ("", "")]
        assert rows.calls[1].message == "no stock"
        more = rows_of(dispatch)
        assert read_response(more.calls[0].response) is not None
        assert more.calls[1].traceback

    def test_rows_survive_a_file(self) -> None:
        """Rows come back whole from JSON, so that a delivery may keep or send them."""
        rows = rows_of(dispatched(on_order, on_order_badly, order=User(pk=7), x=2**70))
        back = Rows.read(json.loads(json.dumps(rows)))
        assert back.id == rows.id
        assert back == rows
        assert back.dispatch.payload == rows.dispatch.payload

    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_hostile_text_is_storable(self, hostile: str) -> None:
        """Whatever the text, every column holds valid UTF-8 without NUL."""

        def failing(sender: object, **kwargs: Any) -> None:
            raise RuntimeError(hostile)

        around = Circumstances(request_id=hostile, origin_name=hostile)
        around.take_actor(hostile)
        dispatch = dispatched(failing, note=hostile, many={hostile: [hostile]})
        rows = rows_of(dispatch, around)
        texts = [each for row in (rows.dispatch, *rows.calls) for each in row if type(each) is str]
        assert len(texts) > 10
        for text in texts:
            assert "\0" not in text
            assert text.encode().decode() == text

    def test_numbers_fit(self) -> None:
        """A number beyond its column becomes the nearest that fits."""
        assert bounded(10**30) == LARGEST
        assert bounded(-(10**30)) == -LARGEST
        assert bounded(2**40, INTEGER) == INTEGER
        assert bounded(7) == 7

    def test_ascii_keeps_what_the_payload_says(self) -> None:
        """With escapes for everything else the payload still reads the same."""
        rows = rows_of(dispatched(on_order, note="Zoë 🦊"))
        plain = in_ascii(rows)
        (text,) = values(plain, "payload")
        assert text.isascii()
        assert read_payload(text) == read_payload(next(values(rows, "payload")))
