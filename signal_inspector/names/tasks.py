"""Tasks of Celery: each has a name of its own, and one and the same function runs them all.

Celery is not imported, and a task that nobody has used yet stays lazy.
"""

from __future__ import annotations

import sys
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple

from signal_inspector.names.safe import class_attribute, instance_attribute

#: Methods that do nothing but have the task run: they go by its name.
_RUNNING: Final = frozenset(
    (
        "__call__",
        "apply",
        "apply_async",
        "apply_async_on_commit",
        "delay",
        "delay_on_commit",
        "run",
    )
)


class Task(NamedTuple):
    """A task as far as it can be told."""

    name: str
    function: object | None  # that somebody wrote for it


def task_of(receiver: object) -> Task | None:
    """The task that a receiver is, or makes run; None for anything else.

    Tasks themselves, also such as nobody has used yet, their methods, and signatures.
    """
    if "celery" not in sys.modules:
        return None
    if type(receiver) is MethodType:
        task = _task(receiver.__self__)
        called: Any = getattr(receiver.__func__, "__name__", "")
        if task is None or called in _RUNNING:
            return task
        return task._replace(name=f"{task.name}.{called}", function=receiver.__func__)
    return _task(receiver)


def is_lazy(receiver: object) -> bool:
    """Whether it stands for a task that may not have been made."""
    return _is_of(receiver, "celery.local", "Proxy")


def is_signature(receiver: object) -> bool:
    """Whether it is a task together with its arguments, as ``task.s()`` makes it."""
    return _is_of(receiver, "celery.canvas", "Signature")


def _is_of(receiver: object, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    if loaded is None:
        return False
    cls = instance_attribute(loaded, name)
    return cls is not None and issubclass(type(receiver), cls)  # type: ignore[arg-type]


def _task(target: object) -> Task | None:
    if _is_of(target, "celery.app.task", "Task"):
        name = instance_attribute(target, "name") or class_attribute(type(target), "name")
        return Task(name, class_attribute(type(target), "run")) if type(name) is str else None
    if is_lazy(target):
        return _lazy(target)
    if is_signature(target):
        name = dict.get(target, "task")  # type: ignore[call-overload]
        made = _task(instance_attribute(target, "_type"))
        return Task(name, made and made.function) if type(name) is str else None
    return None


def _lazy(proxy: object) -> Task | None:
    """What ``@app.task`` and ``@shared_task`` put in the place of a task."""
    made = _held(proxy, "__thing")
    if made is not None:
        return _task(made)
    maker: Any = _held(proxy, "_Proxy__local")
    if type(maker) is MethodType:  # of the app, which is to make the task of these arguments
        arguments: Any = _held(proxy, "_Proxy__args")
        options: Any = _held(proxy, "_Proxy__kwargs")
        function = arguments[0] if type(arguments) is tuple and arguments else None
        name = dict.get(options, "name") if type(options) is dict else None
        return _unmade(function, name, instance_attribute(maker.__self__, "main"))
    if type(maker) is FunctionType and maker.__closure__ is not None:
        cells = dict(zip(maker.__code__.co_freevars, maker.__closure__, strict=True))
        if {"fun", "name"} <= cells.keys():
            return _unmade(cells["fun"].cell_contents, cells["name"].cell_contents, None)
    return None


def _unmade(function: object, name: object, main: object) -> Task | None:
    """The name that Celery is going to give to a task."""
    if type(function) is not FunctionType:
        return None
    if type(name) is not str:
        module: Any = function.__module__
        if module == "__main__" and type(main) is str:
            module = main
        name = f"{module}.{function.__name__}"
    return Task(name, function)


def _held(proxy: object, name: str) -> object | None:
    """An attribute of the proxy itself, which hands on all that it is asked for otherwise."""
    try:
        return object.__getattribute__(proxy, name)  # type: ignore[no-any-return]
    except AttributeError:
        return None
