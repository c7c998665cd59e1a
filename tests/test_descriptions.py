"""Classes of others taken apart, hooks of the project, and strict mode."""

# mypy: disable-error-code="arg-type"

from __future__ import annotations

import linecache
from decimal import Decimal
from typing import Any

import attrs
import pydantic
import pytest
from django.db import connection
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector import Details, capture
from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Summary
from signal_inspector.payload import Hooks, Redactor, summarize, summarize_exception


def told(value: object) -> Summary:
    return summarize(value, Limits(), Redactor())


@attrs.define
class Slotted:
    n: int
    password: str
    hidden: str = attrs.field(repr=False)
    other: str = attrs.field(repr=lambda value: "*")


@attrs.define(slots=False)
class Holder:
    inner: Slotted


class Guest(pydantic.BaseModel):
    n: int
    secret_text: pydantic.SecretStr
    key: pydantic.SecretBytes
    plain: pydantic.SecretStr
    hidden: str = pydantic.Field("hunter2", repr=False)


class TestOthersClasses:
    def test_attrs(self) -> None:
        """An attrs class is taken apart, with slots or without, but for what its repr hides."""
        shown = told(Holder(Slotted(1, "hunter2", "hunter2", "hunter2")))
        assert shown.text == "Holder of 1 fields"
        inner = dict(dict(shown.items)["inner"].items)
        assert inner["n"].value == 1
        assert {name for name, each in inner.items() if each.kind == "redacted"} == {
            "password",
            "hidden",
            "other",
        }

    def test_pydantic(self) -> None:
        """A pydantic model is taken apart, and its secret types are secrets under any name."""
        shown = told(Guest(n=1, secret_text="hunter2", key=b"hunter2", plain="hunter2"))
        assert shown.text == "Guest of 5 fields"
        kinds = {name: each.kind for name, each in shown.items}
        assert kinds.pop("n") == "plain"
        assert set(kinds.values()) == {"redacted"}
        assert "hunter2" not in str(shown)

    @pytest.mark.parametrize(
        ("value", "text"),
        [(range(3), "range(0, 3)"), (range(1, 9, 2), "range(1, 9, 2)"), (attrs, "module attrs")],
        ids=str,
    )
    def test_ranges_and_modules(self, value: object, text: str) -> None:
        """A range is told as it is written, and a module by its name."""
        assert told(value).text == text

    @pytest.mark.parametrize(
        "value",
        [
            {"name": "password", "value": "hunter2"},
            {"value": "hunter2", "n": 1, "key": "api_key"},
            {"loc": ("body", "password"), "input": "hunter2"},
            ("password", "hunter2", "hunter2"),
            ["mysqldump", "--password", "hunter2"],
            ["mysqldump", "--password=hunter2"],
        ],
        ids=str,
    )
    def test_named_values(self, value: object) -> None:
        """What a name beside a value tells to be secret is one."""
        assert "hunter2" not in str(told(value))


class Money:
    def __init__(self, amount: object) -> None:
        self.amount = amount


class Euros(Money):
    pass


