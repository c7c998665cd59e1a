"""Summaries of arguments and responses: what they say, and what they never do."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import gc
import io
import json
import math
import sys
import threading
import uuid
import weakref
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NoReturn
from unittest.mock import MagicMock, Mock
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound, QueryDict
from django.test import RequestFactory
from django.utils.duration import duration_iso_string
from django.utils.functional import SimpleLazyObject, lazy
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Summary
from signal_inspector.display.text import arguments
from signal_inspector.payload import (
    Redactor,
    clean_text,
    summarize,
    summarize_arguments,
)
from signal_inspector.payload.collection_values import _snapshot
from signal_inspector.payload.summaries import MAX_NODES
from tests.listening import OwnName
from tests.payload_app.models import (
    AccessToken,
    ExpressOrder,
    Line,
    Order,
    Parcel,
    RushOrder,
    Seat,
    Ticket,
)

LIMITS = Limits()
REDACTOR = Redactor()


class TouchedError(BaseException):
    """Not an Exception, so that nothing in between can catch it by accident."""


def touched(*_: object, **__: object) -> NoReturn:
    raise TouchedError


DUNDERS = (
    "__repr__ __str__ __len__ __iter__ __next__ __eq__ __ne__ __hash__ __bool__ __getattribute__"
    " __getattr__ __getitem__ __contains__ __format__ __int__ __index__ __float__ __call__"
    " __lt__ __reversed__ __fspath__ __await__ __aiter__ __enter__ __copy__ __reduce__"
)


def by_type(value: object) -> str:
    return type(value).__name__


def summary_of(value: object, **limits: int) -> Summary:
    return summarize(value, Limits(**limits), REDACTOR)


def text_of(value: object, **limits: int) -> str:
    return summary_of(value, **limits).text


def items_of(value: object, **limits: int) -> dict[str, str]:
    return {key: item.text for key, item in summary_of(value, **limits).items}


class Color(enum.Enum):
    RED = "a value that is not shown"

    def __str__(self) -> str:
        raise TouchedError


class Channel(models.TextChoices):
    WEB = "web", "On the web"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    LOW = 1


@dataclasses.dataclass
class Address:
    street: str
    pin: str = "1234"
    notes: str = dataclasses.field(default="", repr=False)

    @property
    def city(self) -> str:
        raise TouchedError


@dataclasses.dataclass(slots=True)
class Money:
    amount: Decimal
    currency: str = "EUR"


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped kind is what is tested
Login = namedtuple("Login", "user password")  # noqa: PYI024


class OddZone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        raise TouchedError


class TestPlainValues:
    @pytest.mark.parametrize(
        ("value", "type_", "text", "kept"),
        [
            (None, "NoneType", "None", None),
            (True, "bool", "True", True),
            (42, "int", "42", 42),
            (-(2**63), "int", str(-(2**63)), -(2**63)),
            (2**63 - 1, "int", str(2**63 - 1), 2**63 - 1),
            (2**63, "int", str(2**63), str(2**63)),
            (1.5, "float", "1.5", 1.5),
            (math.inf, "float", "inf", None),
            (math.nan, "float", "nan", None),
            ("web", "str", "'web'", "web"),
            ("", "str", "''", ""),
            ("two\nlines", "str", r"'two\nlines'", "two\nlines"),
            (mark_safe("<b>"), "django.utils.safestring.SafeString", "'<b>'", "<b>"),
            (Decimal("248.50"), "decimal.Decimal", "Decimal('248.50')", "248.50"),
            (Decimal("NaN"), "decimal.Decimal", "Decimal('NaN')", "NaN"),
            (date(2026, 1, 2), "datetime.date", "2026-01-02", "2026-01-02"),
            (time(3, 4), "datetime.time", "03:04:00", "03:04:00"),
            (datetime(2026, 1, 2, 3), "datetime.datetime", *["2026-01-02T03:00:00"] * 2),
            (
                datetime(2026, 7, 2, 3, tzinfo=ZoneInfo("Europe/Berlin")),
                "datetime.datetime",
                *["2026-07-02T03:00:00+02:00"] * 2,
            ),
            (timedelta(days=1, hours=2), "datetime.timedelta", "1 day, 2:00:00", "P1DT02H00M00S"),
            (uuid.UUID(int=7), "uuid.UUID", *["00000000-0000-0000-0000-000000000007"] * 2),
            (Color.RED, "tests.test_payload.Color", "Color.RED", "RED"),
            (Channel.WEB, "tests.test_payload.Channel", "Channel.WEB", "WEB"),
            (Rights.READ, "tests.test_payload.Rights", "Rights.READ", "READ"),
        ],
        ids=by_type,
    )
    def test_exact(self, value: object, type_: str, text: str, kept: object) -> None:
        """A plain value is shown in a line, and kept in a form that JSON can hold."""
        summary = summary_of(value)
        assert (summary.kind, summary.type, summary.text) == ("plain", type_, text)
        assert summary.value == kept
        assert type(summary.value) is type(kept)
        assert not summary.truncated

    def test_flags(self) -> None:
        """Combined flags go by their names, and a flag without a name by its number."""
        assert text_of(Rights.READ | Rights.WRITE) == "Rights.READ|WRITE"
        assert text_of(Bits(8)) == "Bits(8)"

    def test_path(self) -> None:
        """A path is text."""
        assert text_of(PurePosixPath("/srv/shop")) == "'/srv/shop'"

    def test_long_text(self) -> None:
        """Text beyond the cap ends in an ellipsis, and its value is not kept in part."""
        summary = summary_of("x" * 10_000_000, payload_length=20)
        assert summary.text == "'" + "x" * 18 + "…"
        assert summary.truncated
        assert summary.value is None

    def test_text_at_the_cap(self) -> None:
        """Text that fits with its quotes is kept whole; one character more is cut."""
        assert summary_of("x" * 18, payload_length=20).value == "x" * 18
        assert summary_of("x" * 19, payload_length=20).truncated

    @pytest.mark.parametrize("text", ["a\0b", "\ud800", "b\udfffc"])
    def test_unstorable_text(self, text: str) -> None:
        """What a database refuses is shown as an escape, and not kept as a value."""
        summary = summary_of(text)
        assert summary.value is None
        assert summary.truncated
        assert summary.text.encode().isascii()
        assert "\0" not in summary.text

    def test_huge_int(self) -> None:
        """A huge int is told by its number of digits, without being written out."""
        limit = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)
        try:
            assert text_of(10**100_000) == "int with about 100001 digits"
            assert text_of(-(10**600)).startswith("-1000")
        finally:
            sys.set_int_max_str_digits(limit)
        assert internal_errors.counts() == {}

    def test_huge_decimal(self) -> None:
        """A Decimal with very many digits is not written out, one of a large exponent is."""
        assert text_of(Decimal(1) / Decimal(3)) == f"Decimal('0.{'3' * 28}')"
        assert text_of(Decimal((0, (1,) * 100_000, 0))) == "Decimal with very many digits"
        assert text_of(Decimal("1E+99999")) == "Decimal('1E+99999')"

    @pytest.mark.parametrize("of", [bytes, bytearray])
    def test_bytes(self, of: type) -> None:
        """Of bytes only the length is told."""
        summary = summary_of(of(b"hunter2"))
        assert (summary.text, summary.value) == (f"{of.__name__} of 7", None)

    def test_unknown_zone(self) -> None:
        """A zone of the user's own is not asked for its offset."""
        moment = datetime(2026, 1, 2, 3, 4, tzinfo=OddZone())
        assert text_of(moment) == "2026-01-02T03:04:00 in OddZone"
        assert text_of(moment.timetz()) == "03:04:00 in OddZone"
        assert summary_of(moment).truncated

    def test_subclasses(self) -> None:
        """A subclass is shown as its base is, whatever it overrides."""
        for base, value in ((int, 7), (str, "web"), (float, 1.5), (bytes, b"ab")):
            expected = text_of(value)
            if base is bytes:
                expected = "Odd of 2"
            assert text_of(hostile(base)(value)) == expected
        assert text_of(hostile(Decimal)("1.5")) == "Odd('1.5')"
        assert text_of(hostile(uuid.UUID, "__int__ __str__ __repr__")(int=7)).endswith("07")
        assert text_of(hostile(date, "__str__ __repr__ isoformat")(2026, 1, 2)) == "2026-01-02"
        odd = hostile(datetime, "__str__ __repr__ isoformat utcoffset date time")
        assert text_of(odd(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
        assert text_of(hostile(timedelta, "__str__ __repr__ __add__ days")(1)) == "1 day, 0:00:00"

    @settings(deadline=None)
    @given(
        st.one_of(
            st.integers(),
            st.decimals(),
            st.dates(),
            st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5))])),
            st.times(),
            st.timedeltas(),
            st.uuids(),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50),
            st.floats(allow_nan=False, allow_infinity=False),
        )
    )
    def test_value_tells_all(self, value: object) -> None:
        """Unless it is marked as cut, a value can be had back from its summary."""
        summary = summary_of(value, payload_length=1_000)
        if summary.kind == "redacted" or summary.truncated:
            assert summary.value is None
            return
        kept = summary.value
        if isinstance(value, timedelta):
            assert kept == duration_iso_string(value)
        elif isinstance(value, date | time):
            assert type(value).fromisoformat(str(kept)) == value
        elif isinstance(value, Decimal):
            assert str(Decimal(str(kept))) == str(value)
        else:
            assert type(value)(kept) == value  # type: ignore[call-arg]


