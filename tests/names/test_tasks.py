"""Tasks of Celery as receivers and senders."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from celery import Celery, Task, shared_task

from signal_inspector.core.record.values import ReceiverName
from signal_inspector.names import receiver_name, sender_name
from tests.listening import OwnName

HERE = __name__
app = Celery("shop", broker="memory://", set_as_current=False)


def index(**kwargs: Any) -> None:
    """What a task does."""


@shared_task
def shared(**kwargs: Any) -> None:
    """A task of whatever app there is."""


@shared_task(name="shop.tasks.called")
def called(**kwargs: Any) -> None:
    """One of them with a name."""


class Sweep(Task):
    name = "shop.tasks.sweep"

    def run(self, **kwargs: Any) -> None:
        """A task that is a class."""

    def look(self, **kwargs: Any) -> None:
        """A method that is its own."""


made = app.task(index, name="shop.tasks.index", lazy=False)
bound = app.task(index, name="shop.tasks.bound", lazy=False, bind=True)
sweep = app.register_task(Sweep())

LINES = {
    function.__name__: function.__code__.co_firstlineno
    for function in (index, Sweep.run, Sweep.look)
}
INDEX = ReceiverName("shop.tasks.index", __file__, LINES["index"])
CASES: dict[str, tuple[Any, ReceiverName]] = {
    "task": (made, INDEX),
    "delay": (made.delay, INDEX),
    "apply_async": (made.apply_async, INDEX),
    "another task": (bound.delay, INDEX._replace(name="shop.tasks.bound")),
    "signature": (made.s(), INDEX),
    "signature's delay": (made.si().delay, INDEX),
    "partial": (
        functools.partial(made.delay, 1),
        INDEX._replace(name="shop.tasks.index (partial)"),
    ),
    "class": (sweep, ReceiverName("shop.tasks.sweep", __file__, LINES["run"])),
    "a method of its own": (
        sweep.look,
        ReceiverName("shop.tasks.sweep.look", __file__, LINES["look"]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_task_goes_by_its_own_name(case: str) -> None:
    """Two tasks are told apart, and stand where their functions do."""
    receiver, name = CASES[case]
    assert receiver_name(receiver) == name
    assert receiver_name(receiver) == name


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, f"{HERE}.index"), ({"name": "shop.tasks.named"}, "shop.tasks.named")],
)
def test_a_task_that_was_never_used_stays_so(options: dict[str, str], name: str) -> None:
    """Its name is what Celery is going to give it, and the app makes no task for the question."""
    own = Celery("own", broker="memory://", set_as_current=False)
    task = own.task(shared=False, **options)(index)
    assert receiver_name(task) == ReceiverName(name, __file__, LINES["index"])
    assert not own.finalized


@pytest.mark.parametrize(
    ("task", "name"), [(shared, f"{HERE}.shared"), (called, "shop.tasks.called")]
)
def test_a_shared_task_asks_no_app(task: Any, name: str) -> None:
    """A task of whatever app there is has its name without one."""
    told = receiver_name(task)
    assert (told.name, told.path) == (name, __file__)


def test_a_lazy_task_that_was_made_has_its_real_name() -> None:
    """An app may name its tasks as it likes: once a task is made, that name is told."""

    class Named(Celery):
        def gen_task_name(self, name: str, module: str) -> str:
            return f"our.{name}"

    task = Named("own", broker="memory://", set_as_current=False).task(shared=False)(index)
    assert receiver_name(task).name == f"{HERE}.index"
    task._get_current_object()
    assert receiver_name(task).name == "our.index"


def test_a_task_as_sender_goes_by_its_name() -> None:
    """Who sends from a task reads which one it was."""
    assert sender_name(made) == "shop.tasks.index"
    assert sender_name(shared) == f"{HERE}.shared"


def test_a_method_whose_name_is_of_a_class_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the methods of that class runs."""
    monkeypatch.setattr(Sweep.look, "__name__", OwnName("looks"))
    assert receiver_name(sweep.look).name == "shop.tasks.sweep.looks"


def test_a_lazy_task_whose_name_is_of_a_class_of_its_own() -> None:
    """The name that Celery is going to give it is read, and no method of that class runs."""

    def named() -> None: ...

    named.__name__ = OwnName("named")
    assert receiver_name(Celery("shop", set_as_current=False).task(named)).name == f"{HERE}.named"
