"""Arguments from the log: the very same values, or a reason why not; never code by a name."""

from __future__ import annotations

import builtins
import enum
import importlib
import json
import math
import sys
import uuid
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import connection, models, transaction
from django.utils.safestring import mark_safe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signal_inspector.audit.operations import retry_arguments as restoring
from signal_inspector.audit.operations.retry_arguments import Arguments, restore
from signal_inspector.audit.payloads import payload_text
from signal_inspector.conf import Limits
from signal_inspector.payload import Redactor, summarize_arguments
from tests.audit.retry.shop import Channel
from tests.payload_app.models import ExpressOrder, Line, Order, Parcel, RushOrder, Seat, Ticket

LIMITS = Limits(payload_length=10_000)


class Pair(NamedTuple):
    a: int
    b: int


class Level(enum.IntEnum):
    LOW = 1


class Marks(enum.Flag):
    A = 1
    B = 2


class Mine(int):
    pass


def through(value: Any, limits: Limits = LIMITS) -> Arguments:
    """What becomes of an argument that was recorded."""
    payload, dropped = summarize_arguments({"x": value}, limits, Redactor())
    return restore(payload_text(payload), dropped)


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types all the way down, and NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Decimal):
        return str(one) == str(other)
    return bool(one == other)


class TestPlain:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            False,
            0,
            -(2**63),
            2**64,
            -(10**600),
            0.1,
            -0.0,
            1e300,
            math.nan,
            math.inf,
            -math.inf,
            "",
            'it\'s "web"\n',
            Decimal("248.50"),
            Decimal("-0"),
            Decimal("1E+50"),
            Decimal("NaN"),
            date(2026, 11, 22),
            datetime(2026, 11, 22, 10, 14, 7, 410),
            datetime(2026, 11, 22, 10, 14, 7, tzinfo=UTC),
            datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            time(10, 14),
            time(10, 14, tzinfo=UTC),
            timedelta(days=-3, microseconds=7),
            timedelta.max,
            timedelta.min,
            uuid.UUID(int=7),
            Channel.WEB,
            Level.LOW,
            Marks.A,
            [],
            (),
            {},
            [1, [2, (3,)]],
            {"a": {"b": [None]}, "": 1},
            {1, 2},
            frozenset({"a"}),
        ],
    )
    def test_same(self, value: Any) -> None:
        """A plain value comes back as the very same, of the very same type."""
        arguments = through(value)
        assert [each.why_not for each in arguments.each] == [""]
        assert same(arguments.values()["x"], value)

    def test_zone(self) -> None:
        """A time in a named zone comes back as the same moment, with its offset."""
        value = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
        restored = through(value).values()["x"]
        assert restored == value
        assert restored.utcoffset() == timedelta(hours=2)

    @pytest.mark.parametrize(
        "value",
        [
            b"bytes",
            object(),
            object,
            len,
            lambda: None,
            mark_safe("<b>"),
            Mine(7),
            Pair(1, 2),
            OrderedDict(a=1),
            deque([1]),
            PurePosixPath("/tmp"),
            Marks.A | Marks.B,
            Marks(0),
            ValueError("x"),
            10**1_000,
            "x" * 20_000,
            "\ud800",
            {1: 2},
            {None: 1},
            {"a" * 200: 1},
            list(range(100)),
            [[[[["deep"]]]]],
            [{"password": "hunter2"}],
            "Bearer abcdef0123456789abcdef0123456789",
            "4111111111111111",
            [object()],
        ],
    )
    def test_not(self, value: Any) -> None:
        """What the log does not hold exactly does not come back, and says why."""
        arguments = through(value)
        assert not arguments.are_complete
        assert arguments.missing[0].why_not

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=40)
            | st.decimals()
            | st.dates()
            | st.datetimes()
            | st.times()
            | st.timedeltas()
            | st.uuids()
            | st.sampled_from(Channel),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=8), inner, max_size=3)
                | st.tuples(inner, inner)
            ),
            max_leaves=10,
        )
    )
    @settings(max_examples=150, deadline=None)
    def test_same_or_not_at_all(self, value: Any) -> None:
        """Whatever comes back is what went in."""
        arguments = through(value)
        if arguments.are_complete:
            assert same(arguments.values()["x"], value)


class Hiding(models.Manager[Any]):
    def get_queryset(self) -> Any:
        return super().get_queryset().none()


