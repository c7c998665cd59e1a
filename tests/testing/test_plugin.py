"""The pytest plugin, in runs of its own: loaded by its entry point, as in a user's project."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.programs

pytest_plugins = ["pytester"]

SHOP = """
from django.dispatch import Signal

order_placed = Signal()

class Checkout: ...

def award_points(sender, **kwargs):
    raise KeyError("no account")

def log_order(sender, **kwargs):
    return "logged"

order_placed.connect(award_points)
order_placed.connect(log_order)
"""

BROKEN = """
import shop

def test_places():
    shop.order_placed.send_robust(shop.Checkout)

def test_logs():
    shop.order_placed.disconnect(shop.award_points)
    shop.order_placed.send_robust(shop.Checkout)
    shop.order_placed.connect(shop.award_points)
"""


def ini(project: pytest.Pytester, options: str = "", more: str = "") -> None:
    """Write the settings of pytest."""
    project.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
        f"addopts = -p no:cacheprovider {options}\n{more}"
    )


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project without settings, whose runs load plugins as a user's do."""
    pytester.makepyfile(shop=SHOP)
    ini(pytester, "-p no:django")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    return pytester


def run(project: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    project.makepyfile(test_shop=source)
    return project.runpytest_subprocess(*options)


class TestUnused:
    def test_nothing_of_django_is_imported(self, project: pytest.Pytester) -> None:
        """A run that uses nothing of the plugin does not import Django."""
        source = """
        import sys

        def test_nothing():
            assert "signal_inspector.pytest_plugin" in sys.modules
            assert "django" not in sys.modules
        """
        run(project, source).assert_outcomes(passed=1)

    def test_swallowed_failures_are_let_be(self, project: pytest.Pytester) -> None:
        """Without the option nobody minds a swallowed failure, and nothing is wrapped."""
        source = BROKEN + "    assert not hasattr(type(shop.order_placed).send, '__wrapped__')\n"
        run(project, source).assert_outcomes(passed=2)

    def test_the_order_of_pytest_django_stays(self, project: pytest.Pytester) -> None:
        """With pytest-django and --ds, settings are as that has them."""
        ini(project)
        project.makepyfile(some_settings="SECRET_KEY = 'x'")
        source = """
        from django.conf import settings

        def test_settings(dispatches):
            assert settings.SECRET_KEY == "x"
        """
        run(project, source, "--ds=some_settings").assert_outcomes(passed=1)


class TestFixtures:
    def test_dispatches(self, project: pytest.Pytester) -> None:
        """The fixture captures, in sync and async tests, and the marker says what."""
        source = """
        import asyncio
        import threading
        import pytest
        import shop
        from django.core.signals import got_request_exception

        def test_sync(dispatches):
            shop.order_placed.send_robust(shop.Checkout)
            dispatches.assert_sent(shop.order_placed, sender=shop.Checkout)
            dispatches.assert_failed(shop.award_points, KeyError)

        def test_fresh(dispatches):
            dispatches.assert_nothing_sent()

        @pytest.mark.asyncio
        async def test_async(dispatches):
            await shop.order_placed.asend_robust(shop.Checkout)
            dispatches.assert_received(shop.log_order, times=1)

        @pytest.mark.dispatches(got_request_exception, threads=True)
        def test_marker(dispatches):
            shop.order_placed.send_robust(None)
            sending = threading.Thread(target=got_request_exception.send, args=(None,))
            sending.start()
            sending.join()
            dispatches.assert_sent_in_order([got_request_exception], exact=True)
        """
        run(project, source).assert_outcomes(passed=4)

    def test_a_live_server(self, project: pytest.Pytester) -> None:
        """Beside the fixture live_server, what its thread sends belongs to the test."""
        source = """
        import threading
        import pytest
        import shop

        @pytest.fixture
        def live_server(): ...

        def place():
            thread = threading.Thread(target=shop.order_placed.send_robust, args=(None,))
            thread.start()
            thread.join(30)

        def test_with_it(live_server, dispatches):
            place()
            dispatches.assert_sent(shop.order_placed, times=1)

        def test_without_it(dispatches):
            place()
            dispatches.assert_sent(shop.order_placed)

        @pytest.mark.dispatches(threads=False)
        def test_marked(live_server, dispatches):
            place()
            assert not dispatches
        """
        result = run(project, source)
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["*order_placed was sent once in the thread Thread-*"])

    def test_muted(self, project: pytest.Pytester) -> None:
        """What a test has muted is heard again in the next one."""
        source = """
        import pytest
        import shop

        def test_mutes(muted, dispatches):
            muted(shop.award_points)
            shop.order_placed.send(None)
            dispatches.assert_no_failures()

        def test_after():
            with pytest.raises(KeyError):
                shop.order_placed.send(None)
        """
        run(project, source).assert_outcomes(passed=2)

    def test_a_failure_points_at_the_test(self, project: pytest.Pytester) -> None:
        """The traceback of a failed assertion ends in the user's line, and tells what was sent."""
        source = """
        import shop

        def test_places(dispatches):
            shop.order_placed.send_robust(shop.Checkout, channel="web")
            dispatches.assert_sent(shop.order_placed, payload={"channel": "telephone"})
        """
        result = run(project, source, "--tb=short")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "test_shop.py:5: in test_places",
                "*Expected shop.order_placed with channel='telephone' to be sent; *",
                "*1. shop.order_placed from shop.Checkout by send_robust() at test_shop.py:4*",
                "*but channel is 'web', not 'telephone'",
            ]
        )
        assert "assertions.py" not in result.stdout.str()