def hostile(base: type, dunders: str = "", **namespace: object) -> type[Any]:
    """A subclass on which everything that a summary might call raises."""
    names = (dunders or DUNDERS).split()
    if base is not object:
        names = [name for name in names if name not in ("__hash__", "__getattr__")]
    return type("Odd", (base,), dict.fromkeys(names, touched) | namespace)


class OddMeta(type):
    """A metaclass that does not let itself be asked anything."""

    __hash__ = touched
    __eq__ = touched
    __instancecheck__ = touched
    __subclasscheck__ = touched
    __getattribute__ = touched
    __repr__ = touched
    __bool__ = touched


class TestCollections:
    def test_list(self) -> None:
        """A list tells its length, and its items by index."""
        summary = summary_of([1, "a"])
        assert (summary.kind, summary.type, summary.text) == ("collection", "list", "list of 2")
        assert items_of([1, "a"]) == {"0": "1", "1": "'a'"}

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ((1,), "tuple of 1"),
            ({1}, "set of 1"),
            (frozenset([1]), "frozenset of 1"),
            (deque([1]), "deque of 1"),
            ([], "list of 0"),
            ({}, "dict of 0"),
            (OrderedDict(a=1), "OrderedDict of 1"),
            (defaultdict(int, a=1), "defaultdict of 1"),
            (QueryDict("a=1&b=2"), "QueryDict of 2"),
        ],
    )
    def test_nouns(self, value: object, text: str) -> None:
        """Every builtin collection, and a subclass, is named and counted."""
        assert text_of(value) == text

    def test_dict(self) -> None:
        """A dict's items go by its keys, which need not be text."""
        assert items_of({"a": 1, 2: "b", None: 3, (1, 2): 4, b"x": 5}) == {
            "a": "1",
            "2": "'b'",
            "None": "3",
            "tuple of 2 …": "4",
            "bytes of 1": "5",
        }

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ({}, None),
            ({"a": 1, "": 2, "b c": 3}, None),
            ({"a": 1, 1: 2}, False),
            ({None: 1}, False),
            ({"a" * 101: 1}, False),
            ({"a\nb": 1}, False),
            ({"Bearer abcdef0123456789abcdef0123456789": 1}, False),
            ({"a": {1: 2}}, None),
        ],
    )
    def test_keys_in_words(self, value: object, told: bool | None) -> None:
        """A dict whose keys cannot be had again from what is told says so: 1 is not "1"."""
        assert summary_of(value).value is told

    def test_width(self) -> None:
        """Items beyond the limit are left out, and the summary says so."""
        summary = summary_of(list(range(50)), payload_items=20)
        assert (summary.text, len(summary.items), summary.truncated) == ("list of 50", 20, True)

    def test_depth(self) -> None:
        """Below the depth a collection is told, marked as cut, and not opened."""
        nest: list[Any] = [[[["deep"]]]]
        summary = summary_of(nest, payload_depth=3)
        for _ in range(3):
            ((_, summary),) = summary.items
        assert (summary.text, summary.items, summary.truncated) == ("list of 1 …", (), True)

    def test_cycle(self) -> None:
        """A collection that holds itself ends at the depth."""
        cycle: list[Any] = []
        cycle.append(cycle)
        loop: dict[str, Any] = {}
        loop["self"] = (loop, cycle)
        json.dumps([summary_of(cycle).as_dict(), summary_of(loop).as_dict()])

    def test_nodes(self) -> None:
        """A nest of 20 x 20 x 20 is looked at no further than the budget."""
        nest = [[[0] * 20 for _ in range(20)] for _ in range(20)]
        assert count_nodes(summary_of(nest)) <= MAX_NODES + 1
        named = {f"argument_{number}": nest for number in range(20)}
        payload, _ = summarize_arguments(named, LIMITS, REDACTOR)
        assert sum(map(count_nodes, payload.values())) <= MAX_NODES + 20

    def test_deep_setting(self) -> None:
        """A depth of thousands in the settings does not fill the stack."""
        nest: list[Any] = []
        for _ in range(5_000):
            nest = [nest]
        summary = summary_of(nest, payload_depth=100_000, payload_items=100_000)
        assert 10 < count_nodes(summary) < 100
        assert internal_errors.counts() == {}

    def test_namedtuple(self) -> None:
        """A namedtuple's items go by their names, and a secret name hides its value."""
        assert text_of(Point(1, 2)) == "Point of 2 fields"
        assert items_of(Point(1, 2)) == {"x": "1", "y": "2"}
        assert items_of(Login("ada", "hunter2")) == {"user": "'ada'", "password": "redacted"}

    def test_dataclass(self) -> None:
        """A dataclass shows its fields, no property, and nothing kept out of its repr."""
        assert text_of(Address("Main St")) == "Address of 3 fields"
        assert items_of(Address("Main St", notes="mine")) == {
            "street": "'Main St'",
            "pin": "redacted",
            "notes": "redacted",
        }
        assert items_of(Money(Decimal(2))) == {"amount": "Decimal('2')", "currency": "'EUR'"}
        assert text_of(Money) == "class tests.test_payload.Money"

    def test_dataclass_in_parts(self) -> None:
        """A dataclass whose fields were deleted shows those that are left."""
        half = Money(Decimal(2))
        del half.amount
        assert items_of(half) == {"currency": "'EUR'"}

    def test_mutated_meanwhile(self) -> None:
        """A dict that another thread changes all the time can be summarized."""
        shared = {number: number for number in range(100)}
        stop = threading.Event()

        def change() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                shared[number % 1_000] = number
                shared.pop((number * 7) % 1_000, None)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            kinds = {summary_of(shared, payload_items=200).kind for _ in range(200)}
        finally:
            stop.set()
            thread.join()
        assert kinds == {"collection"}

    def test_changed_size(self) -> None:
        """A dict that changed its size at the wrong moment is tried again, a few times."""
        attempts = []

        def iterate(value: list[int]) -> Iterator[int]:
            attempts.append(value)
            if len(attempts) < 3:
                raise RuntimeError("dictionary changed size during iteration")
            return iter(value)

        assert _snapshot(iterate, [1, 2, 3], 2) == [1, 2]
        assert len(attempts) == 3

    def test_overriding_subclasses(self) -> None:
        """A subclass's own methods are not called."""
        pairs = {"keys": touched, "items": touched, "values": touched, "get": touched}
        assert items_of(hostile(list)([1])) == {"0": "1"}
        assert items_of(hostile(tuple)([1])) == {"0": "1"}
        assert items_of(hostile(dict, **pairs)({"a": 1})) == {"a": "1"}
        assert items_of(hostile(set)([1])) == {"0": "1"}
        assert items_of(hostile(frozenset)([1])) == {"0": "1"}
        assert items_of(hostile(deque)([1])) == {"0": "1"}