@pytest.mark.django_db
class TestInstances:
    def test_keys(self) -> None:
        """An instance comes back by its key of any kind: number, UUID, text, parent, several."""
        group = Group.objects.create(name="a")
        instances: list[Any] = [
            Order.objects.create(),
            Parcel.objects.create(),
            Ticket.objects.create(code="A: 1, b"),
            ExpressOrder.objects.create(),
            Seat.objects.create(row=3, place="b"),
            group,
        ]
        for instance in instances:
            restored = through(instance).values()["x"]
            assert type(restored) is type(instance)
            assert restored.pk == instance.pk

    def test_other_key(self) -> None:
        """A key that only looks like the one in the database is not it."""
        Ticket.objects.create(code="a")
        order = Order.objects.create()
        for key in (
            "payload_app.Ticket:A",
            f"payload_app.Order:0{order.pk}",
            "payload_app.Order: 1",
        ):
            text = json.dumps({"x": {"kind": "model", "type": "x", "text": key}})
            assert not restore(text, 0).are_complete

    def test_queries(self, django_assert_num_queries: Any) -> None:
        """However many instances there are, one query reads those of a model."""
        orders = [Order.objects.create() for _ in range(15)]
        payload, _ = summarize_arguments({"x": orders, "y": orders[0]}, LIMITS, Redactor())
        text = payload_text(payload)
        with transaction.atomic(), django_assert_num_queries(3):  # two are for the savepoint
            arguments = restore(text, 0)
        assert arguments.objects == 15
        values = arguments.values()
        assert values["x"][0] is values["y"]

    def test_proxy(self) -> None:
        """An instance of a proxy comes back as one, though the log has the key of its model."""
        order = RushOrder.objects.create(number="A1")
        argument = through(order).each[0]
        assert argument.text == f"payload_app.Order:{order.pk}"
        assert type(argument.value) is RushOrder
        assert argument.value.pk == order.pk

    def test_hidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A default manager that hides rows hides nothing here."""
        order = Order.objects.create()
        hiding = Hiding()
        hiding.model = Order
        monkeypatch.setattr(Order._meta, "default_manager", hiding)
        assert not Order._default_manager.exists()
        assert through(order).are_complete

    def test_gone(self) -> None:
        """One that was deleted says so."""
        line = Line.objects.create(order=Order.objects.create())
        Line.objects.filter(pk=line.pk)._raw_delete("default")
        why = through(line).missing[0].why_not
        assert why == f"payload_app.Line:{line.pk} is not in the database 'default'"

    def test_failing_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A model whose own code fails when it is read says so; the transaction stays whole."""
        order = Order.objects.create()

        def refuse(*_: Any, **__: Any) -> None:
            connection.cursor().execute("SELECT * FROM no_such_table")

        monkeypatch.setattr(Order, "from_db", classmethod(refuse))
        why = through(order).missing[0].why_not
        monkeypatch.undo()
        assert why.startswith("reading payload_app.Order from 'default' failed: ")
        assert Order.objects.count() == 1

    @pytest.mark.parametrize(
        "key",
        [
            "payload_app.Order",
            "payload_app.Order:",
            "payload_app.Order:x",
            "payload_app.Order:" + "9" * 5_000,
            "payload_app.Order:9223372036854775808",
            "payload_app.Parcel:x",
            "payload_app.Seat:(3)",
            "payload_app.Seat:(3, b, c)",
            "payload_app.Seat:",
            "payload_app.Ticket:\0",
            "nothing.Order:1",
            "Order:1",
            "a.b.c:1",
            ":1",
            "os.system:ls",
            "signal_audit.Nothing:1",
        ],
    )
    def test_hostile_keys(self, key: str) -> None:
        """A key that cannot be one is no instance, and breaks nothing."""
        text = json.dumps({"x": {"kind": "model", "type": "x", "text": key}})
        arguments = restore(text, 0)
        assert arguments.missing
        assert Order.objects.count() == 0

    @pytest.mark.parametrize("alias", ["nowhere", "", "default; DROP TABLE x", 7, ["default"]])
    def test_hostile_alias(self, alias: Any) -> None:
        """A database that is none is told to be none; a number is none of a database's."""
        order = Order.objects.create()
        summary = {"kind": "model", "type": "x", "text": f"payload_app.Order:{order.pk}"}
        arguments = restore(json.dumps({"x": {**summary, "value": alias}}), 0)
        assert arguments.are_complete is (type(alias) is int)


class TouchedError(BaseException):
    """Not an Exception, so that nothing in between can catch it by accident."""


def restored(text: str, dropped: int = 0) -> Arguments:
    """``restore``; whoever imports, evaluates or executes anything meanwhile fails the test."""

    def touched(*arguments: Any, **_: Any) -> None:
        raise TouchedError(arguments)

    original = builtins.__import__

    def imports(name: str, *rest: Any, **more: Any) -> Any:
        return original(name, *rest, **more) if name in sys.modules else touched(name)

    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "__import__", imports)
        patch.setattr(importlib, "import_module", touched)
        for name in ("eval", "exec", "compile"):
            patch.setattr(builtins, name, touched)
        arguments = restore(text, dropped)
    assert set(sys.modules) == before
    return arguments