in_processes = pytest.mark.parametrize(
    "workers", [(), ("-p", "xdist", "-n", "2")], ids=["one", "xdist"]
)


class TestSwallowed:
    @in_processes
    def test_the_test_fails(self, project: pytest.Pytester, workers: tuple[str, ...]) -> None:
        """The test that swallowed fails, by name, and the other one passes."""
        result = run(project, BROKEN, "--fail-on-swallowed", *workers)
        result.assert_outcomes(passed=1, failed=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            [
                "*_ test_places _*",
                "send_robust swallowed a failure that the test did not expect:",
                "KeyError: 'no account'",
                "  receiver  shop.award_points (shop.py:7)",
                "  sent      shop.order_placed by send_robust() at test_shop.py:4 in test_places",
                '*raise KeyError("no account")',
            ]
        )

    def test_by_ini(self, project: pytest.Pytester) -> None:
        """fail_on_swallowed = true does the same."""
        ini(project, "-p no:django", "fail_on_swallowed = true")
        run(project, BROKEN).assert_outcomes(passed=1, failed=1)

    def test_what_is_expected(self, project: pytest.Pytester) -> None:
        """Marked, expected and injected failures are fine; others beside them are not."""
        source = """
        import pytest
        import shop
        from signal_inspector.testing import expect_swallowed, inject_failure, mute

        def place():
            shop.order_placed.send_robust(None)

        @pytest.mark.swallows(exceptions=KeyError, receiver=shop.award_points)
        def test_marked():
            place()

        def test_expected():
            with expect_swallowed(LookupError, signal=shop.order_placed) as swallowed:
                place()
            assert [str(error) for error in swallowed] == ["'no account'"]

        def test_asserted(dispatches):
            place()
            dispatches.assert_failed(shop.award_points, KeyError)

        def test_injected():
            with inject_failure(shop.award_points, RuntimeError("injected")):
                place()

        @pytest.mark.swallows(exceptions=ValueError)
        def test_marked_for_another():
            place()

        def test_another_one_injected():
            with inject_failure(shop.log_order, RuntimeError("injected")):
                place()
        """
        result = run(project, source, "--fail-on-swallowed")
        result.assert_outcomes(passed=4, failed=2)
        assert "  receiver  shop.log_order" not in result.stdout.str()

    def test_in_fixtures(self, project: pytest.Pytester) -> None:
        """What a fixture swallows is an error of the test's set-up or teardown."""
        source = """
        import pytest
        import shop

        @pytest.fixture
        def before():
            shop.order_placed.send_robust(None)

        @pytest.fixture
        def after():
            yield
            shop.order_placed.send_robust(None)

        def test_before(before): ...

        def test_after(after): ...
        """
        result = run(project, source, "--fail-on-swallowed")
        result.assert_outcomes(passed=1, errors=2)

    @in_processes
    def test_outside_of_tests(self, project: pytest.Pytester, workers: tuple[str, ...]) -> None:
        """What is swallowed while tests are collected fails the run, which names it."""
        source = "import shop\nshop.order_placed.send_robust(None)\ndef test_nothing(): ..."
        result = run(project, source, "--fail-on-swallowed", *workers)
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            ["*failures that send_robust swallowed outside of any test*", "KeyError: 'no account'"]
        )

    def test_a_unittest(self, project: pytest.Pytester) -> None:
        """A test case of unittest fails as well, and a failing test tells of it beside."""
        source = """
        import unittest
        import shop

        class ShopTest(unittest.TestCase):
            def test_places(self):
                shop.order_placed.send_robust(None)

            def test_fails(self):
                shop.order_placed.send_robust(None)
                self.fail("for another reason")
        """
        result = run(project, source, "--fail-on-swallowed")
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines(
            ["*for another reason*", "*failures that send_robust swallow*"]
        )

    def test_xfail(self, project: pytest.Pytester) -> None:
        """A test that is known to swallow is marked xfail as any failing test, strict or not."""
        source = """
        import unittest
        import pytest
        import shop

        @pytest.mark.xfail
        def test_known():
            shop.order_placed.send_robust(None)

        @pytest.mark.xfail(strict=True, raises=pytest.fail.Exception)
        def test_known_strictly():
            shop.order_placed.send_robust(None)

        @pytest.mark.xfail(raises=ZeroDivisionError)
        def test_known_for_another_failure():
            shop.order_placed.send_robust(None)

        class ShopTest(unittest.TestCase):
            @pytest.mark.xfail(strict=True)
            def test_known(self):
                shop.order_placed.send_robust(None)

        def test_skipped():
            shop.order_placed.send_robust(None)
            pytest.skip("not today")
        """
        result = run(project, source, "--fail-on-swallowed")
        result.assert_outcomes(xfailed=3, failed=1, skipped=1)


