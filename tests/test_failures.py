"""Exceptions in words: class, message and traceback."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import traceback
import weakref
from typing import Any, NoReturn

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.dispatch import Signal
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Failure
from signal_inspector.payload import Redactor, summarize_exception
from tests.payload_app.models import Order


def told(error: BaseException, *, redactor: Redactor | None = None, **limits: int) -> Failure:
    extra = {} if redactor is None else {"redactor": redactor}
    return summarize_exception(error, Limits(**limits), with_traceback=True, **extra)


def message_of(error: BaseException, **limits: int) -> str:
    return summarize_exception(error, Limits(**limits), with_traceback=False).message


def raised(error: BaseException) -> BaseException:
    """The exception, with a traceback that begins in this file."""
    try:
        raise error
    except BaseException as caught:
        return caught


def text_of(error: BaseException, **limits: int) -> str:
    text = told(error, **limits).traceback
    assert text is not None
    return text


class DeclinedError(Exception):
    pass


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


class SubclassedTextError(Exception):
    def __str__(self) -> str:
        class Odd(str):
            __slots__ = ()

        return Odd("odd\0text")


class TestClassAndMessage:
    @pytest.mark.parametrize(
        ("error", "name", "message"),
        [
            (ValueError("too late"), "ValueError", "too late"),
            (ValueError(), "ValueError", ""),
            (ValueError("a", 1), "ValueError", "('a', 1)"),
            (KeyError("order"), "KeyError", "'order'"),
            (DeclinedError("no funds"), "tests.test_failures.DeclinedError", "no funds"),
            (OSError(2, "No such file", "a.txt"), "FileNotFoundError", None),
            (ValidationError("too long"), "django.core.exceptions.ValidationError", None),
            (IntegrityError("UNIQUE"), "django.db.utils.IntegrityError", "UNIQUE"),
            (asyncio.CancelledError(), "asyncio.exceptions.CancelledError", ""),
            (KeyboardInterrupt(), "KeyboardInterrupt", ""),
            (ValueError(gettext_lazy("Save")), "ValueError", "Save"),
            (
                ExceptionGroup("two", [ValueError()] * 2),
                "ExceptionGroup",
                "two (2 sub-exceptions)",
            ),
        ],
    )
    def test_told(self, error: BaseException, name: str, message: str | None) -> None:
        """The class goes by its dotted name, the message is what str() says."""
        failure = summarize_exception(error, Limits(), with_traceback=False)
        assert failure.exception_class == name
        assert failure.message == (str(error) if message is None else message)
        assert failure.traceback is None

    def test_cap(self) -> None:
        """A long message is cut at its limit."""
        assert message_of(ValueError("x" * 10_000_000), message_length=10) == "xxxxxxxxx…"

    def test_clean(self) -> None:
        """A message holds nothing that a database refuses or that deceives the eye."""
        assert message_of(ValueError("a\0b\ud800\x1b[2J")) == r"a\x00b\ud800\x1b[2J"
        assert message_of(SubclassedTextError()) == r"odd\x00text"
        assert type(message_of(SubclassedTextError())) is str

    def test_redacted(self) -> None:
        """Secrets in a message are hidden, also where the cap would cut them in two."""
        assert message_of(ValueError("password=hunter2")) == "password=[redacted]"
        error = ValueError("see 4111 1111 1111 1111")
        assert "41" not in message_of(error, message_length=12)
        assert told(error).message == "see [redacted]"

    def test_own_pattern(self) -> None:
        """A project's own patterns hold in messages and in tracebacks."""
        failure = told(raised(ValueError("badge=77")), redactor=Redactor(["badge"]))
        assert failure.message == "badge=[redacted]"
        assert failure.traceback is not None
        assert failure.traceback.endswith("ValueError: badge=[redacted]")

    def test_unspeakable(self) -> None:
        """An exception whose __str__ raises is told by its class."""
        failure = told(raised(UnspeakableError()))
        assert failure.message == "(its message cannot be read)"
        assert failure.exception_class == "tests.test_failures.UnspeakableError"
        assert internal_errors.counts() == {}

    def test_one_that_exits(self) -> None:
        """A __str__ that ends the program is not what the sender is to get."""

        class ExitingError(Exception):
            def __str__(self) -> str:
                raise SystemExit(1)

        assert told(raised(ExitingError())).message == "(its message cannot be read)"
        assert internal_errors.counts() == {}

    def test_asked_once(self) -> None:
        """The __str__ of an exception is run once, for the message and the traceback."""
        asked: list[int] = []

        class CountingError(Exception):
            def __str__(self) -> str:
                asked.append(1)
                return f"number {len(asked)}"

        failure = told(raised(CountingError()))
        assert failure.message == "number 1"
        assert failure.traceback is not None
        assert failure.traceback.endswith("CountingError: number 1")
        assert len(asked) == 1

    @pytest.mark.django_db
    def test_no_query(self, django_assert_num_queries: Any) -> None:
        """An argument that is a model is named, without its __str__ and its queries."""
        order = Order.objects.create()
        with django_assert_num_queries(0):
            assert message_of(ValueError(order)) == f"payload_app.Order:{order.pk}"
            told_more = message_of(KeyError("order", order, [order], {"a": order, "pin": 1}))
        key = f"payload_app.Order:{order.pk}"
        assert told_more == f"order, {key}, [{key}], {{a: {key}, pin: [redacted]}}"
        assert connection.in_atomic_block

    def test_of_another_database(self) -> None:
        """An argument that is a model of another database is named like any other."""
        order = Order(pk=42)
        order._state.db = "other"
        assert (
            message_of(KeyError([order], order)) == "[payload_app.Order:42], payload_app.Order:42"
        )

    def test_collections(self) -> None:
        """What a dict or list in the arguments says is told, up to the limits."""
        assert message_of(ValueError({"code": "declined", "tries": [1, 2]})) == (
            "{code: declined, tries: [1, 2]}"
        )
        assert message_of(ValueError([1, 2, 3]), payload_items=2) == "[1, 2, …]"


