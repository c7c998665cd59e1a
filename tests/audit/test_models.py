"""``signal_inspector.audit.models`` and its migrations, on the database of the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core import checks
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import QuerySet

from signal_inspector.audit import rows as rows_module
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.lookups import carriers_of, first_id_at, in_time, number_of, time_of
from signal_inspector.audit.models import (
    ENDINGS,
    METHODS,
    UNSEEN,
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Ending,
    Method,
    NameKind,
    Unseen,
)
from signal_inspector.core.record.ids import uuid7
from signal_inspector.core.record.values import Outcome, SendMethod
from tests.audit.rows_made import (
    dispatched,
    many_rows,
    needs,
    on_order,
    rows_of,
    with_column,
)

pytestmark = pytest.mark.django_db

MODELS = list(apps.get_app_config("signal_audit").get_models())


def test_migrations_are_complete() -> None:
    """The migrations make what the models say."""
    output = StringIO()
    call_command("makemigrations", "signal_audit", check=True, dry_run=True, stdout=output)
    assert "No changes detected" in output.getvalue()


def test_one_migration_makes_all() -> None:
    """There is one migration until there is a release."""
    recorded = MigrationLoader(connection).disk_migrations
    assert [name for app, name in recorded if app == "signal_audit"] == ["0001_initial"]


def test_no_check_complains() -> None:
    """No system check has anything against the models, on this database."""
    configs = [apps.get_app_config("signal_audit")]
    found = checks.run_checks(app_configs=configs, databases=["default"], tags=["models"])
    assert found == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_table_has_a_foreign_key(model: Any) -> None:
    """The database enforces no key of any table: the log keeps nobody from deleting anything."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    assert [name for name, facts in found.items() if facts["foreign_key"]] == []


def test_no_model_refers_to_another_app() -> None:
    """All relations are to models of the audit itself."""
    related = {
        field.related_model._meta.app_label
        for model in MODELS
        for field in model._meta.get_fields()
        if field.is_relation
    }
    assert related == {"signal_audit"}


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (AuditedDispatch, rows_module.DISPATCH_COLUMNS),
        (AuditedCall, rows_module.CALL_COLUMNS),
        (AuditedObject, rows_module.OBJECT_COLUMNS),
    ],
)
def test_rows_have_the_columns_of_the_tables(model: Any, columns: tuple[str, ...]) -> None:
    """Rows name each column of their table, once."""
    assert sorted(columns) == sorted(f.column for f in model._meta.concrete_fields if f.column)


def test_numbers_cover_all_words() -> None:
    """Every outcome and every method of the core has a number, and none shares it."""
    assert sorted(ENDINGS.values()) == sorted(Ending.values)
    assert sorted([*METHODS.values(), Method.OWN]) == sorted(Method.values)
    assert sorted(UNSEEN.values()) == sorted(Unseen.values)
    assert set(ENDINGS) == set(Outcome)
    assert set(METHODS) == set(SendMethod)


def test_permissions() -> None:
    """There is a permission to view, to see payloads, to export, to purge and to retry."""
    found = Permission.objects.filter(
        content_type__app_label="signal_audit", content_type__model="auditeddispatch"
    )
    assert sorted(found.values_list("codename", flat=True)) == [
        "export_dispatches",
        "purge_dispatches",
        "retry_receivers",
        "view_auditeddispatch",
        "view_payloads",
    ]


