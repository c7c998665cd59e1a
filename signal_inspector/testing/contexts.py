"""The base of all contexts for tests: they also decorate functions, coroutines and classes.

They install the wrapper for as long as they need it, if the app is not installed, or not yet.
"""

from __future__ import annotations

import copy
import inspect
import sys
import unittest
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, cast

from django.conf import settings

from signal_inspector.core import process_state
from signal_inspector.core.wrapper import instrument

_lock = process_state.lock()
_users = 0
_wrapper_is_ours = False
_queries_are_ours = False

__unittest = True  # unittest leaves our frames out of the traceback of a failure

_SET_UP: Final = ("setup_class", "setup_method", "teardown_class", "teardown_method")

T = TypeVar("T")
D = TypeVar("D", bound=Callable[..., Any])


def acquire_wrapper() -> None:
    """Record dispatches and queries until ``release_wrapper``; install only what is missing."""
    global _users, _wrapper_is_ours, _queries_are_ours
    with _lock:
        _users += 1
        if not instrument.is_installed():
            instrument.install()
            _wrapper_is_ours = True
        if settings.configured:
            from signal_inspector.core.record import queries  # noqa: PLC0415

            if not queries.is_installed():
                queries.install()
                _queries_are_ours = True


def release_wrapper() -> None:
    """Undo ``acquire_wrapper``: the last release uninstalls what was installed for it."""
    global _users, _wrapper_is_ours, _queries_are_ours
    with _lock:
        _users -= 1
        if _users:
            return
        if _wrapper_is_ours:
            _wrapper_is_ours = False
            instrument.uninstall()
        if _queries_are_ours:
            from signal_inspector.core.record import queries  # noqa: PLC0415

            _queries_are_ours = False
            queries.uninstall()


class TestContext(Generic[T]):
    """A context for tests: for ``with``, or as a decorator of a test or of a class of tests.

    Decorating a class decorates its methods whose names begin with "test", including inherited
    ones. With ``covers_set_up``, each test of a ``TestCase`` is covered from its set-up to its
    last clean-up. Contexts nest, and each call of a decorated function enters a new one.
    """

    __test__ = False  # pytest collects classes by their names

    covers_set_up: ClassVar[bool] = False
    #: Whether the context is also in force while a decorated class is set up and torn down.
    covers_classes: ClassVar[bool] = False
    #: Whether it then stays in force from the class's set-up to its tear-down.
    stays: ClassVar[bool] = False
    #: Whether the context was made to decorate a class.
    is_of_class = False

    def __enter__(self) -> T:
        raise NotImplementedError

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    def __call__(self, decorated: D) -> D:
        if inspect.isclass(decorated):
            self._decorate_class(decorated)
            return decorated
        if inspect.isgeneratorfunction(decorated) or inspect.isasyncgenfunction(decorated):
            raise TypeError(
                f"{type(self).__name__} cannot decorate the generator {decorated.__qualname__}: "
                "write a with statement around its yield."
            )
        return self._decorate(decorated)

    def give(self, entered: T, arguments: dict[str, Any], args: tuple[Any, ...]) -> None:
        """Hand what ``with`` gives to a decorated function. Does nothing by default."""

    def _again(self) -> Self:
        """A copy of this context that has not been entered."""
        return copy.copy(self)

    def _decorate(self, function: D) -> D:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def in_async_context(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                context = self._again()
                with context as entered:
                    context.give(entered, kwargs, args)
                    return await function(*args, **kwargs)

            return cast("D", in_async_context)

        @wraps(function)
        def in_context(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            context = self._again()
            with context as entered:
                context.give(entered, kwargs, args)
                return function(*args, **kwargs)

        return cast("D", in_context)

    def _decorate_class(self, cls: type) -> None:
        context = self._again()
        context.is_of_class = True
        if context.covers_set_up and issubclass(cls, unittest.TestCase):
            context._decorate_test_case(cls)
            return
        for name in dir(cls):
            if name.startswith("test") or (context.covers_classes and name in _SET_UP):
                method = inspect.getattr_static(cls, name)
                if isinstance(method, classmethod):
                    setattr(cls, name, classmethod(context._decorate(method.__func__)))
                elif inspect.isfunction(method):
                    setattr(cls, name, context(method))

    def _decorate_test_case(self, cls: type[unittest.TestCase]) -> None:
        """Cover subclasses and all set-up too, as ``override_settings`` does."""
        for name in ("run", "debug"):
            setattr(cls, name, self._around_test(getattr(cls, name)))
        for name in ("setUpClass", "tearDownClass") if self.covers_classes else ():
            method = inspect.getattr_static(cls, name)
            setattr(cls, name, classmethod(self._around_class(method.__func__)))

    def _around_test(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def run(test: unittest.TestCase, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            context = self._again()
            try:
                entered = context.__enter__()
            except Exception:
                result = args[0] if args else kwargs.get("result")
                if result is None:
                    raise
                result.startTest(test)  # raising instead would end the whole run
                result.addError(test, sys.exc_info())
                result.stopTest(test)
                return result
            try:
                context.give(entered, kwargs, (test,))
                return original(test, *args, **kwargs)
            finally:
                context.__exit__(*sys.exc_info())

        return run

    def _around_class(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def set_up(cls: type[unittest.TestCase]) -> None:
            __tracebackhide__ = True
            if self.stays and original.__name__ == "setUpClass":
                context = self._again()
                context.__enter__()
                cls.addClassCleanup(context.__exit__, None, None, None)
                original(cls)
            elif self.stays:
                original(cls)
            else:
                with self._again():
                    original(cls)

        return set_up
