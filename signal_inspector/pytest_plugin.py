"""The pytest plugin: fixtures, markers and two options. It imports very little until it is used.

Django is not imported before a test or an option needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from signal_inspector.testing import CapturedDispatches
    from signal_inspector.testing.captures import Receiver, SignalOrName

_MARKERS = (
    (
        "dispatches(*signals, also=(), threads=False): the signals that the fixture `dispatches` "
        "captures"
    ),
    (
        "swallows(exceptions=Exception, receiver=None, signal=None): failures that send_robust() "
        "may swallow"
    ),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("signal_inspector", "Django's signals")
    group.addoption(
        "--fail-on-swallowed",
        action="store_true",
        default=None,
        help="fail tests in which send_robust() swallows an unexpected failure",
    )
    group.addoption(
        "--signal-durations",
        type=int,
        default=None,
        metavar="N",
        help="show the N slowest receivers of signals (N=0 for all)",
    )
    parser.addini("fail_on_swallowed", "as --fail-on-swallowed", type="bool", default=False)
    parser.addini("signal_durations", "as --signal-durations", default="")


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    swallowed = config.getoption("--fail-on-swallowed") or config.getini("fail_on_swallowed")
    durations = _durations(config)
    if not swallowed and durations is None:
        return
    from signal_inspector.testing import run  # noqa: PLC0415 - imports Django

    if swallowed:
        config.pluginmanager.register(run.SwallowWatch(), "signal_inspector_swallowed")
    if durations is not None:
        config.pluginmanager.register(run.DurationWatch(durations), "signal_inspector_durations")


def _durations(config: pytest.Config) -> int | None:
    asked: int | None = config.getoption("--signal-durations")
    written: str = config.getini("signal_durations")
    if asked is None and written:
        try:
            asked = int(written)
        except ValueError:
            raise pytest.UsageError(f"signal_durations: {written!r} is not a number.") from None
    if asked is not None and asked < 0:
        raise pytest.UsageError("signal_durations: must be at least 0.")
    return asked


@pytest.fixture
def dispatches(request: pytest.FixtureRequest) -> Iterator[CapturedDispatches]:
    """The dispatches from here to the end of the test, with assertions about them.

    ``@pytest.mark.dispatches`` takes the arguments of ``capture_dispatches``.
    """
    from signal_inspector.testing import capture_dispatches  # noqa: PLC0415 - imports Django

    marker = request.node.get_closest_marker("dispatches")
    args, kwargs = (marker.args, marker.kwargs) if marker else ((), {})
    if "live_server" in request.fixturenames:  # it answers in its own thread
        kwargs = {"threads": True, **kwargs}
    with capture_dispatches(*args, **kwargs) as captured:
        yield captured
    captured.clear()


@pytest.fixture
def muted() -> Iterator[Callable[..., None]]:
    """``muted(order_placed, send_welcome_email)`` mutes them until the end of the test."""
    from signal_inspector.testing import mute  # noqa: PLC0415 - imports Django

    with ExitStack() as stack:

        def mute_until_the_end(
            *targets: SignalOrName | Receiver, signal: SignalOrName | None = None
        ) -> None:
            stack.enter_context(mute(*targets, signal=signal))

        yield mute_until_the_end
