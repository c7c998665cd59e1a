"""The tables of dispatches, their receiver calls, the objects they carry, and names.

Ids of dispatches are UUIDv7, so they sort by time: an index "by time" is an index by id, dates are
ranges of ids (``lookups.in_time``), and no index on a time is needed.

No table has a foreign key constraint, neither to other apps nor to another of these tables: a log
must not prevent the deletion of what it describes, and each table can be partitioned, shipped and
pruned separately. Rows refer to names by numbers that are computed from the text
(``sanitize.name_id``). Numbers are not "positive" fields, as their check constraints cost time on
every row.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import Index, Model, Q

from signal_inspector.audit.models.choices import (
    Ending,
    Method,
    NameKind,
    Origin,
    TransactionOutcome,
    Unseen,
)
from signal_inspector.audit.models.log import ACTOR_LABEL_LENGTH, ACTOR_LENGTH

REQUEST_ID_LENGTH: Final = 200
ORIGIN_NAME_LENGTH: Final = 500
OWN_METHOD_LENGTH: Final = 100
OBJECT_KEY_LENGTH: Final = 200


class PartialIndex(Index):
    """``Index(fields=…, condition=where)``, without the condition if it is not supported."""

    def __init__(self, *expressions: Any, where: Q, **options: Any) -> None:
        super().__init__(*expressions, **options)
        # Not named `condition`, as Django's system check looks at that.
        self.where = where

    def create_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, *args: Any, **kw: Any
    ) -> Statement:
        """The statement for the database of this schema editor."""
        supported = schema_editor.connection.features.supports_partial_indexes
        plain = Index(
            fields=[name for name, _ in self.fields_orders],
            name=self.name,
            condition=self.where if supported else None,
        )
        return plain.create_sql(model, schema_editor, *args, **kw)

    def deconstruct(self) -> Any:
        path, expressions, options = super().deconstruct()
        return path, expressions, {**options, "where": self.where}


def _reference(to: type[models.Model] | str, **options: Any) -> models.ForeignKey[Any, Any]:
    """A foreign key to a table of this app, which the database does not enforce."""
    return models.ForeignKey(
        to,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        **options,
    )


class Name(models.Model):
    """A text that many rows share. Rows are only ever added."""

    #: Computed from kind and text, so every process knows it without asking the database.
    id = models.BigIntegerField(primary_key=True)
    kind = models.SmallIntegerField(choices=NameKind.choices)
    text = models.TextField()

    class Meta:
        db_table = "signal_audit_name"
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["kind"], name="signal_audit_name_kind")]

    def __str__(self) -> str:
        return self.text


class AuditedDispatch(models.Model):
    """One send of one signal."""

    id = models.UUIDField(primary_key=True)
    started_at = models.DateTimeField()
    duration_ns = models.BigIntegerField()
    signal = _reference(Name)
    sender = _reference(Name)
    caller = _reference(Name, null=True)
    project_caller = _reference(Name, null=True)  # the same, or the project's line that led to it
    process = _reference(Name)
    delivery = _reference(Name)
    method = models.SmallIntegerField(choices=Method.choices)
    own_method = models.CharField(max_length=OWN_METHOD_LENGTH)  # the name if method is OWN
    outcome = models.SmallIntegerField(choices=Ending.choices)
    unseen = models.SmallIntegerField(choices=Unseen.choices, null=True)  # null: all was seen
    #: 1 if a receiver failed, swallowed or not, or if the send itself did not return; else null.
    #: Not a boolean: Django's versions write its condition differently in indexes and queries, and
    #: SQLite uses a partial index only for exactly the same text, or for "=" and IS NOT NULL.
    is_failed = models.SmallIntegerField(null=True)
    receiver_count = models.SmallIntegerField()
    failed_count = models.SmallIntegerField()
    skipped_count = models.SmallIntegerField()
    parent_id = models.UUIDField(null=True)
    parent_call = models.SmallIntegerField(null=True)
    by_time = models.SmallIntegerField(null=True)  # 1 if parent_call is inferred from times only
    transaction_outcome = models.SmallIntegerField(choices=TransactionOutcome.choices)
    transaction_id = models.UUIDField(null=True)
    query_count = models.IntegerField()  # of its receivers
    query_ns = models.BigIntegerField()
    # Null, not "", if there is none: SQLite uses a partial index only for IS NOT NULL.
    actor = models.CharField(max_length=ACTOR_LENGTH, null=True)  # noqa: DJ001 "auth.User:7"
    actor_label = models.CharField(max_length=ACTOR_LABEL_LENGTH)
    request_id = models.CharField(max_length=REQUEST_ID_LENGTH, null=True)  # noqa: DJ001
    origin = models.SmallIntegerField(choices=Origin.choices)
    origin_name = models.CharField(max_length=ORIGIN_NAME_LENGTH)  # "POST /checkout/"
    client = models.GenericIPAddressField(null=True)
    trace_id = models.CharField(max_length=32, null=True)  # noqa: DJ001
    span_id = models.CharField(max_length=16)  # "" if the dispatch has no span
    trace_sampled = models.SmallIntegerField(null=True)  # 1 or 0; null without a trace
    payload = models.TextField()  # see payloads.py; "" if none was kept
    payload_dropped = models.IntegerField()  # arguments beyond Limits.payload_items
    written_at = models.DateTimeField()

    class Meta:
        db_table = "signal_audit_dispatch"
        verbose_name = "dispatch"
        verbose_name_plural = "dispatches"
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("view_payloads", "Can see arguments, responses and tracebacks in the signal audit"),
            ("export_dispatches", "Can export dispatches from the signal audit"),
            ("purge_dispatches", "Can delete dispatches from the signal audit"),
            ("retry_receivers", "Can run a failed receiver again from the signal audit"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["signal", "id"], name="signal_audit_by_signal"),
            PartialIndex(
                fields=["is_failed", "id"],
                where=models.Q(is_failed__isnull=False),
                name="signal_audit_failed",
            ),
            PartialIndex(
                fields=["is_failed", "signal", "id"],
                where=models.Q(is_failed__isnull=False),
                name="signal_audit_signal_failed",
            ),
            PartialIndex(
                fields=["actor", "id"],
                where=models.Q(actor__isnull=False),
                name="signal_audit_by_actor",
            ),
            PartialIndex(
                fields=["request_id", "id"],
                where=models.Q(request_id__isnull=False),
                name="signal_audit_by_request",
            ),
            PartialIndex(
                fields=["trace_id"],
                where=models.Q(trace_id__isnull=False),
                name="signal_audit_by_trace",
            ),
            PartialIndex(
                fields=["parent_id"],
                where=models.Q(parent_id__isnull=False),
                name="signal_audit_by_parent",
            ),
            PartialIndex(
                fields=["transaction_id", "id"],
                where=models.Q(transaction_id__isnull=False),
                name="signal_audit_by_transaction",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def method_name(self) -> str:
        """The method that was called."""
        return self.own_method or self.get_method_display()


class AuditedCall(models.Model):
    """One receiver's part in a dispatch."""

    pk = models.CompositePrimaryKey("dispatch_id", "index")
    dispatch = _reference(AuditedDispatch)
    index = models.SmallIntegerField()
    receiver = _reference(Name)
    location = _reference(Name, null=True)
    exception = _reference(Name, null=True)
    outcome = models.SmallIntegerField(choices=Ending.choices)
    is_async = models.BooleanField()
    offset_ns = models.BigIntegerField(null=True)  # null: never started, or not known
    duration_ns = models.BigIntegerField()
    self_ns = models.BigIntegerField()  # without the time of the dispatches that it sent
    query_count = models.IntegerField()
    query_ns = models.BigIntegerField()
    queries_by_time = models.IntegerField(default=0)  # those run in other threads and tasks
    message = models.TextField()  # of the exception
    traceback = models.TextField()
    response = models.TextField()  # one value, in the format of a payload

    class Meta:
        db_table = "signal_audit_call"
        verbose_name = "receiver call"
        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["receiver", "dispatch"], name="signal_audit_by_receiver"),
            PartialIndex(
                fields=["exception", "dispatch"],
                where=models.Q(exception__isnull=False),
                name="signal_audit_by_exception",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dispatch_id} {self.index}"


class AuditedObject(models.Model):
    """A model instance, such as ``shop.Order:42``, that was an argument of a dispatch."""

    pk = models.CompositePrimaryKey("model_id", "object_pk", "dispatch_id")
    model = _reference(Name)
    object_pk = models.CharField(max_length=OBJECT_KEY_LENGTH)
    dispatch = _reference(AuditedDispatch)

    class Meta:
        db_table = "signal_audit_object"
        verbose_name = "carried object"
        default_permissions = ()
        # For prune, and for the detail page.
        indexes: ClassVar = [models.Index(fields=["dispatch"], name="signal_audit_objects_of")]

    def __str__(self) -> str:
        return f"{self.model_id}:{self.object_pk}"
