"""UUIDv7 ids from numbers that are cheap to take."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector.core.record import ids
from signal_inspector.core.record.ids import next_sequence, uuid7, uuid7_text
from tests.listening import run_python

#: 2026-01-01T00:00:00Z, in nanoseconds.
MOMENT = 1_767_225_600_000_000_000


@pytest.fixture
def _process_bits() -> Iterator[None]:
    """A test may take on the identity of another process."""
    before = ids._process_bits, ids._text_of_process
    yield
    ids._process_bits, ids._text_of_process = before


@given(st.integers(0, (1 << 48) * 1_000_000 - 1), st.integers(0, 1 << 64))
def test_every_id_is_a_uuid_of_version_7(unix_ns: int, sequence: int) -> None:
    """Version and variant are those of RFC 9562, whatever the moment and the number."""
    made = uuid7(unix_ns, sequence)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


@given(st.integers(0, (1 << 48) * 1_000_000 - 1))
def test_the_first_48_bits_are_milliseconds(unix_ns: int) -> None:
    """An id begins with the Unix time in milliseconds."""
    assert uuid7(unix_ns, 0).int >> 80 == unix_ns // 1_000_000


@given(st.integers(0, (1 << 48) * 1_000_000 - 2_000), st.integers(0, 1 << 30))
def test_ids_sort_by_time(unix_ns: int, sequence: int) -> None:
    """Of two moments a microsecond apart the later has the greater id, whatever the numbers."""
    assert uuid7(unix_ns, sequence) < uuid7(unix_ns + 1_000, sequence // 2)


@given(st.integers(0, (1 << 48) * 1_000_000 - 1), st.integers(0, 1 << 64))
def test_the_text_is_that_of_the_uuid(unix_ns: int, sequence: int) -> None:
    """The quick way to the text of an id gives what str() gives."""
    assert uuid7_text(unix_ns, sequence) == str(uuid7(unix_ns, sequence))


def test_one_moment_has_many_ids() -> None:
    """A hundred thousand dispatches at one moment have as many ids."""
    first = next_sequence()
    assert len({uuid7(MOMENT, first + step) for step in range(100_000)}) == 100_000


def test_an_id_is_the_same_at_each_reading() -> None:
    """Moment and number make the id: it may be put together any number of times."""
    assert uuid7(MOMENT, 5) == uuid7(MOMENT, 5)


def test_numbers_never_repeat() -> None:
    """Each number that is taken is new."""
    taken = [next_sequence() for _ in range(1_000)]
    assert len(set(taken)) == 1_000


@pytest.mark.usefixtures("_process_bits")
def test_processes_differ() -> None:
    """The same number at the same moment is another id in another process."""
    made = set()
    for _ in range(100):
        made.add(uuid7(MOMENT, 0))
        ids._reseed()
    assert len(made) == 100


@pytest.mark.usefixtures("_process_bits")
@pytest.mark.parametrize("bits", [0, (1 << 62) - 1, 1 << 27, (1 << 28) - 1])
def test_any_process_bits_make_valid_ids(bits: int) -> None:
    """Version and variant hold whatever the process drew at random."""
    ids._process_bits = bits
    made = uuid7(MOMENT, 3)
    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, MOMENT // 1_000_000)


@pytest.mark.usefixtures("_process_bits")
def test_a_wrapped_counter_stays_in_its_bits() -> None:
    """A counter that overflows changes no bit of the process."""
    ids._process_bits = (1 << 62) - 1
    before, after = uuid7(MOMENT, 0), uuid7(MOMENT, 1)
    mask = (1 << 28) - 1
    assert before.int & ~mask == after.int & ~mask
    assert before != after


FORK = """
import os
from signal_inspector.core.record import ids
before = ids._process_bits
child = os.fork()
print(ids._process_bits == before, flush=True)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork()")
def test_a_child_process_draws_bits_of_its_own() -> None:
    """What a fork copies is drawn anew in the child, and left alone in the parent."""
    assert sorted(run_python(FORK).split()) == ["False", "True"]


def test_ids_are_of_now() -> None:
    """An id made from the clock can be dated."""
    now = time.time_ns()
    milliseconds = uuid7(now, next_sequence()).int >> 80
    assert milliseconds == now // 1_000_000
