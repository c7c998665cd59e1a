"""What all contexts for tests share: they decorate functions, coroutine functions and classes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

__unittest = True  # unittest leaves our frames out of the traceback of a failure

T = TypeVar("T")
D = TypeVar("D", bound=Callable[..., Any])


class TestContext(Generic[T]):
    """A context for tests: ``with``, or a decorator of a test or of a class of tests.

    Decorating a class decorates its methods whose names begin with "test", inherited ones too.
    Contexts nest, and each decorated call has one of its own.
    """

    __test__ = False  # pytest collects classes by their names

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
        """Let a decorated function have what ``with`` would give. Nothing, by default."""

    def _again(self) -> Self:
        """A context of the same kind that has not been entered."""
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
        for name in dir(cls):
            if name.startswith("test"):
                method = inspect.getattr_static(cls, name)
                if inspect.isfunction(method):
                    setattr(cls, name, self(method))