def count_nodes(summary: Summary) -> int:
    return 1 + sum(count_nodes(item) for _, item in summary.items)


class TestModels:
    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (lambda: Order(pk=42), "payload_app.Order:42"),
            (lambda: User(pk=7), "auth.User:7"),
            (Order, "payload_app.Order (unsaved)"),
            (lambda: ExpressOrder(order_ptr_id=3), "payload_app.ExpressOrder:3"),
            (lambda: RushOrder(pk=3), "payload_app.Order:3"),
            (lambda: Parcel(pk=uuid.UUID(int=7)), f"payload_app.Parcel:{uuid.UUID(int=7)}"),
            (lambda: Ticket(code="A 1"), "payload_app.Ticket:A 1"),
            (lambda: Ticket(code="a\nb\0"), r"payload_app.Ticket:a\nb\x00"),
            (lambda: Ticket(code="4111111111111111"), "payload_app.Ticket:[redacted]"),
            (lambda: Seat(row=3, place="b"), "payload_app.Seat:(3, b)"),
            (lambda: Seat(place="b"), "payload_app.Seat (unsaved)"),
            (lambda: AccessToken(key="hunter2"), "payload_app.AccessToken:[redacted]"),
            (lambda: Session(session_key="hunter2"), "sessions.Session:[redacted]"),
        ],
    )
    def test_instance(self, make: Any, text: str) -> None:
        """A model instance is its label and primary key; a key that opens doors is hidden."""
        summary = summary_of(make())
        assert (summary.kind, summary.text) == ("model", text)

    @pytest.mark.parametrize(
        ("alias", "told"), [(None, None), ("default", None), ("other", "other"), (7, None)]
    )
    @pytest.mark.parametrize("make", [lambda: Order(pk=42), lambda: Seat(row=3, place="b")])
    def test_database(self, make: Any, alias: Any, told: str | None) -> None:
        """An instance from another database than the default one says which."""
        instance = make()
        instance._state.db = alias
        assert summary_of(instance).value == told

    @pytest.mark.django_db
    def test_no_query(self, django_assert_num_queries: Any) -> None:
        """Nothing of the ORM is loaded: not a deferred field, a relation, or a queryset."""
        order = Order.objects.create(number="A1")
        line = Line.objects.create(order=order)
        deferred = Line.objects.defer("order").get(pk=line.pk)
        keyless = Order.objects.get(pk=order.pk)
        del keyless.__dict__["id"]
        evaluated = Line.objects.all()
        list(evaluated)
        with django_assert_num_queries(0):
            assert text_of(deferred) == f"payload_app.Line:{line.pk}"
            assert text_of(keyless) == "payload_app.Order (no key)"
            assert text_of(Line.objects.all()) == "QuerySet of payload_app.Line, not evaluated"
            assert text_of(evaluated) == "QuerySet of payload_app.Line, 1 rows"
            assert text_of(Order.objects) == "Manager of payload_app.Order"
            assert text_of(order.lines) == "RelatedManager of payload_app.Line"
            assert text_of(Order.objects.values("id")).endswith("Order, not evaluated")
            assert text_of([order, {"order": order}]) == "list of 2"
        assert internal_errors.counts() == {}

    @pytest.mark.django_db
    def test_deleted(self) -> None:
        """An instance that was deleted has no key any more."""
        parcel = Parcel.objects.create()
        parcel.delete()
        assert text_of(parcel) == "payload_app.Parcel (no key)"

    def test_class(self) -> None:
        """A model class is told from its instances."""
        summary = summary_of(Order)
        assert (summary.kind, summary.text) == ("object", "model payload_app.Order")

    def test_cut_key(self) -> None:
        """A key that does not fit is cut, and marked as cut."""
        summary = summary_of(Ticket(code="x" * 300), payload_length=40)
        assert (len(summary.text), summary.truncated) == (40, True)


