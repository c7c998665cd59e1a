"""The name of a receiver, and where it is defined; also for Celery tasks.

A task has its own name, although the same function runs all tasks. Celery is not imported, and a
task that has not been used yet stays lazy.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final, NamedTuple

from asgiref.sync import AsyncToSync, SyncToAsync

from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import ReceiverName
from signal_inspector.names.safe import (
    IdentityMap,
    class_attribute,
    class_module,
    class_mro,
    class_namespace,
    class_path,
    instance_attribute,
    is_class,
    native_attribute,
    plain_text,
)

#: The end of the name of a receiver that is a partial, or has one inside.
PARTIAL: Final = " (partial)"

#: Methods that only run the task: they have its name.
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

_MAX_LAYERS = 100  # of decorators, partials and methods around one function
_MAX_MOCK_NAME = 80
_partial_func = functools.partial.__dict__["func"].__get__

#: Names by receiver, except bound methods, because each access makes a new object.
receiver_names: IdentityMap[ReceiverName] = IdentityMap()

#: Names of bound methods, by the function and then by the class of the object.
_method_names: IdentityMap[IdentityMap[ReceiverName]] = IdentityMap()

#: What a function's name is made of: module, qualified name, code, whether inside a partial.
Untold = tuple[Any, Any, CodeType, bool]


class Task(NamedTuple):
    """A task, as far as it is known."""

    name: str
    function: object | None  # the function that was written for it


def task_of(receiver: object) -> Task | None:
    """The task that a receiver is or runs; None for anything else.

    Recognized are tasks, including those not used yet, their methods, and signatures.
    """
    if "celery" not in sys.modules:
        return None
    if type(receiver) is MethodType:
        task = _task(receiver.__self__)
        if task is None:
            return None
        called: Any = getattr(receiver.__func__, "__name__", "")
        called = plain_text(called) if issubclass(type(called), str) else ""
        if called in _RUNNING:
            return task
        return task._replace(name=f"{task.name}.{called}", function=receiver.__func__)
    return _task(receiver)


def is_lazy(receiver: object) -> bool:
    """Whether the receiver stands for a task that may not have been made yet."""
    return _is_of(receiver, "celery.local", "Proxy")


def is_signature(receiver: object) -> bool:
    """Whether the receiver is a task together with its arguments, as ``task.s()`` makes it."""
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
    """The task behind the proxy that ``@app.task`` or ``@shared_task`` returns."""
    made = _held(proxy, "__thing")
    if made is not None:
        return _task(made)
    maker: Any = _held(proxy, "_Proxy__local")
    if type(maker) is MethodType:  # a method of the app, which makes the task from these arguments
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
    """A task with the name that Celery is going to give it."""
    if type(function) is not FunctionType:
        return None
    if type(name) is not str:
        module: Any = function.__module__
        if module == "__main__" and type(main) is str:
            module = main
        name = f"{module}.{plain_text(function.__name__)}"
    return Task(name, function)


def _held(proxy: object, name: str) -> object | None:
    """An attribute of the proxy itself; normal access would ask the object behind the proxy."""
    try:
        return object.__getattribute__(proxy, name)  # type: ignore[no-any-return]
    except AttributeError:
        return None


def receiver_name(receiver: object) -> ReceiverName:
    """The dotted name, source file and first line of a receiver. Never raises.

    Decorators that keep ``__wrapped__``, partials, methods and asgiref's adapters are unwrapped,
    down to the function that somebody wrote. A method is named after the class of its object,
    "shop.Sms.handle", no matter which class defines it. A partial's name ends with " (partial)".
    A Celery task has its own name, and so have its ``delay``, its ``apply_async`` and its
    signatures. A callable instance is named after its class and located at its ``__call__``.
    """
    name = receiver_names.by_id.get(id(receiver))
    if name is not None:
        return name
    if type(receiver) is MethodType:
        return _method_name(receiver)
    name = _told(receiver)
    if not is_lazy(receiver):  # the name of a lazy task is not final
        receiver_names.set(receiver, name)
    return name


def untold_name(function: FunctionType, *, is_partial: bool = False) -> Untold:
    """What the name of a function is made of, for ``told_name()``. Keeps nothing alive."""
    return function.__module__, function.__qualname__, function.__code__, is_partial


def noted_name(receiver: Any) -> ReceiverName | Untold:
    """What the name of a receiver is made of, for ``told_name()`` to make the name later.

    Keeps nothing alive. A receiver that can only be named while it lives is named now.
    """
    if type(receiver) is MethodType:
        return _method_name(receiver)
    target, is_partial, layers = receiver, False, 0
    while layers < _MAX_LAYERS:
        if type(target) is FunctionType:
            wrapped = target.__dict__.get("__wrapped__")
            if wrapped is None:
                return untold_name(target, is_partial=is_partial)
            target = wrapped
        elif type(target) is functools.partial:
            is_partial = True
            target = _partial_func(target)
        else:
            break
        layers += 1
    return receiver_name(receiver)


def told_name(noted: Untold) -> ReceiverName:
    """The name of a noted receiver, as ``receiver_name()`` gives it."""
    module, qualname, code, is_partial = noted
    name = plain_text(qualname)
    if type(module) is str:
        name = f"{module}.{name}"
    return ReceiverName(f"{name}{PARTIAL}" if is_partial else name, *_location_of(code))


def _method_name(method: MethodType) -> ReceiverName:
    function, of = method.__func__, method.__self__
    owner = of if is_class(of) or is_signature(of) else type(of)
    names = _method_names.by_id.get(id(function))
    if names is None:
        names = IdentityMap()
        _method_names.set(function, names)
    name = names.by_id.get(id(owner))
    if name is None:
        name = _told(method)
        names.set(owner, name)
    return name


def forget_receiver_names() -> None:
    """Forget every name (for tests)."""
    receiver_names.clear()
    _method_names.clear()


def _told(receiver: object) -> ReceiverName:
    try:
        return _describe(receiver)
    except Exception as error:  # naming must not fail a dispatch
        internal_errors.report("the name of a receiver", error)
        return ReceiverName(class_path(type(receiver)), "", 0)


def _describe(receiver: object) -> ReceiverName:
    method: MethodType | None = None
    task: Task | None = None
    is_partial = False
    target = receiver
    for layer in _layers(receiver):
        target = layer
        is_partial |= issubclass(type(layer), functools.partial)
        if type(layer) is MethodType:
            method = layer
        task = task_of(layer)
        if task is not None:
            break
    if task is not None:
        name = ReceiverName(task.name, *_location(innermost(task.function)))
    else:
        name = _describe_innermost(target, method)
    return name._replace(name=f"{name.name}{PARTIAL}") if is_partial else name


def _describe_innermost(target: object, method: MethodType | None) -> ReceiverName:
    if type(target) is FunctionType:
        path = "" if method is None else _path_in_class(method, target)
        if not path:
            module: Any = target.__module__
            prefix = f"{module}." if type(module) is str else ""
            path = f"{prefix}{plain_text(target.__qualname__)}"
        return ReceiverName(path, *_location(target))
    if is_class(target):
        return ReceiverName(class_path(target), *_class_location(target))
    if _is_mock(target):
        return ReceiverName(_mock_name(target), "", 0)
    native = _native_name(target)
    if native:
        return ReceiverName(native, "", 0)
    call = class_attribute(type(target), "__call__")
    return ReceiverName(class_path(type(target)), *_location(innermost(call)))


def _path_in_class(method: MethodType, function: FunctionType) -> str:
    """The name of a method in the object's class: "shop.Sms.handle"; "" if it is not there.

    A method that the class overrides, as ``super().handle`` gives it, belongs to the base.
    """
    of, bound = method.__self__, method.__func__
    kinds = (of, type(of)) if is_class(of) else (type(of),)
    for kind in kinds:
        for base in class_mro(kind):
            namespace = class_namespace(base)
            for key in dict.fromkeys((plain_text(function.__name__), *namespace)):
                held: object = namespace.get(key)
                if held is bound or innermost(held) is function:
                    is_own = class_attribute(kind, key) is held
                    return f"{class_path(kinds[0] if is_own else base)}.{key}"
    return ""


def innermost(receiver: object) -> object:
    """The function, class or callable instance inside all wrappers."""
    target = receiver
    for layer in _layers(receiver):
        target = layer
    return target


def _layers(receiver: object) -> Iterator[object]:
    """The receiver and what is inside it, layer by layer."""
    yield receiver
    seen = {id(receiver)}
    target = _one_layer_in(receiver)
    while callable(target) and id(target) not in seen and len(seen) < _MAX_LAYERS:
        yield target
        seen.add(id(target))
        target = _one_layer_in(target)


def _one_layer_in(target: object) -> object | None:
    kind = type(target)
    if kind is MethodType:
        return target.__func__  # type: ignore[attr-defined,no-any-return]
    if issubclass(kind, functools.partial):
        return _partial_func(target)  # type: ignore[no-any-return]
    if issubclass(kind, (staticmethod, classmethod)):
        return native_attribute(target, "__func__")
    if issubclass(kind, type):
        return None
    if issubclass(kind, SyncToAsync):
        return instance_attribute(target, "func")
    if issubclass(kind, AsyncToSync):
        return instance_attribute(target, "awaitable")
    wrapped = instance_attribute(target, "__wrapped__")
    return native_attribute(target, "__wrapped__") if wrapped is None else wrapped


def _location(target: object) -> tuple[str, int]:
    return _location_of(target.__code__) if type(target) is FunctionType else ("", 0)


def _location_of(code: CodeType) -> tuple[str, int]:
    if code.co_filename.startswith("<"):
        return "", 0
    return code.co_filename, code.co_firstlineno


def _class_location(cls: type) -> tuple[str, int]:
    namespace = class_namespace(cls)
    path, line = "", 0
    for method in ("__init__", "__new__", "__call__"):
        path, line = _location(innermost(namespace.get(method)))
        if path:
            break
    first_line: Any = namespace.get("__firstlineno__")  # from Python 3.13 on
    if type(first_line) is int:
        module = sys.modules.get(class_module(cls))
        file = instance_attribute(module, "__file__")
        return (file, first_line) if type(file) is str else (path, line)
    return path, line


def _is_mock(target: object) -> bool:
    mock = sys.modules.get("unittest.mock")
    return mock is not None and issubclass(type(target), mock.NonCallableMock)


def _mock_name(mock: object) -> str:
    """The class and the given name of a mock, read without the mock recording an access."""
    path = class_path(type(mock))
    for attribute in ("_mock_name", "_mock_new_name"):
        name = instance_attribute(mock, attribute)
        if type(name) is str and 0 < len(name) <= _MAX_MOCK_NAME:
            return f"{path}(name={name!r})"
    return path


def _native_name(target: object) -> str:
    """The name of a function written in C, or compiled; "" for anything else."""
    qualname = native_attribute(target, "__qualname__")
    if type(qualname) is not str:
        return ""
    module = native_attribute(target, "__module__")
    if type(module) is str:
        return f"{module}.{qualname}"
    owner = native_attribute(target, "__objclass__")
    if type(target) is BuiltinFunctionType:
        owner = target.__self__
    if owner is None or type(owner) is ModuleType:
        return qualname
    cls = owner if is_class(owner) else type(owner)
    return f"{class_path(cls)}.{qualname.rpartition('.')[2]}"
