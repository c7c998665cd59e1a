"""DispatchesMixin, under unittest, Django's test cases and manage.py test --parallel."""

from __future__ import annotations

import gc
import threading
import unittest
import weakref
from typing import Any, ClassVar

import pytest
from django.core.signals import got_request_exception
from django.test import LiveServerTestCase, SimpleTestCase, TestCase

from signal_inspector.testing import DispatchesMixin
from tests.testing.shop import Checkout, account_closed, order_completed, order_placed, place


class SetUpTest(DispatchesMixin, SimpleTestCase):
    """Run by pytest as it stands."""

    def setUp(self) -> None:
        order_completed.send(None)  # without super(): the mixin does not depend on it

    def test_what_set_up_sent(self) -> None:
        """What setUp sends belongs to the test."""
        place()
        self.assert_sent_in_order([order_completed, order_placed], exact=True)
        self.assert_not_sent(account_closed)
        assert len(self.dispatches) == 2

    def test_nothing_of_another_test(self) -> None:
        """A test sees nothing of the one before it."""
        self.assert_sent_in_order([order_completed], exact=True)

    async def test_async(self) -> None:
        """An async test of Django's has them too."""
        await order_placed.asend(Checkout)
        self.assert_sent(order_placed, sender=Checkout, method="asend")


class IsolatedTest(DispatchesMixin, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        await order_completed.asend(None)

    async def test_async(self) -> None:
        """The context that unittest made for its async tests belongs to it."""
        await order_placed.asend(None)
        self.assert_sent_in_order([order_completed, order_placed], exact=True)


class ChosenTest(TestCase, DispatchesMixin):
    """The mixin may stand behind as well."""

    captured_also: ClassVar[Any] = [got_request_exception]
    captured_threads = True

    def test_what_it_was_told(self) -> None:
        """The attributes of the class say what is captured."""
        got_request_exception.send(None)
        thread = threading.Thread(target=place)
        thread.start()
        thread.join(30)
        self.assert_sent_in_order([got_request_exception, order_placed], exact=True)


def run(case: type[unittest.TestCase]) -> tuple[unittest.TestResult, list[unittest.TestCase]]:
    result = unittest.TestResult()
    tests = [case(name) for name in unittest.defaultTestLoader.getTestCaseNames(case)]
    for test in tests:
        test.run(result)
    return result, tests


@pytest.mark.parametrize(
    ("base", "threads", "heard"),
    [
        (LiveServerTestCase, None, 1),
        (LiveServerTestCase, False, 0),
        (SimpleTestCase, None, 0),
        (SimpleTestCase, True, 1),
    ],
)
def test_threads(base: type[SimpleTestCase], threads: bool | None, heard: int) -> None:
    """What other threads send belongs to a test with a live server, unless it says otherwise."""
    found: list[int] = []

    class ThreadsTest(DispatchesMixin, base):  # type: ignore[misc,valid-type]
        captured_threads = threads

        @classmethod
        def setUpClass(cls) -> None:
            """Without a server, which is not needed here."""

        @classmethod
        def tearDownClass(cls) -> None: ...

        def _pre_setup(self) -> None: ...

        def _post_teardown(self) -> None: ...

        def test_places(self) -> None:
            thread = threading.Thread(target=place)
            thread.start()
            thread.join(30)
            found.append(len(self.dispatches))

    ThreadsTest("test_places").debug()
    assert found == [heard]


def test_let_go_of() -> None:
    """A test case that its runner keeps, keeps nothing of what was sent in it."""

    class Thing:
        pass

    references: list[weakref.ref[Thing]] = []

    class ShopTest(DispatchesMixin, unittest.TestCase):
        def test_places(self) -> None:
            thing = Thing()
            references.append(weakref.ref(thing))
            order_placed.send(None, thing=thing)
            self.assert_sent(order_placed, payload={"thing": thing})

    result, tests = run(ShopTest)
    assert result.wasSuccessful(), result.errors + result.failures
    gc.collect()
    assert [reference() for reference in references] == [None]
    assert len(tests) == 1


def test_the_traceback_of_a_failure() -> None:
    """The traceback that unittest shows ends in the user's line."""

    class ShopTest(DispatchesMixin, unittest.TestCase):
        def test_places(self) -> None:
            self.assert_sent(order_placed)

    result, _ = run(ShopTest)
    [(_, text)] = result.failures
    assert "self.assert_sent(order_placed)" in text
    assert "assertions.py" not in text
    assert "AssertionError: Expected tests.testing.shop.order_placed" in text


def test_debug() -> None:
    """A test that is debugged raises, and has its dispatches."""

    class ShopTest(DispatchesMixin, unittest.TestCase):
        def test_places(self) -> None:
            self.assert_nothing_sent()
            self.assert_sent(order_placed)

    with pytest.raises(AssertionError, match="to be sent; it was not sent"):
        ShopTest("test_places").debug()