class TestObjects:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (object(), "object object"),
            (io.StringIO("unread"), "StringIO object"),
            (iter([1]), "list_iterator object"),
            (AnonymousUser(), "AnonymousUser object"),
            (MagicMock(), "MagicMock object"),
            (Mock(spec=Order), "Mock object"),
            (len, "function len"),
            (text_of, "function tests.test_payload.text_of"),
            (Limits, "class signal_inspector.conf.Limits"),
            (int, "class int"),
            (functools.partial(text_of), "partial of tests.test_payload.text_of"),
            (functools.partial(Limits), "partial of signal_inspector.conf.Limits"),
            (REDACTOR.matches_key, "method signal_inspector.payload.redaction."),
            (ValueError("too\nlate"), r"ValueError: too\nlate"),
            (ValueError("password=hunter2"), "ValueError: password=[redacted]"),
            (ValueError(Order(pk=1)), "ValueError"),
            (Http404("a secret"), "Http404"),
            (HttpResponse("body"), "HttpResponse 200"),
            (HttpResponseNotFound(), "HttpResponseNotFound 404"),
            (HttpRequest(), "HttpRequest"),
            (RequestFactory().get("/checkout/?token=hunter2"), "GET /checkout/"),
            (SimpleUploadedFile("a.pdf", b"1234"), "SimpleUploadedFile 'a.pdf', 4 bytes"),
            (gettext_lazy("Hello"), "lazy object"),
            (lazy(touched, str)(), "lazy object"),
        ],
        ids=by_type,
    )
    def test_told_by(self, value: object, text: str) -> None:
        """What is not known is told by its class, what is known by what matters of it."""
        summary = summary_of(value)
        assert summary.kind == "object"
        assert summary.text == text or (text.endswith(".") and summary.text.startswith(text))

    def test_nothing_is_consumed(self) -> None:
        """Generators, iterators and files stay where they were."""
        numbers = (number for number in range(3))
        source = iter([1, 2])
        file = io.BytesIO(b"content")
        summary_of([numbers, source, file, map(touched, [1])])
        assert list(numbers) == [0, 1, 2]
        assert list(source) == [1, 2]
        assert file.tell() == 0

    def test_coroutine(self) -> None:
        """A coroutine is neither run nor closed."""

        async def receive() -> None: ...

        coroutine = receive()
        assert text_of(coroutine) == "coroutine object"
        with pytest.raises(StopIteration):
            coroutine.send(None)

    def test_lazy_object(self) -> None:
        """A lazy object is not evaluated; an evaluated one is shown by what it wraps."""
        user = SimpleLazyObject(lambda: User(pk=7))
        assert text_of(user) == "lazy object"
        assert text_of(SimpleLazyObject(touched)) == "lazy object"
        assert user.pk == 7
        assert text_of(user) == "auth.User:7"
        assert summary_of(user).kind == "model"

    def test_lazy_object_of_itself(self) -> None:
        """A lazy object that wraps itself comes to an end."""
        loop: Any = SimpleLazyObject(touched)
        loop.__dict__["_wrapped"] = loop
        assert text_of(loop) == "lazy object"

    def test_redacted_path(self) -> None:
        """A request's path shows no secret of a known form."""
        request = RequestFactory().get("/hook/sk_live_4eC39HqLyjWDarjtT1zdp7dc/")
        assert text_of(request) == "GET /hook/[redacted]/"

    def test_nothing_of_the_users_runs(self) -> None:
        """No method, property, descriptor or metaclass of an unknown type is called."""
        for dunder in DUNDERS.split():
            odd = hostile(object, dunder, __class__=property(touched), pk=property(touched))()
            assert text_of(odd) == "Odd object"
        everything = hostile(
            object,
            __class__=property(touched),
            __dict__=property(touched),
            __module__=property(touched),
            _meta=property(touched),
            _fields=property(touched),
            __dataclass_fields__=property(touched),
        )
        value = object.__new__(everything)
        assert summary_of(value) == Summary(kind="object", type="Odd", text="Odd object")
        summary_of([value, {"a": value}, (value, value)])
        assert internal_errors.counts() == {}

    def test_metaclass(self) -> None:
        """A class whose metaclass refuses every question is told by its name."""
        odd = OddMeta("Odd", (), {})
        assert text_of(odd) == "class tests.test_payload.Odd"
        assert text_of(object.__new__(odd)) == "Odd object"
        assert text_of({1: odd, 2: [odd]}) == "dict of 2"
        assert internal_errors.counts() == {}

    def test_keys_of_the_user(self) -> None:
        """A dict's keys are neither hashed nor compared again."""

        class Key:
            armed = False

            def __hash__(self) -> int:
                if Key.armed:
                    raise TouchedError
                return 1

            def __eq__(self, other: object) -> bool:
                raise TouchedError

        value = {Key(): 1}
        Key.armed = True
        assert items_of(value) == {"Key object": "1"}

    def test_unreadable(self, caplog: pytest.LogCaptureFixture) -> None:
        """A value that defeats the summary is told as unreadable, logged once and counted."""

        class Deceiver(Address):
            __dataclass_fields__ = {"street": dataclasses.fields(Address)[0]}  # noqa: RUF012

        # A field object without its slots filled cannot be read.
        Deceiver.__dataclass_fields__ = {"x": object.__new__(dataclasses.Field)}
        summaries = [summary_of(Deceiver("a")), summary_of([Deceiver("b")]).items[0][1]]
        assert {summary.kind for summary in summaries} == {"unreadable"}
        assert len(caplog.records) == 1
        assert internal_errors.counts() == {"summarizing a value": 2}

    def test_full_stack(self) -> None:
        """On a stack that is nearly full a summary is still given, or told as unreadable."""
        seen = []

        def descend() -> None:
            with contextlib.suppress(RecursionError):
                descend()
            if len(seen) < 60:
                try:
                    seen.append(summary_of([[Order(pk=1)]]).kind)
                except RecursionError:  # raised by the call itself, before any code of ours
                    seen.append("no room to call")

        descend()
        assert seen[-1] == "collection"
        assert set(seen) <= {"collection", "unreadable", "no room to call"}


