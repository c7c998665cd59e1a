"""``signal_inspector.audit.lookups``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import Q
from django.test import override_settings
from django.utils import timezone

from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.lookups import (
    calls,
    carriers_of,
    dispatches,
    first_id_at,
    gaps_in,
    in_time,
    number_of,
    object_key,
    open_gaps,
)
from signal_inspector.audit.models import Gap, GapReason, NameKind
from signal_inspector.audit.search.conditions import conditions_of
from signal_inspector.audit.search.selection import Selection
from tests.audit.rows_made import dispatched, many_rows, on_order, rows_of, with_column
from tests.payload_app.models import Order, RushOrder

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_names()
    yield
    forget_names()


def gap(start: int, end: int | None, **fields: object) -> Gap:
    """A gap between minutes after noon."""
    return Gap.objects.create(
        from_at=NOON + timedelta(minutes=start),
        to_at=None if end is None else NOON + timedelta(minutes=end),
        missing=1,
        reason=GapReason.OVERFLOW,
        key=f"{start} {end}",
        written_at=NOON,
        **fields,
    )


@pytest.mark.parametrize("key", ["auth.User:7", "auth.user:7", " auth.User:7 "])
def test_who_carried_an_object(key: str) -> None:
    """All dispatches that carried an object are found by its key, the latest first."""
    batch = [rows_of(dispatched(on_order, order=User(pk=pk))) for pk in (7, 8, 7, 77)]
    write(batch, "default")
    found = [str(row.dispatch_id) for row in carriers_of(key)]
    assert found == [batch[2].id, batch[0].id]
    assert object_key(User(pk=7)) == "auth.User:7"


@pytest.mark.parametrize("key", ["payload_app.Order:7", "payload_app.RushOrder:7"])
def test_a_proxy_is_the_object_itself(key: str) -> None:
    """Who is to be forgotten is found under whichever name a row was carried, or is asked for."""
    batch = [rows_of(dispatched(on_order, order=each(pk=7))) for each in (Order, RushOrder)]
    write(batch, "default")
    found = [str(row.dispatch_id) for row in carriers_of(key)]
    assert found == [batch[1].id, batch[0].id]
    assert object_key(RushOrder(pk=7)) == "payload_app.Order:7"
    [actor] = conditions_of(Selection(actor=key))
    assert actor.test == Q(actor="payload_app.Order:7")


@pytest.mark.parametrize("key", ["", "auth.User", "auth.User:", ":", "gone.Model:7", "7", "a:b:c"])
def test_what_is_no_key_finds_nothing(key: str) -> None:
    """A text that is no key, or that of a model that is gone, finds what there is: nothing."""
    write([rows_of(dispatched(on_order, order=User(pk=7)))], "default")
    assert list(carriers_of(key)) == []


def test_a_model_that_is_gone() -> None:
    """Objects of a model that the project no longer has are found by the label they had."""
    rows = rows_of(dispatched(on_order, order=User(pk=7)))
    write([rows._replace(objects=[("shop.Voucher", "a:b", rows.id)])], "default")
    assert [str(row.dispatch_id) for row in carriers_of("shop.Voucher:a:b")] == [rows.id]


def test_a_name_by_its_text() -> None:
    """Rows are found by the text of a name, without asking the names first."""
    batch = [with_column(rows, "signal_id", f"shop.{n}") for n, rows in enumerate(many_rows(3))]
    write(batch, "default")
    found = dispatches().filter(signal_id=number_of(NameKind.SIGNAL, "shop.1"))
    assert [str(dispatch.id) for dispatch in found] == [batch[1].id]
    assert not dispatches().filter(signal_id=number_of(NameKind.SENDER, "shop.1")).exists()
    receiver = number_of(NameKind.RECEIVER, "tests.audit.rows_made.on_order")
    assert calls().filter(receiver_id=receiver).count() == 3


def test_a_time_of_day_is_one_of_the_current_zone() -> None:
    """A time without zone means the current one, as in a form of the admin."""
    with timezone.override("America/Chicago"):
        assert first_id_at(datetime(2026, 11, 22, 6)) == first_id_at(NOON)


def test_no_bound_is_none() -> None:
    """Without start and end everything is in time; with both, only what is between."""
    write(many_rows(2), "default")
    now = timezone.now()
    assert dispatches().filter(in_time(None, None)).count() == 2
    assert dispatches().filter(in_time(now - timedelta(hours=1), now)).count() == 2
    assert dispatches().filter(in_time(now + timedelta(hours=1), None)).count() == 0
    assert calls().filter(in_time(None, now, "dispatch_id")).count() == 4


def test_gaps_of_a_time() -> None:
    """The gaps that touch a time are those that began before its end and were not over before."""
    gaps = [gap(0, 10), gap(5, 30), gap(20, None), gap(40, 50)]
    minutes = [NOON + timedelta(minutes=n) for n in (11, 40)]
    assert list(gaps_in(*minutes)) == [gaps[2], gaps[1]]
    assert gaps_in(None, None).count() == 4


def test_open_gaps() -> None:
    """A gap that somebody has resolved is no open one any more."""
    gap(0, 10, closed_at=NOON)
    left = gap(5, 30)
    assert list(open_gaps()) == [left]


@pytest.mark.django_db(databases=["default", "other"])
def test_the_log_is_where_the_setting_says() -> None:
    """Everything is looked for in the database that AUDIT names."""
    write(many_rows(1), "other")
    forget_names()
    assert not dispatches().exists()
    with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "other"}}):
        assert dispatches().using("other").exists()
        assert dispatches().get().sender.text == "str"
        assert calls().count() == 2