class TestHooks:
    def described(self, value: object, hook: Any, **limits: int) -> Summary:
        hooks = Hooks({f"{__name__}.Money": hook})
        return summarize(value, Limits(**limits), Redactor(), hooks=hooks)

    def test_what_it_returns_is_told(self) -> None:
        """The hook of a type holds for its subclasses, wherever the value stands."""
        shown = self.described([Euros(3)], lambda value: f"{value.amount} EUR")
        assert dict(shown.items)["0"].value == "3 EUR"

    def test_what_it_returns_is_redacted_and_cut(self) -> None:
        """It is treated like any other value."""
        shown = self.described(Euros(1), lambda value: {"token": "hunter2", "n": "x" * 900})
        assert "hunter2" not in str(shown)
        assert len(str(shown)) < 900

    def test_what_it_raises_is_reported(self) -> None:
        """The value is then told as without a hook."""

        def fails(value: Money) -> object:
            raise ValueError("no")

        assert self.described(Euros(1), fails).text == "Euros object"
        assert [kind for kind in internal_errors.counts() if "DESCRIBE" in kind]

    def test_it_cannot_call_itself(self) -> None:
        """A hook that returns a value of its own type is asked once."""
        asked = []

        def same(value: Money) -> Money:
            asked.append(value)
            return value

        assert self.described(Euros(1), same).text == "Euros object"
        assert len(asked) == 1

    @pytest.mark.django_db
    def test_what_it_does_is_not_recorded(self) -> None:
        """Its signals and queries are nobody's."""
        placed, other = Signal(), Signal()

        def hook(value: Money) -> str:
            other.send(None)
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return "seen"

        def receives(**kwargs: object) -> Money:
            return Money(1)

        placed.connect(receives)
        setting = {"DESCRIBE": {f"{__name__}.Money": hook}}
        with override_settings(SIGNAL_INSPECTOR=setting), capture(details=Details.ALL) as sent:
            placed.send(None, price=Money(2))
        [dispatch] = sent
        assert dispatch.payload is not None
        assert dispatch.payload["price"].value == "seen"
        assert dispatch.calls[0].query_count == 0


class TestStrict:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("hunter2", "str of 7"),
            (b"hunter2", "bytes of 7"),
            (4111, "int"),
            (None, "NoneType"),
            (True, "bool"),
            (Decimal(3), "Decimal"),
            (range(4), "range"),
            ({"hunter2": 1}, "dict of 1"),
            (ValueError("hunter2"), "ValueError: [redacted]"),
        ],
        ids=str,
    )
    def test_no_value(self, value: object, text: str) -> None:
        """Types and sizes are told, and no values."""
        shown = summarize(value, Limits(), Redactor(strict=True))
        assert shown.text == text
        assert not shown.value  # False: of a dict whose keys are not told
        assert "hunter2" not in str(shown)

    def test_no_message_and_no_source(self) -> None:
        """Of an exception its class, files, lines and functions are left."""
        try:
            raise ValueError("hunter2")
        except ValueError as error:
            failure = summarize_exception(
                error, Limits(), with_traceback=True, redactor=Redactor(strict=True)
            )
        assert failure.message == ""
        assert failure.traceback is not None
        assert "hunter2" not in failure.traceback
        assert "test_no_message_and_no_source" in failure.traceback


@pytest.mark.django_db
def test_statements_are_redacted() -> None:
    """The text of a query is stored without its secrets; in strict mode without any literal."""
    signal = Signal()

    def asks(**kwargs: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'a' AS x, 'hunter2' AS password")

    signal.connect(asks)
    texts = []
    for strict in (False, True):
        with override_settings(SIGNAL_INSPECTOR={"STRICT": strict}):
            with capture(details=Details.ALL) as sent:
                signal.send(None)
            texts.append(sent[0].calls[0].queries[0].sql)
    assert texts == [
        "SELECT '[redacted]' AS x, '[redacted]' AS password",
        "SELECT ? AS x, ? AS password",
    ]


def test_a_long_line_is_cut_before_it_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line of generated code no more is looked at than may be kept."""
    looked_at: list[int] = []

    class Counting(Redactor):
        def redact_code(self, text: str) -> str:
            looked_at.append(len(text))
            return text

    source = "raise ValueError(1);" + "a=1;" * 400_000
    monkeypatch.setitem(linecache.cache, "<made>", (len(source), None, [source], "<made>"))
    try:
        exec(compile(source, "<made>", "exec"), {})
    except ValueError as error:
        failure = summarize_exception(error, Limits(), with_traceback=True, redactor=Counting())
    assert failure.traceback is not None
    assert "ValueError(1);a=1" in failure.traceback
    assert max(looked_at) < 10_000