class TestDurations:
    SOURCE = """
    import pytest
    import shop
    from signal_inspector.testing import delay

    @pytest.mark.parametrize("number", range(4))
    def test_places(number):
        with delay(shop.log_order, 0.3 if number == 2 else 0):
            shop.order_placed.send_robust(None)
    """

    @in_processes
    def test_the_slowest(self, project: pytest.Pytester, workers: tuple[str, ...]) -> None:
        """The slowest receiver is told with calls, total, maximum and its worst test."""
        result = run(project, self.SOURCE, "--signal-durations=1", *workers)
        result.assert_outcomes(passed=4)
        result.stdout.fnmatch_lines(["*= slowest 1 receivers of signals =*"])
        [row] = re.findall(r"^ .*shop\.\w+.*$", result.stdout.str(), re.MULTILINE)
        total, unit, most, _, calls, receiver, worst = row.split()
        assert (calls, receiver) == ("4", "shop.log_order")
        assert worst == "test_shop.py::test_places[2]"
        assert unit == "ms"
        assert float(total) >= float(most) >= 300

    def test_all_by_ini(self, project: pytest.Pytester) -> None:
        """signal_durations = 0 shows all of them."""
        ini(project, "-p no:django", "signal_durations = 0")
        result = run(project, self.SOURCE)
        result.stdout.fnmatch_lines(["* shop.log_order *", "* shop.award_points *"])


@pytest.mark.parametrize("option", ["--signal-durations=-1", "--override-ini=signal_durations=x"])
def test_wrong_numbers(project: pytest.Pytester, option: str) -> None:
    """A number that is none is refused before any test runs."""
    result = run(project, BROKEN, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*signal_durations: *"])


def test_a_wrong_marker(project: pytest.Pytester) -> None:
    """A marker that names no receiver is told."""
    source = """
    import pytest

    @pytest.mark.swallows(receiver="award_points")
    def test_nothing(): ...
    """
    result = run(project, source, "--fail-on-swallowed")
    assert result.ret != 0
    assert "pytest.mark.swallows: What is expected" in result.stdout.str() + result.stderr.str()