class TestSecrets:
    def test_key_of_the_argument(self) -> None:
        """The value of a secret key is hidden, and neither it nor its length is told."""
        summary = summarize("hunter2", LIMITS, REDACTOR, key="cardToken")
        assert summary == Summary(kind="redacted", type="str", text="redacted")

    def test_nested_keys(self) -> None:
        """Secret keys are found at every depth, in dicts and in pairs of name and value."""
        summary = summary_of(
            {
                "user": {"Password": "hunter2", "name": "ada"},
                "headers": [("X-Api-Key", "hunter2"), (b"cookie", b"hunter2"), ["a", "b"]],
            }
        )
        assert "hunter2" not in repr(summary)
        assert "'ada'" in repr(summary)
        assert repr(summary).count("redacted") == 6  # kind and text of each

    @pytest.mark.parametrize(
        "value",
        [
            "Bearer 9944b09199c62bcf",
            4111111111111111,
            Decimal(4111111111111111),
            "4111 1111 1111 1111",
            {"4111111111111111": 1},
            {"nested": {"sk_live_4eC39HqLyjWDarjtT1zdp7dc": 1}},
            ["postgres://shop:9944b09199c62bcf@db/shop"],
            ("x" * 190 + " 4111 1111 1111 1111"),
            mark_safe("Bearer 9944b09199c62bcf"),
            Point("Bearer 9944b09199c62bcf", 2),
        ],
        ids=by_type,
    )
    def test_by_value(self, value: object) -> None:
        """Secrets of a known form are hidden wherever they stand, keys and cuts included."""
        told = json.dumps(summary_of(value).as_dict())
        assert "9944" not in told
        assert "4111" not in told
        assert "sk_live" not in told

    def test_whole_and_part(self) -> None:
        """A text that is all secret is redacted; one that holds a secret has no exact value."""
        assert summary_of("4111 1111 1111 1111").kind == "redacted"
        part = summary_of("card 4111 1111 1111 1111")
        assert (part.text, part.value, part.truncated) == ("'card [redacted]'", None, True)

    def test_not_a_card(self) -> None:
        """A long number that fails a card's check is shown."""
        assert summary_of(4111111111111112).value == 4111111111111112
        assert summary_of(Decimal(4111111111111112)).value == "4111111111111112"