class TestTraceback:
    def test_like_pythons(self) -> None:
        """A plain traceback is the one that Python prints."""
        error = raised(DeclinedError("no funds"))
        assert text_of(error) == "".join(traceback.format_exception(error)).rstrip("\n")

    def test_chain_like_pythons(self) -> None:
        """Causes and contexts come first, in the words that Python has for them."""
        error = chained()
        assert text_of(error) == "".join(traceback.format_exception(error)).rstrip("\n")
        assert "direct cause" in text_of(error)
        assert "During handling" in text_of(error)

    def test_suppressed_context(self) -> None:
        """``raise … from None`` hides what was before."""

        def fail() -> NoReturn:
            try:
                raise KeyError("hidden")
            except KeyError:
                raise ValueError("shown") from None

        with pytest.raises(ValueError, match="shown") as caught:
            fail()
        assert "KeyError" not in text_of(caught.value)

    def test_notes(self) -> None:
        """Notes are told, redacted and cleaned."""
        error = ValueError("x")
        error.add_note("token=abc\0")
        assert text_of(error) == "ValueError: x\ntoken=[redacted]"

    def test_syntax_error(self) -> None:
        """A syntax error shows the line that could not be read."""
        with pytest.raises(SyntaxError) as caught:
            compile("a = = b", "rules.txt", "exec")
        assert "    a = = b\nSyntaxError: invalid syntax (rules.txt, line 1)" in text_of(
            caught.value
        )

    def test_not_raised(self) -> None:
        """An exception that was never raised has no frames."""
        assert text_of(ValueError("x")) == "ValueError: x"

    def test_no_locals(self) -> None:
        """The values of local variables are not shown."""

        def pay(number: str) -> NoReturn:
            raise DeclinedError("no funds")

        with pytest.raises(DeclinedError) as caught:
            pay("4929 0000 0000 6")
        assert "4929" not in text_of(caught.value).replace('pay("4929', "")

    def test_secrets_in_source_lines(self) -> None:
        """A literal secret in a line of code is hidden, the name of a variable is not."""

        def connect(password: str) -> NoReturn:
            raise DeclinedError("no funds")

        with pytest.raises(DeclinedError) as caught:
            connect(password="hunter2")
        text = text_of(caught.value)
        assert 'connect(password="[redacted]")' in text
        assert "hunter2" not in text

    @pytest.mark.parametrize("limit", [0, 10, 30, 200, 400])
    def test_keeps_the_end(self, limit: int) -> None:
        """Of a traceback that is too long the end is kept, and how much there was is told."""
        whole = text_of(chained())
        cut = text_of(chained(), traceback_length=limit)
        assert len(cut) == limit
        if limit > 100:
            assert cut.startswith(f"(the last of {len(whole)} characters)\n…")
            assert cut.endswith("ValueError: outer")

    def test_deep_recursion(self) -> None:
        """A traceback of many thousand frames is told by its last ones."""

        def descend() -> NoReturn:
            descend()
            raise AssertionError

        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(20_000)
        try:
            with pytest.raises(RecursionError) as caught:
                descend()
        finally:
            sys.setrecursionlimit(limit)
        text = text_of(caught.value)
        assert "earlier frames are left out)" in text
        assert "RecursionError: maximum recursion depth exceeded" in text
        assert len(text) < 2_000

    def test_long_chain(self) -> None:
        """Of a long chain of causes the nearest are told."""
        error: BaseException = ValueError(0)
        for number in range(1, 100):
            following = ValueError(number)
            following.__cause__ = error
            error = following
        text = text_of(error)
        assert text.startswith("(earlier causes are left out)")
        assert text.count("ValueError:") == 10
        assert text.endswith("ValueError: 99")

    def test_cycle_of_causes(self) -> None:
        """Exceptions that are each other's cause come to an end."""
        one, two = ValueError("one"), ValueError("two")
        one.__cause__, two.__cause__ = two, one
        assert text_of(one).count("ValueError:") == 2

    def test_group(self) -> None:
        """Each exception of a group is told with its own traceback, and groups in groups."""
        inner = ExceptionGroup("inner", [raised(KeyError("deep"))])
        group = raised(ExceptionGroup("both", [raised(DeclinedError("no funds")), inner]))
        text = text_of(group)
        for expected in (
            "ExceptionGroup: both (2 sub-exceptions)",
            "+---- 1 of 2 ----",
            "| tests.test_failures.DeclinedError: no funds",
            "|   +---- 1 of 1 ----",
            "|   | KeyError: 'deep'",
        ):
            assert expected in text
        assert text.count("Traceback (most recent call last)") == 3

    def test_wide_and_deep_groups(self) -> None:
        """A group of thousands, or a hundred groups in each other, is told in part."""
        wide = ExceptionGroup("wide", [ValueError(number) for number in range(5_000)])
        assert "4990 more are left out" in text_of(wide)
        deep: Exception = ValueError("deep")
        for _ in range(100):
            deep = ExceptionGroup("level", [deep])
        assert "exceptions inside are left out" in text_of(deep)

    def test_same_member_twice(self) -> None:
        """An exception that stands in a group twice is told once."""
        error = ValueError("same")
        text = text_of(ExceptionGroup("pair", [error, error]))
        assert text.count("ValueError: same") == 1
        assert "ValueError (shown above)" in text

    def test_unspeakable_cause(self) -> None:
        """A cause whose __str__ raises does not hide the rest."""
        error = ValueError("outer")
        error.__cause__ = UnspeakableError()
        text = text_of(error)
        assert "UnspeakableError: (its message cannot be read)" in text
        assert text.endswith("ValueError: outer")

    def test_only_the_users_frames(self) -> None:
        """The frames of Django's dispatcher and of asgiref are left out, the receiver's stay."""
        signal = Signal()

        def fail(**_: object) -> None:
            raise DeclinedError("no funds")

        signal.connect(fail)
        with pytest.raises(DeclinedError) as caught:
            signal.send(None)
        with pytest.raises(DeclinedError) as caught_async:
            asyncio.run(sync_to_async(signal.send)(None))
        for error in (caught.value, caught_async.value):
            text = text_of(error)
            assert "in fail" in text
            assert "dispatcher.py" not in text
            assert "asgiref" not in text
            assert "instrument.py" not in text

    def test_only_machinery(self) -> None:
        """When no frame is the user's, the machinery's frames are better than none."""
        signal = Signal()
        signal.connect(takes_nothing)
        (_, error), *_ = signal.send_robust(None)
        assert isinstance(error, TypeError)
        assert "in send_robust" in text_of(error)

    def test_custom_attributes(self) -> None:
        """Properties that stand in front of what Python keeps of an exception are not asked."""

        def refuse(self: object) -> NoReturn:
            raise SystemExit

        names = ("args", "__cause__", "__context__", "__traceback__", "__notes__", "__class__")
        odd = type("OddError", (Exception,), dict.fromkeys(names, property(refuse)))
        assert text_of(odd("x")) == "tests.test_failures.OddError: x"

    def test_stripped_source(self) -> None:
        """Code without a source file is told by its name and line."""
        with pytest.raises(ZeroDivisionError) as caught:
            exec(compile("\n1 / 0", "<shop rule>", "exec"), {})
        assert 'File "<shop rule>", line 2, in <module>' in text_of(caught.value)

    def test_nothing_is_kept_alive(self) -> None:
        """Neither the exception nor the variables of its frames live on."""

        class Thing:
            pass

        def fail() -> weakref.ref[Thing]:
            thing = Thing()
            try:
                raise DeclinedError("no funds")
            except DeclinedError as error:
                texts.append(text_of(error))
            return weakref.ref(thing)

        texts: list[str] = []

        gc.disable()
        try:
            assert fail()() is None
            assert texts[0].endswith("no funds")
        finally:
            gc.enable()

    def test_full_stack(self) -> None:
        """On a stack that is nearly full an exception is told all the same."""
        seen: list[str] = []

        def descend() -> None:
            with contextlib.suppress(RecursionError):
                descend()
            if len(seen) < 150:
                try:
                    seen.append(told(ValueError("x")).exception_class)
                except RecursionError:  # raised by the call itself, before any code of ours
                    seen.append("no room to call")

        descend()
        assert set(seen) <= {"ValueError", "no room to call"}
        assert seen[-1] == "ValueError"


