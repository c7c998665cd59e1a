"""The tables of the audit log."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import signal_inspector.audit.models.dispatches


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Operation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.SmallIntegerField(choices=[(1, "export"), (2, "prune"), (3, "purge")]),
                ),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(blank=True, max_length=200)),
                ("actor_label", models.CharField(blank=True, max_length=150)),
                ("detail", models.TextField(blank=True)),
                ("rows", models.BigIntegerField(default=0)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "export or deletion",
                "verbose_name_plural": "log of exports and deletions",
                "db_table": "signal_audit_operation",
                "ordering": ["-at", "-id"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Gap",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("from_at", models.DateTimeField()),
                ("to_at", models.DateTimeField(null=True)),
                ("missing", models.BigIntegerField()),
                ("is_upper_bound", models.BooleanField(default=False)),
                (
                    "reason",
                    models.SmallIntegerField(
                        choices=[
                            (1, "queue full"),
                            (2, "database unavailable"),
                            (3, "row refused by the database"),
                            (4, "process ended before writing"),
                            (5, "spool file damaged or not writable"),
                            (6, "failure of the audit itself"),
                            (7, "not written in time when the process ended"),
                        ]
                    ),
                ),
                ("detail", models.TextField(blank=True)),
                ("dispatch_id", models.UUIDField(null=True)),
                ("process", models.CharField(blank=True, max_length=200)),
                ("key", models.CharField(max_length=64, unique=True)),
                ("written_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "signal_audit_gap",
                "ordering": ["-from_at", "-id"],
                "permissions": [("close_gap", "Can mark a gap in the signal audit as resolved")],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("slot", models.BigIntegerField()),
                ("seconds", models.IntegerField()),
                ("content", models.TextField()),
            ],
            options={
                "verbose_name_plural": "tallies",
                "db_table": "signal_audit_tally",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Writer",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("host", models.CharField(max_length=200)),
                ("pid", models.BigIntegerField()),
                ("process", models.CharField(max_length=200)),
                ("delivery", models.CharField(max_length=200)),
                ("started_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("stopped_at", models.DateTimeField(null=True)),
                ("waiting", models.BigIntegerField(default=0)),
                ("written", models.BigIntegerField(default=0)),
                ("last_write_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "signal_audit_writer",
                "ordering": ["-seen_at"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Name",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.SmallIntegerField(
                        choices=[
                            (1, "signal"),
                            (2, "sender"),
                            (3, "receiver"),
                            (4, "exception"),
                            (5, "caller"),
                            (6, "location"),
                            (7, "model"),
                            (8, "process"),
                            (9, "delivery"),
                        ]
                    ),
                ),
                ("text", models.TextField()),
            ],
            options={
                "db_table": "signal_audit_name",
                "default_permissions": (),
                "indexes": [models.Index(fields=["kind"], name="signal_audit_name_kind")],
            },
        ),
        migrations.CreateModel(
            name="AuditedDispatch",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("duration_ns", models.BigIntegerField()),
                (
                    "method",
                    models.SmallIntegerField(
                        choices=[
                            (1, "send"),
                            (2, "send_robust"),
                            (3, "asend"),
                            (4, "asend_robust"),
                            (5, "a custom method"),
                        ]
                    ),
                ),
                ("own_method", models.CharField(max_length=100)),
                (
                    "outcome",
                    models.SmallIntegerField(
                        choices=[
                            (1, "returned"),
                            (2, "raised"),
                            (3, "skipped"),
                            (4, "cancelled"),
                            (5, "running"),
                        ]
                    ),
                ),
                (
                    "unseen",
                    models.SmallIntegerField(choices=[(1, "put off"), (2, "untold")], null=True),
                ),
                ("is_failed", models.SmallIntegerField(null=True)),
                ("receiver_count", models.SmallIntegerField()),
                ("failed_count", models.SmallIntegerField()),
                ("skipped_count", models.SmallIntegerField()),
                ("parent_id", models.UUIDField(null=True)),
                ("parent_call", models.SmallIntegerField(null=True)),
                ("by_time", models.SmallIntegerField(null=True)),
                (
                    "transaction_outcome",
                    models.SmallIntegerField(
                        choices=[
                            (0, "unknown"),
                            (1, "no transaction"),
                            (2, "committed"),
                            (3, "rolled back"),
                        ]
                    ),
                ),
                ("transaction_id", models.UUIDField(null=True)),
                ("query_count", models.IntegerField()),
                ("query_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=200, null=True)),
                ("actor_label", models.CharField(max_length=150)),
                ("request_id", models.CharField(max_length=200, null=True)),
                (
                    "origin",
                    models.SmallIntegerField(
                        choices=[
                            (0, "other"),
                            (1, "request"),
                            (2, "command"),
                            (3, "task"),
                            (4, "shell"),
                            (5, "retry"),
                        ]
                    ),
                ),
                ("origin_name", models.CharField(max_length=500)),
                ("client", models.GenericIPAddressField(null=True)),
                ("trace_id", models.CharField(max_length=32, null=True)),
                ("span_id", models.CharField(max_length=16)),
                ("trace_sampled", models.SmallIntegerField(null=True)),
                ("payload", models.TextField()),
                ("payload_dropped", models.IntegerField()),
                ("written_at", models.DateTimeField()),
                (
                    "caller",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "project_caller",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "process",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "signal",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
            ],
            options={
                "verbose_name": "dispatch",
                "verbose_name_plural": "dispatches",
                "db_table": "signal_audit_dispatch",
                "ordering": ["-id"],
                "permissions": [
                    (
                        "view_payloads",
                        "Can see arguments, responses and tracebacks in the signal audit",
                    ),
                    ("export_dispatches", "Can export dispatches from the signal audit"),
                    ("purge_dispatches", "Can delete dispatches from the signal audit"),
                    ("retry_receivers", "Can run a failed receiver again from the signal audit"),
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="AuditedCall",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dispatch_id",
                        "index",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("index", models.SmallIntegerField()),
                (
                    "outcome",
                    models.SmallIntegerField(
                        choices=[
                            (1, "returned"),
                            (2, "raised"),
                            (3, "skipped"),
                            (4, "cancelled"),
                            (5, "running"),
                        ]
                    ),
                ),
                ("is_async", models.BooleanField()),
                ("offset_ns", models.BigIntegerField(null=True)),
                ("duration_ns", models.BigIntegerField()),
                ("self_ns", models.BigIntegerField()),
                ("query_count", models.IntegerField()),
                ("query_ns", models.BigIntegerField()),
                ("queries_by_time", models.IntegerField(default=0)),
                ("message", models.TextField()),
                ("traceback", models.TextField()),
                ("response", models.TextField()),
                (
                    "dispatch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.auditeddispatch",
                    ),
                ),
                (
                    "exception",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "location",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
                (
                    "receiver",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
            ],
            options={
                "verbose_name": "receiver call",
                "db_table": "signal_audit_call",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Retry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("dispatch_id", models.UUIDField()),
                ("call_index", models.SmallIntegerField()),
                ("attempt", models.SmallIntegerField()),
                ("signal", models.TextField()),
                ("receiver", models.TextField()),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(blank=True, max_length=200)),
                ("actor_label", models.CharField(blank=True, max_length=150)),
                ("reason", models.TextField()),
                (
                    "outcome",
                    models.SmallIntegerField(
                        choices=[(0, "started"), (1, "returned"), (2, "raised"), (3, "refused")]
                    ),
                ),
                ("duration_ns", models.BigIntegerField(null=True)),
                ("exception_class", models.TextField(blank=True)),
                ("message", models.TextField(blank=True)),
                ("traceback", models.TextField(blank=True)),
                ("recorded_as", models.UUIDField(null=True)),
            ],
            options={
                "verbose_name_plural": "retries",
                "db_table": "signal_audit_retry",
                "ordering": ["-at", "-id"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("dispatch_id", "call_index", "attempt"),
                        name="signal_audit_attempt",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditedObject",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "model_id",
                        "object_pk",
                        "dispatch_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("object_pk", models.CharField(max_length=200)),
                (
                    "dispatch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.auditeddispatch",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="signal_audit.name",
                    ),
                ),
            ],
            options={
                "verbose_name": "carried object",
                "db_table": "signal_audit_object",
                "default_permissions": (),
                "indexes": [models.Index(fields=["dispatch"], name="signal_audit_objects_of")],
            },
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=models.Index(fields=["signal", "id"], name="signal_audit_by_signal"),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["is_failed", "id"],
                name="signal_audit_failed",
                where=models.Q(("is_failed__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["actor", "id"],
                name="signal_audit_by_actor",
                where=models.Q(("actor__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["request_id", "id"],
                name="signal_audit_by_request",
                where=models.Q(("request_id__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["trace_id"],
                name="signal_audit_by_trace",
                where=models.Q(("trace_id__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["parent_id"],
                name="signal_audit_by_parent",
                where=models.Q(("parent_id__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["transaction_id", "id"],
                name="signal_audit_by_transaction",
                where=models.Q(("transaction_id__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditedcall",
            index=models.Index(fields=["receiver", "dispatch"], name="signal_audit_by_receiver"),
        ),
        migrations.AddIndex(
            model_name="auditedcall",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["exception", "dispatch"],
                name="signal_audit_by_exception",
                where=models.Q(("exception__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.models.dispatches.PartialIndex(
                fields=["is_failed", "signal", "id"],
                name="signal_audit_signal_failed",
                where=models.Q(("is_failed__isnull", False)),
            ),
        ),
    ]
