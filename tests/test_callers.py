"""Who sends: the line that does, and the project's that led to it."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.dispatch import Signal
from django.test import TestCase

from signal_inspector import capture
from signal_inspector.core.record.callers import callers_of, is_third_party
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Caller, Details

LIBRARY = """
from django.dispatch import Signal

viewed = Signal()

def notify(signal):
    signal.send(None)

def calls(function):
    return function()
"""


class OwnSignal(Signal):
    """One with methods of its own, as openedx-events has."""

    def send_event(self) -> None:
        self._now()

    def _now(self) -> None:
        super().send(None)


order_placed = Signal()
order_packed = OwnSignal()


@pytest.fixture(autouse=True)
def _received() -> Iterator[None]:
    def receives(**kwargs: Any) -> None: ...

    order_placed.connect(receives)
    order_packed.connect(receives)
    yield
    order_placed.disconnect(receives)
    order_packed.disconnect(receives)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An installed package that sends."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "callers_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("callers_library")
    del sys.modules["callers_library"]


def sent(send: Callable[[], object], details: Details = Details.CALLER) -> Dispatch:
    with capture(details=details) as dispatches:
        send()
    [dispatch] = dispatches
    return dispatch


def line_of(function: Callable[..., Any], offset: int) -> Caller:
    code = function.__code__
    return Caller(__file__, code.co_firstlineno + offset, code.co_qualname)


class TestTheLineThatSends:
    def test_of_the_project(self) -> None:
        """Where the project sends, both are that line."""

        def checkout() -> None:
            order_placed.send(None)

        dispatch = sent(checkout)
        assert dispatch.caller == dispatch.project_caller == line_of(checkout, 1)

    def test_of_an_installed_package(self, library: Any) -> None:
        """The package's line sends; beside it stands the project's that called it."""

        def checkout() -> None:
            library.calls(lambda: library.notify(order_placed))

        dispatch = sent(checkout)
        assert dispatch.caller == Caller(library.__file__, 7, "notify")
        assert dispatch.project_caller is not None
        assert dispatch.project_caller[:2] == line_of(checkout, 1)[:2]

    def test_of_the_signals_own_class(self) -> None:
        """Its method sends; who called it is what one wants to know."""

        def checkout() -> None:
            order_packed.send_event()

        dispatch = sent(checkout)
        assert dispatch.caller == line_of(OwnSignal._now, 1)
        assert dispatch.project_caller == line_of(checkout, 1)

    def test_in_a_receiver(self) -> None:
        """A receiver that sends on is the line of the project."""

        def sends_on(**kwargs: Any) -> None:
            order_placed.send(None)

        signal = Signal()
        signal.connect(sends_on)
        with capture(details=Details.CALLER) as dispatches:
            signal.send(None)
        assert dispatches[1].project_caller == line_of(sends_on, 1)

    def test_with_no_line_of_the_project(self) -> None:
        """A thread that runs nothing but the send has no line of the project on its stack."""
        context = copy_context()

        def start() -> None:
            thread = threading.Thread(target=context.run, args=(order_placed.send, None))
            thread.start()
            thread.join()

        with capture(details=Details.CALLER) as dispatches:
            context = copy_context()
            start()
        [dispatch] = dispatches
        assert dispatch.caller is not None
        assert dispatch.caller.function == "Thread.run"
        assert dispatch.project_caller is None


class TestWhatWasPutOff:
    """Nobody's code calls ``send`` here, so the line of the project that led to it does."""

    def test_run(self) -> None:
        """asyncio.run() of the send itself."""

        def checkout() -> None:
            asyncio.run(order_placed.asend(None))

        dispatch = sent(checkout)
        assert dispatch.caller == dispatch.project_caller == line_of(checkout, 1)

    def test_tasks(self) -> None:
        """A task of its own, by gather() or create_task(): what started the loop."""

        def checkout() -> None:
            async def both() -> None:
                await asyncio.gather(order_placed.asend(None))

            asyncio.run(both())

        dispatch = sent(checkout)
        assert dispatch.caller == dispatch.project_caller == line_of(checkout, 4)

    def test_async_to_sync(self) -> None:
        """The loop runs in another thread, while the project waits for it in this one."""

        def checkout() -> None:
            async_to_sync(order_placed.asend)(None)

        dispatch = sent(checkout)
        assert dispatch.caller == dispatch.project_caller == line_of(checkout, 1)

    def test_sync_to_async_of_a_function(self) -> None:
        """In the thread of an executor it is the project's function that sends."""

        def place() -> None:
            order_placed.send(None)

        def checkout() -> None:
            asyncio.run(sync_to_async(place)())

        assert sent(checkout).caller == line_of(place, 1)

    def test_callbacks_of_a_context(self) -> None:
        """What contextlib calls at its end."""

        def checkout() -> None:
            with ExitStack() as stack:
                stack.callback(order_placed.send, None)

        caller = sent(checkout).caller
        assert caller is not None
        assert caller.function == checkout.__qualname__

    @pytest.mark.django_db(transaction=True)
    def test_on_commit(self) -> None:
        """The line that ended the transaction."""

        def checkout() -> None:
            with transaction.atomic():
                transaction.on_commit(partial(order_placed.send, None))

        dispatch = sent(checkout)
        assert dispatch.caller is not None
        assert dispatch.caller == dispatch.project_caller
        assert dispatch.caller.function == checkout.__qualname__

    @pytest.mark.django_db
    def test_on_commit_in_a_test(self) -> None:
        """captureOnCommitCallbacks() is no sender either."""

        def checkout() -> None:
            with TestCase.captureOnCommitCallbacks(execute=True):
                transaction.on_commit(partial(order_placed.send, None))

        caller = sent(checkout).caller
        assert caller is not None
        assert caller.function == checkout.__qualname__


class TestStack:
    def test_it_has_no_frame_of_ours(self) -> None:
        """Not between a receiver and the send that called it, either."""

        def sends_on(**kwargs: Any) -> None:
            order_placed.send(None)

        def checkout() -> None:
            signal.send(None)

        signal = Signal()
        signal.connect(sends_on)
        with capture(details=Details.STACK) as dispatches:
            checkout()
        functions = [frame.function for frame in dispatches[1].stack[-2:]]
        assert functions == [checkout.__qualname__, sends_on.__qualname__]


def test_a_frame_of_nobody() -> None:
    """Code that was made as it ran, in no module, is the project's."""
    scope: dict[str, Any] = {"callers_of": callers_of}
    exec("def made():\n    return callers_of(None)\n", scope)
    caller, project = scope["made"]()
    assert caller == project == Caller("<string>", 2, "made")


def test_scripts_are_installed() -> None:
    """The celery or gunicorn of an environment is no file of the project."""
    assert is_third_party(str(Path(sys.executable).parent / "celery"))
