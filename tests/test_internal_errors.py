"""Failures of ours: logged once per kind, counted always."""

from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest

from signal_inspector.core import internal_errors


def test_the_first_of_a_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is an error of "signal_inspector", with its traceback but no secret.

    The exception itself would tell all of it to whoever handles the record.
    """
    try:
        raise ValueError("ours, password=hunter2")
    except ValueError as error:
        internal_errors.report("a test", error)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("signal_inspector", logging.ERROR)
    assert "failed in a test" in record.getMessage()
    assert record.exc_info is None
    assert "test_internal_errors.py" in record.getMessage()
    assert record.getMessage().endswith("ValueError: ours, password=[redacted]")


def test_further_ones_are_only_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The second failure of a kind is not logged, and counted."""
    for _ in range(5):
        internal_errors.report("a test", ValueError())
    assert (len(caplog.records), internal_errors.counts()) == (1, {"a test": 5})


def test_kinds_are_kept_apart(caplog: pytest.LogCaptureFixture) -> None:
    """Another kind is logged and counted by itself."""
    internal_errors.report("one", ValueError())
    internal_errors.report("two", ValueError())
    assert (len(caplog.records), internal_errors.counts()) == (2, {"one": 1, "two": 1})


def test_after_a_reset_the_first_is_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    """reset() forgets counts, and what was logged."""
    internal_errors.report("a test", ValueError())
    internal_errors.reset()
    assert internal_errors.counts() == {}
    internal_errors.report("a test", ValueError())
    assert len(caplog.records) == 2


def test_counts_are_a_copy() -> None:
    """What counts() gave does not change with the next failure."""
    before = internal_errors.counts()
    internal_errors.report("a test", ValueError())
    assert before == {}


def test_threads_count_together(caplog: pytest.LogCaptureFixture) -> None:
    """Failures in many threads are all counted, and logged once."""
    error = ValueError()

    def work() -> None:
        for _ in range(200):
            internal_errors.report("a test", error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(caplog.records), internal_errors.counts()) == (1, {"a test": 1_600})


def test_a_report_during_a_report_is_no_deadlock() -> None:
    """Code that runs while the count is taken, as finalizers do, may fail as well."""
    with internal_errors.lock:
        internal_errors.report("a test", ValueError())
    assert internal_errors.counts() == {"a test": 1}


def test_no_exception_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reported exception is not kept once it was logged."""

    class OurError(Exception):
        """Weakly referenceable."""

    monkeypatch.setattr(internal_errors.logger, "disabled", True)  # pytest keeps what is logged
    error = OurError()
    gone = weakref.ref(error)
    internal_errors.report("a test", error)
    del error
    gc.collect()
    assert gone() is None
