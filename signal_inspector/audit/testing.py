"""For tests: nothing is written while tests run, unless a test asks for it."""

from __future__ import annotations

from contextlib import ContextDecorator
from types import TracebackType

from signal_inspector.audit import sink
from signal_inspector.audit.attribution import processes
from signal_inspector.audit.delivery.base import Delivery
from signal_inspector.audit.delivery.current import delivery_class, process
from signal_inspector.core.listening import sinks


class audited(ContextDecorator):  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Keep what is sent inside: ``with audited(): ...``, or as a decorator. It can be nested.

    A dispatch is written at once on the connection of the code that sends it, in a savepoint if a
    transaction is open. So the test can look at it, and it is rolled back with the test's
    transaction. The queries that write it are neither counted nor logged. The test must be
    allowed to use the database. This applies to all threads of the process.

    ``delivery`` is the name of another delivery, which is flushed and closed at the end.
    """

    def __init__(self, delivery: str = "inline") -> None:
        self._name = delivery
        self._before: list[Delivery | None] = []

    def __enter__(self) -> None:
        delivery_class(self._name)
        process.asked.append(self._name)
        self._before.append(process.use(None))
        sink.listen().asked += 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        listening = sink.listen()
        listening.asked -= 1
        if not listening.asked:
            sinks.remove_sink(listening)
        process.asked.pop()
        delivery = process.use(self._before.pop())
        if delivery is not None:
            delivery.close(processes.EXIT_SECONDS)