class TestArguments:
    def test_line(self) -> None:
        """The arguments of a typical send are told in one line."""
        named = {
            "order": Order(pk=42),
            "user": User(pk=7),
            "lines": [Line(pk=number) for number in range(12)],
            "total": Decimal("248.50"),
            "channel": "web",
            "card_token": "tok_123",
        }
        payload, dropped = summarize_arguments(named, LIMITS, REDACTOR)
        assert dropped == 0
        assert arguments(payload) == (
            "order=payload_app.Order:42, user=auth.User:7, lines=list of 12, "
            "total=Decimal('248.50'), channel='web', card_token=redacted"
        )

    def test_too_many(self) -> None:
        """Arguments beyond the limit are counted."""
        named = {f"argument_{number}": number for number in range(25)}
        payload, dropped = summarize_arguments(named, Limits(payload_items=20), REDACTOR)
        assert (len(payload), dropped) == (20, 5)

    def test_none(self) -> None:
        """A send without arguments has an empty payload."""
        assert summarize_arguments({}, LIMITS, REDACTOR) == ({}, 0)
        assert arguments({}) == ""

    def test_odd_names(self) -> None:
        """Names that are no identifiers are cleaned, capped and redacted too."""
        named = {"a\0b": 1, "sk_live_4eC39HqLyjWDarjtT1zdp7dc!": 2, "x" * 500 + " ": 3}
        payload, _ = summarize_arguments(named, LIMITS, REDACTOR)
        assert list(payload) == [r"a\x00b", "[redacted]!", "x" * 99 + "…"]

    def test_own_text_class(self) -> None:
        """A name of a class of the user's own becomes a plain one."""
        odd = hostile(str, "__str__ __repr__ isidentifier")
        payload, _ = summarize_arguments({odd("order"): 1}, LIMITS, REDACTOR)
        assert [type(name) for name in payload] == [str]


