"""The tables about the log itself.

Its gaps, its writers, what was done with it, and the counts that the overview is drawn from.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models

from signal_inspector.audit.models.choices import GapReason, OperationKind, RetryOutcome

ACTOR_LENGTH: Final = 200
ACTOR_LABEL_LENGTH: Final = 150
_LABEL_LENGTH: Final = 200


class Gap(models.Model):
    """Dispatches that were sent and are not in the log."""

    id = models.BigAutoField(primary_key=True)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)  # null while the gap is open
    missing = models.BigIntegerField()
    is_upper_bound = models.BooleanField(default=False)  # "up to so many"
    reason = models.SmallIntegerField(choices=GapReason.choices)
    detail = models.TextField(blank=True)
    #: The dispatch, if the database refused a single one.
    dispatch_id = models.UUIDField(null=True)
    process = models.CharField(max_length=_LABEL_LENGTH, blank=True)
    #: Identifies the gap, so that a writer that tries again does not report it twice.
    key = models.CharField(max_length=64, unique=True)
    written_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)  # when somebody marked it as resolved

    class Meta:
        db_table = "signal_audit_gap"
        ordering: ClassVar = ["-from_at", "-id"]
        default_permissions = ("view",)
        permissions: ClassVar = [("close_gap", "Can mark a gap in the signal audit as resolved")]

    def __str__(self) -> str:
        bound = "up to " if self.is_upper_bound else ""
        return f"{bound}{self.missing} missing: {self.get_reason_display()}"


class Writer(models.Model):
    """A process that writes to the log, or did."""

    id = models.UUIDField(primary_key=True)
    host = models.CharField(max_length=_LABEL_LENGTH)
    pid = models.BigIntegerField()
    process = models.CharField(max_length=_LABEL_LENGTH)  # "web-2, pid 4127, uvicorn"
    delivery = models.CharField(max_length=_LABEL_LENGTH)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    waiting = models.BigIntegerField(default=0)  # taken but not yet written, when last seen
    written = models.BigIntegerField(default=0)
    last_write_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "signal_audit_writer"
        ordering: ClassVar = ["-seen_at"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.process


class Retry(models.Model):
    """One attempt to run a failed receiver again."""

    id = models.BigAutoField(primary_key=True)
    dispatch_id = models.UUIDField()
    call_index = models.SmallIntegerField()
    #: The number of the attempt at this receiver call, from 1. It is unique: if two attempts start
    #: at once, one is refused.
    attempt = models.SmallIntegerField()
    signal = models.TextField()
    receiver = models.TextField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=ACTOR_LENGTH, blank=True)
    actor_label = models.CharField(max_length=ACTOR_LABEL_LENGTH, blank=True)
    reason = models.TextField()
    outcome = models.SmallIntegerField(choices=RetryOutcome.choices)
    duration_ns = models.BigIntegerField(null=True)
    exception_class = models.TextField(blank=True)
    message = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    #: The id of the dispatch that the log has of the attempt itself, if its signal is audited.
    recorded_as = models.UUIDField(null=True)

    class Meta:
        db_table = "signal_audit_retry"
        verbose_name_plural = "retries"
        ordering: ClassVar = ["-at", "-id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dispatch_id", "call_index", "attempt"], name="signal_audit_attempt"
            )
        ]

    def __str__(self) -> str:
        return f"{self.receiver}: {self.get_outcome_display()}"


class Operation(models.Model):
    """What somebody did with the log as a whole: an export, a prune, a purge."""

    id = models.BigAutoField(primary_key=True)
    kind = models.SmallIntegerField(choices=OperationKind.choices)
    at = models.DateTimeField()
    actor = models.CharField(max_length=ACTOR_LENGTH, blank=True)  # "" for a command
    actor_label = models.CharField(max_length=ACTOR_LABEL_LENGTH, blank=True)
    detail = models.TextField(blank=True)  # the filters, the command line
    rows = models.BigIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "signal_audit_operation"
        verbose_name = "export or deletion"
        verbose_name_plural = "log of exports and deletions"
        ordering: ClassVar = ["-at", "-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.rows} rows"


class Tally(models.Model):
    """Counts of what was dispatched in a slot of time; a slot may have several rows.

    A writer adds a row with each batch, in the batch's own transaction, and changes no other row,
    so writers never wait for each other here. The rows of a slot have to be added up when they are
    read, and are replaced by their sum now and then (see ``stats.rollup``). So the table has a few
    hundred rows, and needs no index. Its rows stay when dispatches are pruned.
    """

    #: Made of the time and a random number, so that a writer needs no query for it.
    id = models.BigIntegerField(primary_key=True)
    slot = models.BigIntegerField()  # Unix time at which the slot begins, a multiple of `seconds`
    seconds = models.IntegerField()  # length of the slot
    content = models.TextField()  # see stats.counts.Figures

    class Meta:
        db_table = "signal_audit_tally"
        verbose_name_plural = "tallies"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.seconds} s from {self.slot} on"
