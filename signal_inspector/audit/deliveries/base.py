"""The contract of a delivery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.core.checks import CheckMessage

from signal_inspector.audit.gaps import losses
from signal_inspector.audit.models import GapReason
from signal_inspector.audit.rows import Item, Rows
from signal_inspector.audit.scribe import written
from signal_inspector.audit.settings import Audit, get_settings


class Delivery:
    """Takes each audited dispatch from the code that sent it, and sees to it that it is kept.

    ``AUDIT["DELIVERY"]`` names one of those that are built in, or the dotted path of a subclass.
    One instance is made per process when the first dispatch is to be kept, with the settings of
    the audit, and made anew when these change. Subclasses override ``take``, and what they need
    of the rest.

    The rules:

    - ``take`` runs in the thread of the sender, perhaps inside its transaction or its event loop.
      It must not wait, must not send queries into a transaction that is not its own to use, must
      not raise, and must keep a bounded number of items.
    - An item may be read later and in another thread. ``signal_inspector.audit.scribe.rendered``
      makes plain rows of it, which may travel as JSON, and ``self.write`` writes such rows, here
      or in another process; they carry the id of their dispatch, and writing them twice leaves
      them there once.
    - What was taken and will not be kept is counted: ``self.lose``. Nothing is lost silently.
    - A forked child starts with nothing: ``forked`` forgets what the parent has taken.
    """

    #: What the log says a dispatch was delivered by; the dotted path if a subclass sets none.
    name: ClassVar[str] = ""
    #: Whether it writes from a thread of its own: not to a SQLite file that others write to.
    has_own_connection: ClassVar[bool] = True

    def __init__(self, settings: Audit) -> None:
        self.settings = settings
        self.using = settings.database

    @classmethod
    def label(cls) -> str:
        """The name of this way to deliver."""
        return cls.name or f"{cls.__module__}.{cls.__qualname__}"

    @classmethod
    def check(cls, settings: Audit) -> list[CheckMessage]:  # noqa: ARG003
        """What a system check should say about these settings for this way to deliver."""
        return []

    def take(self, item: Item) -> None:
        """Keep this dispatch, or see to it that it will be kept; called when it has ended."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """How many were taken and are neither kept nor counted as lost."""
        return 0

    def flush(self, timeout: float) -> bool:  # noqa: ARG002
        """Keep all that was taken before this call; False if ``timeout`` seconds did not do.

        What was sent in a transaction that is still open may go on waiting.
        """
        return True

    def close(self, timeout: float) -> bool:
        """The same at the end of the process, for open transactions too. Nothing is taken after.

        What is left then is counted as lost.
        """
        return self.flush(timeout)

    def hold(self) -> None:
        """Called before a fork. What a thread has locked then stays locked in the child."""

    def go_on(self) -> None:
        """Called in the parent after a fork."""

    def forked(self) -> None:
        """Start anew in a forked child."""

    @staticmethod
    def lose(reason: GapReason, count: int = 1, detail: str = "") -> None:
        """Count what was taken and will not be kept; it becomes a ``Gap`` in the log.

        That is written with the next ``write``, and else when the process ends.
        """
        losses.lose(reason, count, detail)

    @classmethod
    def write(cls, batch: Iterable[Sequence[Any]]) -> int:
        """Write the rows of dispatches into the log; how many of them are there now.

        In any process: each of ``batch`` is what ``scribe.rendered`` made, perhaps after a way
        through JSON. Those that the database refuses are counted as lost. Raises what
        ``scribe.NOT_NOW`` names where the database takes nothing now: try all of them again later.
        """
        using = get_settings().database
        count = written([Rows(*each) for each in batch], using)
        if losses.has_news:
            losses.write(using)
        return count
