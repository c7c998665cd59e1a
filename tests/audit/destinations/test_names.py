"""Names: ``signal_inspector.audit.sanitize``, and the ones that a database holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from signal_inspector.audit.destinations.database import adapters
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.lookups import names_of
from signal_inspector.audit.models import AuditedDispatch, Name, NameKind
from signal_inspector.audit.sanitize import NAME_LENGTH, name_id, name_text
from tests.audit.rows_made import dispatched, many_rows, needs, on_order, rows_of, with_column


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_names()
    yield
    forget_names()


class TestNumbers:
    def test_a_name_has_the_same_number_everywhere(self) -> None:
        """The number of a name is part of the stored format: it never changes."""
        assert name_id(NameKind.SIGNAL, "shop.signals.order_placed") == 7429243588391141398

    def test_kinds_are_apart(self) -> None:
        """The same text as a signal and as a sender are two names."""
        assert name_id(NameKind.SIGNAL, "shop.x") != name_id(NameKind.SENDER, "shop.x")

    def test_numbers_fit_their_column(self) -> None:
        """Every number is one of 63 bits, whatever the text."""
        numbers = [name_id(NameKind.RECEIVER, f"shop.receivers.on_{n}") for n in range(1_000)]
        assert len(set(numbers)) == 1_000
        assert all(0 <= number < 2**63 for number in numbers)

    def test_long_names_stay_apart(self) -> None:
        """Names that differ only beyond what is stored of them are stored as two."""
        one, other = name_text("x" * 5_000 + "1"), name_text("x" * 5_000 + "2")
        assert one != other
        assert len(one) == len(other) == NAME_LENGTH

    @pytest.mark.parametrize("text", ["a\0b", "\ud800", "x\u202ey", "\udfff" * 2_000])
    def test_a_hostile_name_can_be_stored(self, text: str) -> None:
        """A name never holds what a database refuses or what misleads the eye."""
        assert name_text(text).isprintable()
        assert name_text(text).encode()
        assert name_id(NameKind.SENDER, name_text(text)) >= 0


@pytest.mark.django_db
def test_names_for_a_filter() -> None:
    """The names of one kind are there to choose from, in order."""
    write(many_rows(2), "default")
    texts = [text for _, text in names_of(NameKind.RECEIVER)]
    assert texts == ["tests.audit.rows_made.on_order", "tests.audit.rows_made.on_order_badly"]


@pytest.mark.django_db(transaction=True)
class TestCommitted:
    def test_names_are_stored_once(self) -> None:
        """A name that many dispatches share is one row, which they all refer to."""
        write(many_rows(3), "default")
        write(many_rows(3), "default")
        assert Name.objects.filter(kind=NameKind.SENDER).count() == 1
        assert {str(found.sender) for found in AuditedDispatch.objects.all()} == {"str"}

    def test_a_rollback_takes_no_name_from_the_next_batch(self) -> None:
        """Names that went with a transaction are added again by the next batch.

        On a server they were committed before, on another connection.
        """
        rows = many_rows(1)
        with transaction.atomic():
            write(rows, "default")
            transaction.set_rollback(True)
        assert Name.objects.exists() == (connection.vendor != "sqlite")
        write(rows, "default")
        assert str(AuditedDispatch.objects.get().sender) == "str"

    def test_names_of_an_open_transaction_are_not_remembered(self) -> None:
        """Inside a transaction names are asked for again: they may have been added by it."""
        with transaction.atomic():
            write(many_rows(1), "default")
            write(many_rows(1), "default")
            if connection.vendor == "sqlite":  # a server has them from another connection
                assert adapters._committed["default"] == set()
        write(many_rows(1), "default")
        assert adapters._committed["default"] == set(Name.objects.values_list("id", flat=True))

    def test_a_flush_is_noticed(self) -> None:
        """After a flush, which empties the tables, names are added again."""
        write(many_rows(1), "default")
        call_command("flush", interactive=False, verbosity=0)
        assert adapters._committed == {}
        write(many_rows(1), "default")
        assert str(AuditedDispatch.objects.get().sender) == "str"

    def test_a_clash_is_told(self) -> None:
        """A name whose number is another one's is refused, not taken for the other."""
        rows = many_rows(2)
        odd = with_column(rows[0], "delivery_id", "clashing")
        number = name_id(NameKind.DELIVERY, "clashing")
        Name.objects.create(id=number, kind=NameKind.DELIVERY, text="something else")
        written = write([odd, rows[1]], "default")
        assert written.count == 1
        assert [refused.id for refused in written.refused] == [odd.id]
        assert "'clashing' has the number of 'something else'" in written.refused[0].reason

    def test_writers_at_once(self) -> None:
        """Threads that add the same new names at the same time all succeed, and add them once."""
        needs("postgresql", "mysql")  # SQLite has one connection to a database in memory
        barrier = threading.Barrier(4)
        failures: list[BaseException] = []
        batches = [
            [rows_of(dispatched(on_order), None)._replace(objects=[]) for _ in range(5)]
            for _ in range(4)
        ]
        for number, batch in enumerate(batches):
            named = [with_column(rows, "sender_id", f"s{n}") for n, rows in enumerate(batch)]
            batches[number] = named if number % 2 else named[::-1]
        committed = adapters._committed

        def work(batch: list[object]) -> None:
            try:
                barrier.wait(60)
                for _ in range(5):
                    committed.clear()
                    write(batch, "default")  # type: ignore[arg-type]
            except BaseException as error:
                failures.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert failures == []
        assert Name.objects.filter(kind=NameKind.SENDER).count() == 5
        assert AuditedDispatch.objects.count() == 20


def test_forgetting_one_database() -> None:
    """Forgetting one alias leaves what is known of the others."""
    adapters._committed.update({"default": {1}, "other": {2}})
    forget_names("default")
    assert adapters._committed == {"other": {2}}
    assert connection.alias == "default"