class TestLifetimes:
    def test_nothing_is_kept_alive(self) -> None:
        """Neither the values nor their classes live on in a summary or in what is remembered."""

        class Thing:
            pass

        @dataclasses.dataclass
        class Record:
            thing: object

        class LostError(Exception):
            pass

        thing = Thing()
        record = Record([thing, {"thing": thing}])
        order = Order(pk=1)
        error = LostError(thing)
        things = (thing, record, order, error, Thing, Record, LostError)
        references = [weakref.ref(value) for value in things]
        payload, _ = summarize_arguments(
            {"a": record, "b": order, "c": error, "d": Thing, "e": thing}, LIMITS, REDACTOR
        )
        del thing, record, order, error, things, Thing, Record, LostError
        gc.collect()
        assert [reference() for reference in references] == [None] * 7
        assert payload["b"].text == "payload_app.Order:1"

    def test_many_classes(self) -> None:
        """Classes that come and go are told apart, though they share an address in memory."""
        for number in range(50):
            cls = type(f"Thing{number}", (), {})
            assert text_of(cls()) == f"Thing{number} object"
            del cls
            gc.collect(0)


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.binary(),
        st.decimals(),
        st.datetimes(),
        st.sampled_from([object(), User(pk=1), touched, Color.RED, Order, ValueError("x")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(st.characters()), st.integers()), inner),
        st.tuples(inner, inner),
        st.builds(Point, inner, inner),
        st.builds(Address, inner, inner),
    ),
    max_leaves=30,
)
limits = st.builds(
    Limits,
    payload_length=st.integers(0, 80),
    payload_depth=st.integers(0, 5),
    payload_items=st.integers(0, 10),
)


