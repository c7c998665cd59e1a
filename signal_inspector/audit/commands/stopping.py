"""Letting SIGTERM and Ctrl-C end a piece of work where it can be left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """``with Stop() as stop: … if stop.asked: break``. The second time it ends at once."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._is_allowed = False
        #: The signal that came; None: go on.
        self.asked: signal.Signals | None = None

    @property
    def status(self) -> int:
        """The exit status, as shells have it."""
        return 0 if self.asked is None else 128 + self.asked

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Where it may end at once, by ``SystemExit``, also for a signal that came before."""
        self._is_allowed = True
        try:
            if self.asked is not None:
                raise SystemExit(self.status)
            yield
        finally:
            self._is_allowed = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        again, self.asked = self.asked is not None, signal.Signals(number)
        if again or self._is_allowed:
            raise SystemExit(self.status)