KINDS = st.sampled_from(
    ["plain", "model", "collection", "object", "redacted", "withheld", "unreadable", "", "x"]
)
NAMES = st.sampled_from(
    [
        *("int", "str", "float", "bool", "NoneType", "list", "dict", "tuple", "set", "frozenset"),
        *("decimal.Decimal", "datetime.datetime", "datetime.timedelta", "uuid.UUID"),
        *("os.system", "antigravity", "this.s", "subprocess.Popen", "tests.audit.retry.shop"),
        *("tests.audit.retry.shop.Channel", "enum.Enum", "payload_app.Order:1", "a.b:c"),
        *("builtins.eval", "__main__.x", "auth.User:1", "sys.modules", "typing.NoReturn"),
    ]
) | st.text(max_size=30)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | NAMES
    | st.lists(NAMES, max_size=2)
    | st.dictionaries(NAMES, NAMES, max_size=2)
)
SUMMARIES = st.recursive(
    VALUES,
    lambda inner: st.fixed_dictionaries(
        {"kind": KINDS | VALUES, "type": NAMES | VALUES},
        optional={
            "text": NAMES | VALUES,
            "value": VALUES,
            "truncated": VALUES,
            "items": st.lists(st.tuples(NAMES | VALUES, inner), max_size=3) | VALUES,
        },
    ),
    max_leaves=8,
)


@pytest.mark.django_db
class TestHostileText:
    @given(st.dictionaries(NAMES, SUMMARIES, max_size=3))
    @settings(
        max_examples=300,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_any_payload(self, data: dict[str, Any]) -> None:
        """Restoring whatever JSON never raises, imports, evaluates or executes anything."""
        arguments = restored(json.dumps(data), 0)
        assert arguments.fault or len(arguments.each) == len(data)

    @given(st.text(), st.integers(-1, 3))
    @settings(
        max_examples=200,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_any_text(self, text: str, dropped: int) -> None:
        """Nor does restoring whatever text."""
        arguments = restored(text, dropped)
        assert arguments.fault or not arguments.each

    @pytest.mark.parametrize(
        "text",
        [
            "[" * 100_000,
            '{"x":' * 100_000,
            '{"x":' + "[" * 50_000 + "]" * 50_000 + "}",
            '{"x":' + "9" * 100_000 + "}",
            '{"x":1e999}',
            '{"x":NaN}',
            '{"x":[1]}',
            "[]",
            "null",
            '"x"',
            '{"x":{"kind":"plain","type":"int","value":"' + "9" * 100_000 + '"}}',
            '{"x":{"kind":"plain","type":"decimal.Decimal","value":"1e99999999999999999999"}}',
        ],
    )
    def test_bombs(self, text: str) -> None:
        """Text that is deep, long or out of range is refused."""
        assert not restored(text, 0).are_complete

    def test_nested(self) -> None:
        """Collections nested deeper than any record are refused."""
        text = '{"kind":"plain","type":"int","text":"1","value":1}'
        for _ in range(60):
            text = '{"kind":"collection","type":"list","text":"","items":[["0",' + text + "]]}"
        fault = restored('{"x":' + text + "}", 0).fault
        assert fault == "its recorded arguments cannot be read"

    def test_many(self) -> None:
        """More values than a record holds are refused before anything is looked for."""
        item = '["0",{"kind":"model","type":"x","text":"payload_app.Order:1"}]'
        items = ",".join([item] * (restoring._MOST_VALUES + 1))
        text = '{"x":{"kind":"collection","type":"list","text":"","items":[' + items + "]}}"
        assert restored(text, 0).fault == "it has too many values"

    @pytest.mark.parametrize("name", ["signal", "sender", "a b", "", "1", "a.b"])
    def test_names(self, name: str) -> None:
        """No argument takes the place of signal or sender, or has a name that is none."""
        assert restored(json.dumps({name: 1}), 0).missing

    def test_not_kept(self) -> None:
        """Where no arguments were kept that is the reason; where there were none it is fine."""
        assert restored("", 0).fault == "its arguments were not kept"
        assert restored("{}", 0).are_complete

    @pytest.mark.parametrize(
        "path",
        ["enum.Enum", "re.RegexFlag.A", "tests.audit.retry.shop.Channel.WEB", "os.system"],
    )
    @pytest.mark.parametrize("member", ["name", "WEB", "__class__", "_member_map_", "mro"])
    def test_enum(self, path: str, member: str) -> None:
        """Only a member of a loaded Enum is one: no attribute is ever looked up."""
        text = json.dumps({"x": {"kind": "plain", "type": path, "value": member}})
        assert restored(text, 0).missing

    def test_lazy_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A module that imports on demand is not asked for what it does not hold."""
        import tests.audit.retry.shop as shop

        def touched(name: str) -> None:
            raise TouchedError(name)

        monkeypatch.setattr(shop, "__getattr__", touched, raising=False)
        name = "tests.audit.retry.shop.Lazy"
        text = json.dumps({"x": {"kind": "plain", "type": name, "value": "A"}})
        assert restored(text, 0).missing