def every(summary: Summary) -> Iterator[Summary]:
    yield summary
    for _, item in summary.items:
        yield from every(item)


class TestAnyValue:
    @settings(max_examples=200, deadline=None)
    @given(anything, limits)
    def test_any_value(self, value: object, limits: Limits) -> None:
        """Any value under any limits gives capped, storable, one-line text, and no trouble."""
        internal_errors.reset()
        summary = summarize(value, limits, REDACTOR)
        stored = json.dumps(summary.as_dict(), ensure_ascii=False, allow_nan=False)
        assert r"\u0000" not in stored
        stored.encode()
        for one in every(summary):
            assert one.text.isprintable()
            # A number, a class's name and the like are short by themselves.
            assert len(one.text) <= max(limits.payload_length, 45)
            assert len(one.items) <= limits.payload_items
            assert one.kind != "unreadable"
        assert internal_errors.counts() == {}


class TestCleanText:
    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("plain", "plain"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("a\0b\x1b[31m", r"a\x00b\x1b[31m"),
            ("\ud800", r"\ud800"),
            ("abc\u202edcba", r"abc\u202edcba"),
            ("one\r\ntwo\rthree", "one\ntwo\\rthree"),
            ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ],
    )
    def test_clean(self, text: str, clean: str) -> None:
        """What cannot be stored or deceives the eye becomes visible, the rest stays."""
        assert clean_text(text, 100) == clean

    def test_cap(self) -> None:
        """Text is cut to the limit, the last character an ellipsis."""
        assert clean_text("abcdef", 6) == "abcdef"
        assert clean_text("abcdefg", 6) == "abcde…"
        assert clean_text("a\r\nb\r\nc", 4) == "a\n…" or len(clean_text("a\r\nb\r\nc", 4)) <= 4
        assert clean_text("abc", 0) == ""
        assert clean_text("abc", -1) == ""

    @settings(deadline=None)
    @given(st.text(st.characters()), st.integers(-1, 50))
    def test_any_text(self, text: str, limit: int) -> None:
        """Any text becomes valid UTF-8 without NUL, within the limit, and stays so."""
        clean = clean_text(text, limit)
        assert len(clean.encode().decode()) <= max(limit, 0)
        assert "\0" not in clean
        assert clean_text(clean, max(limit, 0)) == clean


def test_a_function_whose_name_is_of_a_class_of_its_own() -> None:
    """None of the methods of that class runs."""

    def named() -> None: ...

    named.__qualname__ = OwnName("shown")
    assert summary_of(named).text == f"function {__name__}.shown"
