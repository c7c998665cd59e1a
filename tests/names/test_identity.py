"""``IdentityMap``: values beside objects, as long as these live."""

from __future__ import annotations

import gc
import threading

import pytest

from signal_inspector.names import IdentityMap


class Thing:
    """Weakly referenceable, of ordinary size."""


class Hostile:
    """Breaks whatever compares or hashes it."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")


class Equal:
    """Equal to everything, as mocks and ORM expressions can be."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_keeps_values_apart_by_identity() -> None:
    """Two objects that are equal have two values."""
    names: IdentityMap[str] = IdentityMap()
    one, two = Equal(), Equal()
    assert names.set(one, "one")
    assert names.set(two, "two")
    assert (names.get(one), names.get(two), len(names)) == ("one", "two", 2)
    assert one in names
    assert Equal() not in names


def test_never_compares_or_hashes() -> None:
    """get, set and pop call neither __eq__ nor __hash__."""
    names: IdentityMap[int] = IdentityMap()
    thing = Hostile()
    assert names.set(thing, 1)
    assert names.get(thing) == 1
    assert names.pop(thing) == 1
    assert names.get(thing) is None


def test_hot_path_reads_the_plain_dict() -> None:
    """by_id is the dict that get() reads, and clear() empties it in place."""
    names: IdentityMap[int] = IdentityMap()
    thing = Thing()
    by_id = names.by_id
    names.set(thing, 7)
    assert by_id.get(id(thing)) == 7
    names.clear()
    assert by_id == {}
    names.set(thing, 8)
    assert by_id == {id(thing): 8}


def test_entry_dies_with_its_object() -> None:
    """When the object dies, its entry goes, and the reference beside it."""
    names: IdentityMap[int] = IdentityMap()
    thing = Thing()
    names.set(thing, 1)
    names.set(thing, 2)
    del thing
    assert len(names) == 0
    assert names._refs == {}


def test_entry_dies_with_a_cycle() -> None:
    """An object that only the garbage collector can free takes its entry along."""
    names: IdentityMap[int] = IdentityMap()
    thing = Thing()
    thing.itself = thing  # type: ignore[attr-defined]
    names.set(thing, 1)
    del thing
    gc.collect()
    assert len(names) == 0


@pytest.mark.parametrize("forget", ["nothing", "pop", "clear"])
def test_an_id_in_use_again_finds_nothing(forget: str) -> None:
    """An object at the address of a dead one does not find the dead one's value."""
    names: IdentityMap[str] = IdentityMap()
    reused = 0
    for _ in range(100):
        first = Thing()
        names.set(first, "first")
        if forget == "pop":
            names.pop(first)
            names.set(first, "again")
        elif forget == "clear":
            names.clear()
            names.set(first, "again")
        address = id(first)
        del first
        second = Thing()
        reused += id(second) == address
        assert names.get(second) is None
    assert reused, "no address was used again: the test has seen nothing"


@pytest.mark.parametrize("thing", [3, "text", (), None], ids=repr)
def test_refuses_what_cannot_be_weakly_referenced(thing: object) -> None:
    """set() returns False and stores nothing for an object without weak references."""
    names: IdentityMap[int] = IdentityMap()
    assert names.set(thing, 1) is False
    assert names.get(thing) is None
    assert names.get(thing, 5) == 5
    assert names.pop(thing, 6) == 6
    assert len(names) == 0


def test_does_not_keep_the_map_alive_for_its_objects() -> None:
    """Objects that outlive their map die without a trace of it."""
    names: IdentityMap[int] = IdentityMap()
    thing = Thing()
    names.set(thing, 1)
    del names
    gc.collect()
    del thing


def test_threads_never_read_a_foreign_value() -> None:
    """Threads that set, clear and let objects die only ever read their own object's value."""
    names: IdentityMap[int] = IdentityMap()
    wrong: list[tuple[int, int | None]] = []
    stop = threading.Event()

    def work() -> None:
        for number in range(4000):
            thing = Thing()
            if names.get(thing) is not None:
                wrong.append((number, names.get(thing)))
            names.set(thing, id(thing))
            if names.get(thing, id(thing)) != id(thing):
                wrong.append((number, names.get(thing)))

    def clear() -> None:
        while not stop.is_set():
            names.clear()

    clearing = threading.Thread(target=clear)
    working = [threading.Thread(target=work) for _ in range(4)]
    clearing.start()
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    stop.set()
    clearing.join()
    assert wrong == []
    assert len(names) == 0
    assert names._refs == {}


def test_gives_the_objects_that_live() -> None:
    """objects() has those that have a value and have not died."""
    names: IdentityMap[str] = IdentityMap()
    one, two, three = Thing(), Thing(), Thing()
    names.set(one, "one")
    names.set(two, "two")
    names.set(three, "three")
    names.pop(two)
    del three
    gc.collect()
    assert names.objects() == [one]
