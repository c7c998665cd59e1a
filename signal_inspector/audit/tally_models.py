"""The table of counted hours: what the overview is drawn from."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """What was dispatched in a slot of time, as one or several rows counted it.

    A writer adds a row with each batch, in the batch's own transaction, and changes none: so
    writers never wait for each other here. Rows of a slot are to be added up by who reads them,
    and are replaced by their sum now and then (``folding.fold``). So there are some hundreds of
    them, which need no index. They stay when the dispatches are pruned.
    """

    #: Of time and chance, so that a writer knows it without asking.
    id = models.BigIntegerField(primary_key=True)
    slot = models.BigIntegerField()  # Unix seconds at which the slot begins, a multiple of:
    seconds = models.IntegerField()  # how long it is
    content = models.TextField()  # see tallies.Figures

    class Meta:
        db_table = "signal_audit_tally"
        verbose_name_plural = "tallies"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.seconds} s from {self.slot} on"
