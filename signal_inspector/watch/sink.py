"""``WatchSink``: sends each dispatch to all watchers, and costs little while there are none."""

from __future__ import annotations

import os
import selectors
import threading
import weakref
from pathlib import Path
from time import sleep
from typing import Final

from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.listening import context, sinks
from signal_inspector.core.listening.sinks import Observer, Sink
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import monotonic
from signal_inspector.core.record.values import Details, SendMethod
from signal_inspector.display.text import process, process_name
from signal_inspector.watch import wire
from signal_inspector.watch.wire import GoneError, Line, Place, RefusedError, place

#: Seconds between two looks for watchers.
INTERVAL: Final = 1.0

#: The details that are gathered while there is a watcher.
DETAILS: Final = (
    Details.PAYLOAD | Details.CALLER | Details.TRACEBACK | Details.TRANSACTION | Details.TRACE
)


_sinks: weakref.WeakSet[WatchSink] = weakref.WeakSet()


class WatchSink(Sink):
    """List it in ``SINKS``, and ``manage.py signals watch`` shows what this process sends.

    It looks for watchers when a signal is sent, at most once a second. It has no thread, except
    while a watcher is slow to receive what it was sent.
    """

    details = Details.NONE

    def __init__(self) -> None:
        self._next_look = 0.0
        self._is_alone = True
        self._lines: dict[Path, Line] = {}
        self._place: Place | None = None
        self._config: object = None
        self._process = ""  # as watchers show it; worked out for the first dispatch sent to one
        self._lock = threading.RLock()
        self._drainer: threading.Thread | None = None
        _sinks.add(self)

    def is_idle(self) -> bool:
        # Kept short, because every dispatch of a process without watchers runs this.
        if monotonic() >= self._next_look:
            self._look()
        return self._is_alone

    def observer_for(
        self,
        signal: str,  # noqa: ARG002
        sender: str,  # noqa: ARG002
        method: SendMethod,  # noqa: ARG002
        receivers: int | None,  # noqa: ARG002
    ) -> Observer | None:
        return None if self._is_alone else _Telling(self)

    def send(self, dispatch: Dispatch) -> None:
        """Send a dispatch that has ended to all watchers."""
        if not self._process:
            self._process = process(process_name(), os.getpid())
        line = wire.dispatch_line(dispatch, self._process)
        lines = list(self._lines.values())
        for each in lines:
            each.offer(line)
        if any(each.has_waiting for each in lines):
            self._drain()
        if any(each.is_closed for each in lines):
            self._next_look = 0.0

    def close(self) -> None:
        """Disconnect from all watchers; the next look finds them again."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.close()
        self._next_look = 0.0

    def _look(self) -> None:
        self._next_look = monotonic() + INTERVAL
        try:
            if not self._lock.acquire(blocking=False):  # another thread is looking already
                return
            self._meet()
        except RefusedError as error:
            internal_errors.report("the directory of watchers", error)
        except Exception as error:
            internal_errors.report("looking for watchers", error)
        finally:
            # A handler of an operating system signal may raise here once the lock is taken.
            if self._lock._is_owned():  # type: ignore[attr-defined]
                self._lock.release()

    def _meet(self) -> None:
        """Connect to new watchers, and forget those that have gone."""
        if self._place is None or self._config is not get_config():
            self._config, self._place = get_config(), place()
        lines = dict(self._lines)
        for line in lines.values():
            line.look()
        lines = {path: line for path, line in lines.items() if not line.is_closed}
        for path in self._place.watchers():
            if path not in lines:
                called = _call(path)
                if called is not None:
                    lines[path] = called
        self._lines = lines
        is_alone = not lines
        if is_alone is not self._is_alone:
            self.details = Details.NONE if is_alone else DETAILS
            self._is_alone = is_alone
            sinks.refresh_sinks()

    def _drain(self) -> None:
        """Start a thread that sends what watchers have not received yet."""
        with self._lock:
            if self._drainer is not None:
                return
            drainer = threading.Thread(
                target=self._send_on, name="signal_inspector.watch", daemon=True
            )
            self._drainer = drainer
        try:
            drainer.start()
        except RuntimeError:  # the process ends, or has too many threads: the next send retries
            self._drainer = None

    def _send_on(self) -> None:
        try:
            with context.suppress():
                while self._send_some():
                    pass
        except Exception as error:
            internal_errors.report("sending to watchers", error)
            self._drainer = None

    def _send_some(self) -> bool:
        """Wait until a watcher receives something; return whether there may be more to send."""
        with self._lock:
            waiting = [line for line in self._lines.values() if line.has_waiting]
            if not waiting:
                self._drainer = None
                return False
        try:
            with selectors.DefaultSelector() as selector:
                for line in waiting:
                    read = line.waits_to_hear
                    selector.register(
                        line.socket, selectors.EVENT_READ if read else selectors.EVENT_WRITE
                    )
                selector.select(INTERVAL)
        except (OSError, ValueError, KeyError):  # closed meanwhile
            sleep(0.05)
        for line in waiting:
            line.pump()
        return True

    def _forked(self) -> None:
        """Forget the connections, the thread and the process, which are the parent's."""
        self._process = ""
        self._lock = threading.RLock()
        self._drainer = None
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.forget()
        self._next_look = 0.0


class _Telling(Observer):
    """Hands a dispatch to the sink when it has ended."""

    by_receiver = False

    def __init__(self, sink: WatchSink) -> None:
        self._sink = sink

    def finished(self, error: BaseException | None) -> None:  # noqa: ARG002
        if hasattr(self, "dispatch"):  # otherwise none was recorded
            self._sink.send(self.dispatch)


def _call(path: Path) -> Line | None:
    """Connect to a watcher; None if there is none, or not yet."""
    try:
        return Line(path, process_name())
    except GoneError:
        # A watcher listens before it puts the socket there, so this one was killed.
        path.unlink(missing_ok=True)
    except BlockingIOError:  # too many processes connect at once
        pass
    except FileNotFoundError:  # the watcher has just ended
        pass
    except RefusedError as error:
        internal_errors.report("a foreign file in the directory of watchers", error)
    except (ValueError, KeyError, TypeError) as error:
        internal_errors.report("reading the address of a watcher", error)
    except OSError as error:  # only for this watcher: the others are still called
        internal_errors.report("connecting to a watcher", error)
    return None


@process_state.in_child
def _forked() -> None:
    for sink in list(_sinks):
        try:
            sink._forked()
        except Exception as error:
            internal_errors.report("forgetting a parent's watchers", error)
