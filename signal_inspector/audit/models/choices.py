"""The numbers that stand for words in the tables of the audit.

They are stored, so a number never changes its meaning.
"""

from __future__ import annotations

from typing import Final

from django.db.models import IntegerChoices

from signal_inspector.core.record import values
from signal_inspector.core.record.values import Outcome, SendMethod


class NameKind(IntegerChoices):
    """What a ``Name`` is the name of."""

    SIGNAL = 1, "signal"
    SENDER = 2, "sender"
    RECEIVER = 3, "receiver"
    EXCEPTION = 4, "exception"
    CALLER = 5, "caller"  # "shop/services.py:131 place_order"
    LOCATION = 6, "location"  # "loyalty/receivers.py:18"
    MODEL = 7, "model"  # "shop.Order"
    PROCESS = 8, "process"  # "web-2, pid 4127, uvicorn"
    DELIVERY = 9, "delivery"


class Method(IntegerChoices):
    """The method of ``Signal`` that was called."""

    SEND = 1, "send"
    SEND_ROBUST = 2, "send_robust"
    ASEND = 3, "asend"
    ASEND_ROBUST = 4, "asend_robust"
    OWN = 5, "a custom method"  # a method of a subclass; `own_method` has its name


class Unseen(IntegerChoices):
    """What is not known about a dispatch's receivers; the numbers of ``record.values.Unseen``."""

    PUT_OFF = 1, "put off"
    UNTOLD = 2, "untold"


class Ending(IntegerChoices):
    """How a dispatch or a receiver call ended; the numbers of ``record.values.Outcome``."""

    RETURNED = 1, "returned"
    RAISED = 2, "raised"
    SKIPPED = 3, "skipped"
    CANCELLED = 4, "cancelled"
    RUNNING = 5, "running"


class TransactionOutcome(IntegerChoices):
    """How the transaction of a dispatch ended."""

    UNKNOWN = 0, "unknown"
    NONE = 1, "no transaction"
    COMMITTED = 2, "committed"
    ROLLED_BACK = 3, "rolled back"


class Origin(IntegerChoices):
    """The kind of code that a dispatch was sent from."""

    OTHER = 0, "other"
    REQUEST = 1, "request"
    COMMAND = 2, "command"
    TASK = 3, "task"
    SHELL = 4, "shell"
    RETRY = 5, "retry"  # a receiver that somebody ran again, and what it sent


class GapReason(IntegerChoices):
    """Why dispatches are missing in the log."""

    OVERFLOW = 1, "queue full"
    DATABASE = 2, "database unavailable"
    UNWRITABLE = 3, "row refused by the database"
    DEAD_WRITER = 4, "process ended before writing"
    SPOOL = 5, "spool file damaged or not writable"
    FAILURE = 6, "failure of the audit itself"
    SHUTDOWN = 7, "not written in time when the process ended"


class RetryOutcome(IntegerChoices):
    """How the retry of a receiver ended."""

    STARTED = 0, "started"  # if this does not change, the process ended during the retry
    RETURNED = 1, "returned"
    RAISED = 2, "raised"
    REFUSED = 3, "refused"


class OperationKind(IntegerChoices):
    """What somebody did with the log as a whole."""

    EXPORT = 1, "export"
    PRUNE = 2, "prune"
    PURGE = 3, "purge"


METHODS: Final = {method: int(Method[method.name]) for method in SendMethod}

UNSEEN: Final = {unseen: int(Unseen[unseen.name]) for unseen in values.Unseen}

ENDINGS: Final = {outcome: int(Ending[outcome.name]) for outcome in Outcome}

OUTCOMES: Final = {number: outcome for outcome, number in ENDINGS.items()}

UNSEENS: Final = {number: unseen for unseen, number in UNSEEN.items()}