def test_ids_are_in_the_order_of_time() -> None:
    """The database orders ids as it orders the times in them, whenever in the past they were."""
    start = datetime(2001, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(days=n * 97, microseconds=n * 1_371) for n in range(60)]
    batch = []
    for n, (rows, when) in enumerate(zip(many_rows(60), moments, strict=True)):
        nanoseconds = int(when.timestamp()) * 10**9 + when.microsecond * 1_000
        moved = with_column(rows, "id", str(uuid7(nanoseconds, n * 7_919)))
        moved = with_column(moved, "started_at", nanoseconds // 1_000)
        batch.append(moved._replace(calls=[], objects=[]))
    assert write(batch[::-1], "default").count == 60
    by_id = AuditedDispatch.objects.order_by("id").values_list("started_at", flat=True)
    assert list(by_id) == moments
    found = AuditedDispatch.objects.filter(in_time(moments[10], moments[20])).order_by("id")
    assert list(found.values_list("started_at", flat=True)) == moments[10:20]


@pytest.mark.parametrize("microsecond", [0, 1, 499, 500, 999, 1_000, 123_457, 999_999])
def test_the_time_in_an_id(microsecond: int) -> None:
    """The first id of a time is no later than any of a dispatch of then, and tells that time."""
    when = datetime(2026, 11, 22, 10, 14, 7, microsecond, tzinfo=UTC)
    nanoseconds = int(when.timestamp()) * 10**9 + microsecond * 1_000
    assert first_id_at(when) <= uuid7(nanoseconds, 1)
    assert first_id_at(when + timedelta(microseconds=1)) > uuid7(nanoseconds, 1) or not microsecond
    assert timedelta() <= when - time_of(uuid7(nanoseconds, 1)) <= timedelta(microseconds=1)


def test_the_largest_and_the_smallest_time() -> None:
    """Times before 1970 and far ahead have ids too."""
    assert first_id_at(datetime(1, 1, 2, tzinfo=UTC)) == first_id_at(
        datetime(1970, 1, 1, tzinfo=UTC)
    )
    assert isinstance(first_id_at(datetime(9999, 12, 30, tzinfo=UTC)), UUID)


def searches() -> dict[str, QuerySet[Any]]:
    """What the admin asks, by the index that is there for it."""
    found = AuditedDispatch.objects.order_by("-id")
    number = number_of(NameKind.SIGNAL, "shop.signals.order_placed")
    some_id = first_id_at(datetime(2026, 1, 1, tzinfo=UTC))
    return {
        "signal_audit_by_signal": found.filter(signal_id=number)[:100],
        "signal_audit_failed": found.filter(is_failed=1)[:100],
        "signal_audit_signal_failed": found.filter(is_failed=1, signal_id=number).values("id")[
            :100
        ],
        "signal_audit_by_actor": found.filter(actor="auth.User:7")[:100],
        "signal_audit_by_request": found.filter(request_id="abc")[:100],
        "signal_audit_by_trace": found.filter(trace_id="0" * 32).order_by(),
        "signal_audit_by_parent": found.filter(parent_id=some_id).order_by(),
        "signal_audit_by_transaction": found.filter(transaction_id=some_id)[:100],
        "signal_audit_by_receiver": AuditedCall.objects.filter(receiver_id=number)
        .order_by("-dispatch_id")
        .values("dispatch_id")[:100],
        "signal_audit_by_exception": AuditedCall.objects.filter(exception_id=number)
        .order_by("-dispatch_id")
        .values("dispatch_id")[:100],
        "signal_audit_objects_of": AuditedObject.objects.filter(dispatch_id=some_id),
    }


@pytest.mark.parametrize("index", searches())
def test_each_search_has_its_index(index: str) -> None:
    """The database answers every question of the admin from the index made for it."""
    forget_names()
    good = [rows_of(dispatched(on_order, order="x")) for _ in range(290)]
    write([*good, *many_rows(10, order="x")], "default")  # an index of failures is worth it
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            # What it knows of the table depends on nothing that happened, or happens, elsewhere.
            cursor.execute("ANALYZE")
    assert index in searches()[index].explain()


def test_the_search_for_an_object_needs_no_table() -> None:
    """Which dispatches carried an object is told by the primary key alone."""
    needs("sqlite", "postgresql")
    model = number_of(NameKind.MODEL, "shop.Order")
    AuditedObject.objects.bulk_create(
        AuditedObject(model_id=model, object_pk=str(number % 50), dispatch_id=UUID(int=number))
        for number in range(2_000)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE signal_audit_object")  # of an empty table any plan will do
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = carriers_of("shop.Order:42").values("dispatch_id")[:100].explain()
    assert ("COVERING INDEX" in plan) or ("Index Only Scan" in plan)


def test_the_log_does_not_block_deleting(django_user_model: Any) -> None:
    """A user whom the log speaks of, as actor and as argument, can be deleted; the log stays."""
    user = django_user_model.objects.create(username="mira")
    key = f"auth.User:{user.pk}"
    write([with_column(rows, "actor", key) for rows in many_rows(1, user=user)], "default")
    user.delete()
    assert AuditedDispatch.objects.get().actor == key
    assert [found.object_pk for found in carriers_of(key)] == [key.partition(":")[2]]