class TestWithoutMessages:
    @pytest.mark.parametrize("case", ["alone", "cause", "context", "group", "note", "syntax"])
    def test_untold(self, case: str) -> None:
        """No message is told, wherever an exception may have one; classes and frames are."""
        said = "4000-1234"
        failure = summarize_exception(
            saying(said, case), Limits(), with_traceback=True, with_messages=False
        )
        assert failure.message == ""
        assert failure.traceback is not None
        assert "4000" not in failure.traceback
        assert "in raised" in failure.traceback
        assert failure.exception_class.rpartition(".")[2] in failure.traceback

    def test_what_cannot_be_told(self) -> None:
        """Nor does an exception that defies being put in words leave a message."""
        failure = summarize_exception(
            UnspeakableError(), Limits(), with_traceback=False, with_messages=False
        )
        assert failure.message == ""
        assert failure.traceback is None


class TestAnyException:
    @settings(deadline=None)  # of the time of a machine that is shared
    @given(
        st.text(st.characters()),
        st.integers(0, 60),
        st.integers(0, 300),
        st.lists(st.text(st.characters()), max_size=3),
    )
    def test_any_message(
        self, message: str, message_length: int, traceback_length: int, notes: list[str]
    ) -> None:
        """Any message and notes give capped text that every database takes."""
        error = raised(DeclinedError(message))
        for note in notes:
            error.add_note(note)
        failure = told(error, message_length=message_length, traceback_length=traceback_length)
        assert failure.traceback is not None
        assert len(failure.message) <= message_length
        assert len(failure.traceback) <= traceback_length
        for text in (failure.message, failure.traceback):
            assert "\0" not in text
            assert text.encode().decode() == text
        assert internal_errors.counts() == {}


def saying(said: str, case: str) -> BaseException:
    """An exception that says something in one of the ways there are."""
    error = DeclinedError(said)
    match case:
        case "cause":
            outer = KeyError()
            outer.__cause__ = raised(error)
            return raised(outer)
        case "context":
            outer = KeyError()
            outer.__context__ = raised(error)
            return raised(outer)
        case "group":
            return raised(ExceptionGroup(said, [raised(error)]))
        case "note":
            error = DeclinedError()
            error.add_note(said)
        case "syntax":
            return raised(SyntaxError(said, ("form.txt", 1, 1, said)))
    return raised(error)


def takes_nothing() -> None:
    """A receiver that no send can call."""


def chained() -> BaseException:
    try:
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise DeclinedError("from it") from error
        except DeclinedError:
            raise ValueError("outer")  # noqa: B904 - the implicit context is what is tested
    except ValueError as caught:
        return caught
