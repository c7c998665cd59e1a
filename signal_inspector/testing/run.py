"""What the pytest plugin watches in a run if its options are given; works under xdist too."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import pytest

from signal_inspector.conf import Limits
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import Sink
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome
from signal_inspector.display.numbers import duration
from signal_inspector.display.text import exception_line, place
from signal_inspector.names import receiver_name
from signal_inspector.payload import summarize_exception
from signal_inspector.testing import contexts
from signal_inspector.testing.messages import OPEN_REDACTOR, indented
from signal_inspector.testing.swallowed import (
    Expectation,
    SwallowCapture,
    Swallowed,
    expect,
    expect_no_longer,
    is_expected,
    was_asserted,
    watch,
)

_LIMITS: Final = replace(Limits(), traceback_length=4_000)
_TITLE: Final = "failures that send_robust swallowed"
_DURATIONS: Final = "signal_inspector_durations"
_LEFT: Final = "signal_inspector_swallowed"


@dataclass(slots=True)
class Duration:
    """The time that all calls of one receiver took."""

    calls: int = 0
    total_ns: int = 0
    max_ns: int = 0
    worst: str = ""  # the test that made the longest call

    def add(self, calls: int, total_ns: int, max_ns: int, worst: str) -> None:
        """Add more calls."""
        self.calls += calls
        self.total_ns += total_ns
        if max_ns > self.max_ns or not self.worst:
            self.max_ns, self.worst = max_ns, worst


class DurationSink(Sink):
    """Adds up the time that receivers take, by their names; keeps no records."""

    def __init__(self) -> None:
        self.test = ""  # the test that is running
        self._by_receiver: dict[str, Duration] = {}

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        for call in dispatch.calls:
            if call.timed and call.outcome not in (Outcome.SKIPPED, Outcome.RUNNING):
                known = self._by_receiver.setdefault(call.receiver, Duration())
                known.add(1, call.duration_ns, call.duration_ns, self.test)

    def as_dict(self) -> dict[str, dict[str, int | str]]:
        """The times as plain data that can be sent to another process."""
        return {name: asdict(known) for name, known in self._by_receiver.items()}

    def merge(self, plain: dict[str, dict[str, int | str]]) -> None:
        """Add the times that another process has measured."""
        for name, known in plain.items():
            self._by_receiver.setdefault(name, Duration()).add(**known)  # type: ignore[arg-type]

    def lines(self, count: int) -> list[str]:
        """The ``count`` receivers that took longest in total, as a table; all of them for 0."""
        slowest = sorted(self._by_receiver.items(), key=lambda item: -item[1].total_ns)
        if not slowest:
            return ["no receivers were called"]
        return list(_table(slowest[: count or None]))


def _table(rows: Iterable[tuple[str, Duration]]) -> Iterable[str]:
    yield f"{'total':>10}  {'max':>10}  {'calls':>7}  receiver, and the test of its longest call"
    for name, known in rows:
        total, most = (duration(ns) for ns in (known.total_ns, known.max_ns))
        worst = f"  {known.worst}" if known.worst else ""
        yield f"{total:>10}  {most:>10}  {known.calls:>7}  {name}{worst}"


class SwallowWatch:
    """``--fail-on-swallowed``: fail a test if a robust send swallows an unexpected failure in it.

    A failure swallowed outside of any test, such as during collection, fails the whole run.
    """

    def __init__(self) -> None:
        self._capture = SwallowCapture(self._note)
        self._pending: list[tuple[Exception, str]] = []  # since the last call of take()
        self._outside: list[str] = []
        self._raised: BaseException | None = None  # in the test phase that has just ended

    def _note(self, swallowed: Swallowed) -> None:
        if not is_expected(swallowed):
            self._pending.append((swallowed.error, _told(swallowed)))

    def take(self) -> list[str]:
        """Descriptions of the failures that were swallowed since the last call."""
        texts = [text for error, text in self._pending if not was_asserted(error)]
        self._pending.clear()
        watch(on=True)
        return texts

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self._capture.open()
        watch(on=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._outside += self.take()
        expectations = [_expectation(mark) for mark in item.iter_markers("swallows")]
        for expectation in expectations:
            expect(expectation)
        try:
            return (yield)
        finally:
            for expectation in expectations:
                expect_no_longer(expectation)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        return (yield from self._judged())

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        return (yield from self._judged())

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        return (yield from self._judged())

    def _judged(self) -> Generator[None, object, object]:
        """Raise inside the phase, as the test itself would, so that xfail and --pdb work."""
        __tracebackhide__ = True
        result = yield
        texts = self.take()
        if texts:
            self._raised = pytest.fail.Exception("\n".join([_title(texts), *texts]), pytrace=False)
            raise self._raised
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        texts = self.take()  # left over if the phase failed or was skipped for another reason
        raised, self._raised = self._raised, None
        if raised is not None and (call.excinfo is None or call.excinfo.value is not raised):
            texts.append(str(raised))  # unittest reports a failure of its own instead of ours
        if texts:
            report.sections.append((_TITLE, "\n".join([_title(texts), *texts])))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._outside += self.take()
        self._capture.close()
        watch(on=False)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_LEFT] = self._outside
        if self._outside and session.exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._outside += getattr(node, "workeroutput", {}).get(_LEFT, [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._outside:
            terminalreporter.section(f"{_TITLE} outside of any test")
            for text in self._outside:
                terminalreporter.write_line(text)


class DurationWatch:
    """``--signal-durations=N``: the slowest receivers of the run."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._sink = DurationSink()

    def pytest_sessionstart(self) -> None:
        contexts.acquire_wrapper()
        sinks.add_sink(self._sink)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._sink.test = item.nodeid
        try:
            return (yield)
        finally:
            self._sink.test = ""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        sinks.remove_sink(self._sink)
        contexts.release_wrapper()
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_DURATIONS] = self._sink.as_dict()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._sink.merge(getattr(node, "workeroutput", {}).get(_DURATIONS, {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        which = f"slowest {self._count} receivers" if self._count else "slowest receivers"
        terminalreporter.section(f"{which} of signals")
        for line in self._sink.lines(self._count):
            terminalreporter.write_line(line)


def _expectation(mark: pytest.Mark) -> Expectation:
    if mark.args:
        raise pytest.UsageError(
            "@pytest.mark.swallows takes keyword arguments only: write exceptions=... . Pytest "
            "would decorate a class that is passed as the only positional argument."
        )
    try:
        return Expectation(**mark.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"@pytest.mark.swallows: {error}") from error


def _title(texts: list[str]) -> str:
    what = "a failure" if len(texts) == 1 else f"{len(texts)} failures"
    return f"send_robust swallowed {what} that the test did not expect:"


def _told(swallowed: Swallowed) -> str:
    dispatch = swallowed.dispatch
    failure = summarize_exception(
        swallowed.error, _LIMITS, with_traceback=True, redactor=OPEN_REDACTOR
    )
    caller = f" at {place(*dispatch.caller)}" if dispatch.caller else ""
    lines = [
        exception_line(failure.exception_class, failure.message),
        f"  receiver  {_receiver(swallowed)}",
        f"  sent      {dispatch.signal} by {dispatch.method.value}(){caller}",
        indented([(failure.traceback or "").rstrip()]),
    ]
    return "\n".join(lines)


def _receiver(swallowed: Swallowed) -> str:
    if swallowed.receiver is None:
        return "unknown"
    name = receiver_name(swallowed.receiver)
    at = place(name.path, name.line)
    return f"{name.name} ({at})" if at else name.name
