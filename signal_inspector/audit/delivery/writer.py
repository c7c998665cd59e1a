"""The thread that writes: one per process, on its own connection.

That is neither one of Django's connections nor one from its pool: see ``own_connections``.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from signal_inspector.audit.attribution import processes
from signal_inspector.audit.delivery.base import NOT_NOW, correct, put_off, written
from signal_inspector.audit.delivery.gaps import HEARTBEAT_SECONDS, Register, losses
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.own_connections import OwnConnection
from signal_inspector.audit.models import GapReason, TransactionOutcome
from signal_inspector.audit.rows import Rows
from signal_inspector.audit.settings import Audit
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import SILENCE, current
from signal_inspector.core.record.ids import monotonic

#: After an idle time, the thread waits so long (s) for dispatches that follow the first one, and
#: writes them together.
_LINGER: Final = 0.05
_FIRST_PAUSE: Final = 0.5  # seconds after a first failure; doubled with each further one
_LONGEST_PAUSE: Final = 30.0
_TRIES: Final = 3  # to write a batch that fails for another reason than the database
_NEVER: Final = 1 << 62
_HOLD_SECONDS: Final = 0.5  # the longest that a fork waits for a write


class RowSource(Protocol):
    """Where the rows come from."""

    @property
    def waiting(self) -> int:
        """How many dispatches are to be written, including those of open transactions."""

    def ready(self) -> int:
        """How many of them can be written now."""

    def fetch(self, limit: int, *, is_last: bool) -> Sequence[Rows]:
        """The next rows to write; the same ones until they are confirmed. Empty: none now.

        With ``is_last``, rows whose transaction is still open are included.
        """

    def confirm(self) -> None:
        """Note that what was fetched last is in the log, or counted as lost."""

    def corrections(self) -> list[tuple[UUID, TransactionOutcome]]:
        """Outcomes that became known after their dispatches were written."""

    def corrected(self) -> None:
        """Note that these corrections are in the log."""

    def give_up(self) -> int:
        """Drop everything at the end of the process; return how many dispatches are lost."""

    def oldest_ns(self) -> int | None:
        """Unix time (ns) at which the oldest waiting dispatch was sent; None if unknown.

        Sources that lose nothing answer None.
        """


class BackgroundWriter:
    """Writes what its source has: at once after an idle time, otherwise every second.

    A sender only compares how many dispatches wait with ``wake_at``, and calls ``wake`` if there
    are that many. The first ``wake`` starts the thread, so a process that sends nothing has none.
    """

    def __init__(self, source: RowSource, settings: Audit, delivery: str) -> None:
        self._source = source
        self._settings = settings
        self._using = settings.database
        self._delivery = delivery
        self._begin()

    def _begin(self) -> None:
        #: The thread is woken when so many dispatches wait: 1 while it is idle or not running.
        self.wake_at = 1
        self.is_cut_off = False  # whether the database cannot be written to now
        self._thread: threading.Thread | None = None
        self._own = OwnConnection(self._using)
        self._starting = threading.Lock()
        self._turn = threading.Lock()
        self._is_held = False
        self._event = threading.Event()
        self._answer = threading.Condition()
        self._asked = self._answered = 0
        self._deadline: float | None = None  # set when the writer is closed
        self._pause = 0.0
        self._failures = 0
        self._began = self._last_write = 0.0
        self._last_work = 0.0
        self._register = Register(self._using, self._delivery)

    def hold(self) -> None:
        """Wait briefly until the thread is between two writes, and keep it there.

        A fork in the middle of a write would copy locks that the child never releases: of modules
        that are being imported, of the driver, of its memory. The connection would be copied as
        well, so it is closed.
        """
        self._is_held = self._turn.acquire(timeout=_HOLD_SECONDS)
        if self._is_held:
            self._own.close()

    def go_on(self) -> None:
        """Let the thread write again."""
        if self._is_held:
            self._is_held = False
            self._turn.release()

    def forked(self) -> None:
        """Start with nothing in a forked child."""
        self._own.forget()
        self._begin()

    # In any thread:

    def wake(self) -> None:
        """Wake the thread, or start it if it does not run."""
        self.wake_at = _NEVER
        if self._thread is None:
            self._start()
        self._event.set()

    def flush(self, timeout: float) -> bool:
        """Write all that can be written now; False if ``timeout`` seconds are not enough."""
        if self._thread is None and not self._source.waiting and not losses.has_news:
            return True
        with self._answer:
            self._asked += 1
            asked = self._asked
        if not self._start():
            return self._deadline is None and self._work(is_last=False)
        self._event.set()
        with self._answer:
            return self._answer.wait_for(lambda: self._answered >= asked, timeout)

    def close(self, timeout: float) -> bool:
        """Write everything, also what was sent in open transactions, and end the thread."""
        if self._deadline is not None:
            return True
        self._deadline = monotonic() + timeout
        self.wake_at = _NEVER
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._event.set()
            thread.join(timeout)
        elif self._source.waiting or losses.has_news:
            self._finish()
        self._own.close()
        oldest = self._source.oldest_ns()
        left = self._source.give_up()
        if left:
            detail = "The database did not accept them in time."
            losses.lose(GapReason.SHUTDOWN, left, detail, since_ns=oldest)
        return not left

    def _start(self) -> bool:
        """Start the thread if it does not run; whether it runs now."""
        with self._starting:
            if self._thread is None and self._deadline is None:
                thread = threading.Thread(target=self._run, name="signal-audit", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # At the interpreter's shutdown, close() writes without the thread.
                    if "shutdown" not in str(error):
                        internal_errors.report("starting the writer of the audit", error)
                    return False
                self._thread = thread
                processes.expect_children_end()
        return self._thread is not None

    # In the thread:

    def _run(self) -> None:
        current.set(SILENCE)
        self._began = monotonic()
        try:
            while self._deadline is None:
                self._rest()
                if self._deadline is None:
                    self._work(is_last=False)
            self._finish()
        except BaseException as error:
            internal_errors.note("the writer of the audit", error)
        finally:
            self._own.close(_HOLD_SECONDS)
            self._thread = None
            if self._deadline is None:
                self.wake_at = 1

    def _finish(self) -> None:
        """Write for the last time, repeatedly until it succeeds or the time is up."""
        while not self._work(is_last=True):
            left = (self._deadline or 0) - monotonic()
            if left <= 0:
                return
            time.sleep(min(self._pause, left))

    def _rest(self) -> None:
        """Sleep until there is something to do."""
        self._event.clear()
        if self._pause:
            self._event.wait(self._pause)
            return
        if self._is_wanted():
            return
        if not self._source.ready():
            if self._is_idle():
                self._own.close()
            self.wake_at = 1
            if not self._source.ready():  # again, as one may have come before wake_at was set
                self._event.wait(self._idle_seconds())
            self.wake_at = _NEVER
            if not self._source.ready() or self._is_wanted():
                return
            self._event.clear()
        self._say_that_some_wait()
        self.wake_at = self._settings.batch_size
        if self._source.ready() < self.wake_at and not self._is_wanted():
            since = monotonic() - self._last_write
            self._event.wait(max(_LINGER, self._settings.flush_seconds - since))
        self.wake_at = _NEVER

    def _is_wanted(self) -> bool:
        """Whether flush() or close() waits for this thread."""
        return self._asked != self._answered or self._deadline is not None

    def _is_idle(self) -> bool:
        busy_at = max(self._began, self._last_write)
        return monotonic() - busy_at > own_connections.IDLE_SECONDS

    def _idle_seconds(self) -> float:
        if self._source.waiting:  # for the end of a transaction, which nothing reports
            return self._settings.flush_seconds
        # An idle process has to open a connection for each heartbeat, so it sends fewer.
        pause = own_connections.IDLE_SECONDS if self._is_idle() else HEARTBEAT_SECONDS
        return max(pause - (monotonic() - self._last_work), 0.1)

    def _say_that_some_wait(self) -> None:
        """Note in the log that dispatches wait, so that a kill of the process leaves a gap."""
        try:
            with self._turn, self._own.used():
                self._register.beat(self._source.waiting, is_due=False)
        except NOT_NOW:
            pass  # the write that follows fails in the same way
        except Exception as error:
            internal_errors.report("the writer's row in the audit", error)

    def _work(self, *, is_last: bool) -> bool:
        """Write everything that can be written; False if that failed."""
        with self._turn:
            asked = self._asked
            try:
                with self._own.used():
                    self._write_all(is_last)
            except NOT_NOW as error:
                self._be_cut_off(error)
                return False
            except Exception as error:
                self._fail(error)
                return False
            self._pause, self._failures, self.is_cut_off = 0.0, 0, False
            self._last_work = monotonic()
        with self._answer:
            self._answered = asked
            self._answer.notify_all()
        return True

    def _write_all(self, is_last: bool) -> None:
        register = self._register
        register.beat(self._source.waiting, is_due=not register.is_known)
        while rows := self._source.fetch(self._settings.batch_size, is_last=is_last):
            register.count(written(rows, self._using))
            self._source.confirm()
            self._last_write = monotonic()
            self._failures = 0
        correct(self._source.corrections(), self._using)
        self._source.corrected()
        losses.write(self._using, is_last=is_last)
        register.beat(self._source.waiting, is_due=False)
        if is_last:
            register.stop(self._source.waiting)

    def _be_cut_off(self, error: BaseException) -> None:
        """Prepare for a pause, as the database is away; what was fetched is fetched again."""
        self.is_cut_off = True
        put_off(error, self._using)
        self._failures += 1
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        self._pause = pause * random.uniform(0.5, 1.0)  # noqa: S311 - so that processes differ
        self._own.close()

    def _fail(self, error: Exception) -> None:
        """Report a failure that is not the database's; after a few tries give up the batch."""
        internal_errors.report("writing the audit log", error)
        self._failures += 1
        self._pause = _FIRST_PAUSE
        if self._failures >= _TRIES:
            rows = self._source.fetch(self._settings.batch_size, is_last=True)
            losses.lose(GapReason.FAILURE, len(rows), f"{type(error).__name__} while writing")
            self._source.confirm()
            self._failures = 0
