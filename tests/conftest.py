"""Fixtures for every test."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from unittest import mock

import hypothesis
import pytest

from signal_inspector import conf
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import context, sinks
from signal_inspector.core.wrapper import subclasses

# A shell lets what it starts in the background ignore Ctrl-C, and so would what tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of what is tested.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """Settings read anew and no failure counted: no test sees another one's."""
    conf.forget_config()
    internal_errors.reset()
    yield
    conf.forget_config()
    internal_errors.reset()


@pytest.fixture
def nothing_failed() -> Iterator[None]:
    """For tests in which nothing of ours may fail, not in silence either."""
    yield
    assert internal_errors.counts() == {}


@pytest.fixture
def nothing_left(nothing_failed: None) -> Iterator[None]:
    """For tests after which nothing of ours may be left in the context either."""
    before = context.current.get()
    yield
    assert context.current.get() is before


@pytest.fixture(scope="session", autouse=True)
def _no_audit() -> None:
    """The audit stops to listen at the first dispatch of a test run: here, before the first."""
    from signal_inspector.audit import sink

    if sink.installed is not None:
        sinks.remove_sink(sink.installed)


@pytest.fixture(scope="session", autouse=True)
def _code_is_read_once() -> Iterator[None]:
    """Tests install the wrapper hundreds of times, on the many subclasses of Signal they have."""
    with mock.patch.object(subclasses, "_calls", functools.cache(subclasses._calls)):
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Two for each core where most of the time is spent waiting for programs; else one."""
    waits = config.getoption("markexpr").startswith(("otlp", "programs"))
    return 2 * (os.cpu_count() or 1) if waits else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of few tests: these start programs, and none should be the last."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (tests[item.path], item.path))


def pytest_collection_finish() -> None:
    """What is there by now stays: collections of garbage, which many tests ask for, pass it by."""
    gc.collect()
    gc.freeze()


@contextmanager
def _thawed() -> Iterator[None]:
    """Collections pass nothing by; what is left after that stays again, without any garbage."""
    gc.unfreeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()
        gc.freeze()


@pytest.fixture
def all_objects_seen() -> Iterator[None]:
    """For a test that looks for an object, or who holds one, among all objects."""
    with _thawed():
        yield


@pytest.fixture(scope="module")
def _nothing_stays_frozen() -> Iterator[None]:
    """For a module whose tests freeze what they have made."""
    with _thawed():
        gc.freeze()
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What tests log may be hostile text: with several processes it has to go to another one."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium. Without one the test is skipped; with CI=true it fails."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing = f"no browser found: none of {', '.join(names)} is on PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found
