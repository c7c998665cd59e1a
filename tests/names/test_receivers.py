"""What receivers are called, and where they are."""

from __future__ import annotations

import collections
import functools
import gc
import inspect
import types
import weakref
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.dispatch import Signal
from sentry_sdk.integrations.django import signals_handlers

from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import ReceiverName
from signal_inspector.names import receiver_name

HERE = __name__


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def unnamed(function: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def on_order(**kwargs: Any) -> None:
    """A plain receiver."""


async def on_order_async(**kwargs: Any) -> None:
    """An async one."""


@wrapping
@wrapping
def decorated(**kwargs: Any) -> None:
    """One in two decorators."""


shout = lambda **kwargs: None  # noqa: E731


class Office:
    def __init__(self) -> None:
        self.name = "office"

    def on_order(self, **kwargs: Any) -> None:
        """A method."""

    @classmethod
    def on_any(cls, **kwargs: Any) -> None:
        """A class method."""

    @unnamed
    def on_sale(self, **kwargs: Any) -> None:
        """One in a decorator that does not keep its name."""

    @staticmethod
    def on_none(**kwargs: Any) -> None:
        """A static method."""


class Branch(Office):
    """Inherits its receivers."""


class Closed(Office):
    """Overrides one of them."""

    def on_order(self, **kwargs: Any) -> None:
        """Another method."""

    def opened(self) -> Any:
        return super().on_order


class Meter(type):
    def on_meter(cls, **kwargs: Any) -> None:
        """A method of classes."""


class Metered(metaclass=Meter):
    """One of them."""


class Mailer:
    """A callable instance that breaks whoever looks at it."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")

    def __bool__(self) -> bool:
        raise AssertionError("tested for truth")

    def __repr__(self) -> str:
        raise AssertionError("printed")

    def __call__(self, **kwargs: Any) -> None:
        """Send mail."""


class Decorator:
    """A decorator that is a class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, **kwargs: Any) -> None:
        """Pass it on."""


class SlottedDecorator:
    """One that keeps what it wraps in a slot."""

    __slots__ = ("__wrapped__",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function

    def __call__(self, **kwargs: Any) -> None:
        """Pass it on."""


class StaticCall:
    """A callable whose __call__ is a plain function elsewhere."""

    __call__ = staticmethod(on_order)


def line_of(function: Any) -> int:
    return inspect.unwrap(function).__code__.co_firstlineno


ON_ORDER = (f"{HERE}.on_order", line_of(on_order))
PARTIAL_ON_ORDER = (f"{HERE}.on_order (partial)", line_of(on_order))
METHOD = (f"{HERE}.Office.on_order", line_of(Office.on_order))
CASES: dict[str, tuple[Any, tuple[str, int]]] = {
    "function": (on_order, ON_ORDER),
    "async": (on_order_async, (f"{HERE}.on_order_async", line_of(on_order_async))),
    "lambda": (shout, (f"{HERE}.<lambda>", line_of(shout))),
    "decorated": (decorated, (f"{HERE}.decorated", line_of(decorated))),
    "method": (Office().on_order, METHOD),
    "inherited": (Branch().on_order, (f"{HERE}.Branch.on_order", METHOD[1])),
    "of the base": (Closed().opened(), METHOD),
    "inherited class method": (
        Branch.on_any,
        (f"{HERE}.Branch.on_any", line_of(Office.on_any.__func__)),
    ),
    "decorated method": (Branch().on_sale, (f"{HERE}.Branch.on_sale", line_of(Office.on_sale))),
    "method of the metaclass": (
        Metered.on_meter,
        (f"{HERE}.Metered.on_meter", line_of(Meter.on_meter)),
    ),
    "function bound by hand": (types.MethodType(on_order, Office()), ON_ORDER),
    "class method": (Office.on_any, (f"{HERE}.Office.on_any", line_of(Office.on_any.__func__))),
    "static method": (Office.on_none, (f"{HERE}.Office.on_none", line_of(Office.on_none))),
    "static method object": (
        vars(Office)["on_none"],
        (f"{HERE}.Office.on_none", line_of(Office.on_none)),
    ),
    "partial": (functools.partial(on_order, a=1), PARTIAL_ON_ORDER),
    "partial of partial of method": (
        functools.partial(functools.partial(Office().on_order, a=1), b=2),
        (f"{METHOD[0]} (partial)", METHOD[1]),
    ),
    "partial with attributes": (
        functools.wraps(decorated)(functools.partial(on_order)),
        PARTIAL_ON_ORDER,
    ),
    "partial in a decorator": (wrapping(functools.partial(on_order)), PARTIAL_ON_ORDER),
    "cached": (functools.lru_cache(on_order), ON_ORDER),
    "class decorator": (Decorator(on_order), ON_ORDER),
    "slotted decorator": (SlottedDecorator(on_order), ON_ORDER),
    "sync_to_async": (sync_to_async(on_order), ON_ORDER),
    "sync_to_async of method": (sync_to_async(Office().on_order), METHOD),
    "async_to_sync": (
        async_to_sync(on_order_async),
        (f"{HERE}.on_order_async", line_of(on_order_async)),
    ),
    "callable instance": (Mailer(), (f"{HERE}.Mailer", line_of(Mailer.__call__))),
    "static call": (StaticCall(), (f"{HERE}.StaticCall", line_of(on_order))),
}


@pytest.mark.parametrize("case", CASES)
def test_receiver_name(case: str) -> None:
    """Each kind of receiver is named after the function that somebody wrote, with its place."""
    receiver, (name, line) = CASES[case]
    assert receiver_name(receiver) == ReceiverName(name, __file__, line)
    assert receiver_name(receiver) == ReceiverName(name, __file__, line)
    assert internal_errors.counts() == {}


def test_a_class() -> None:
    """A class is named after itself and found in this file."""
    name, path, line = receiver_name(Office)
    assert (name, path) == (f"{HERE}.Office", __file__)
    first = inspect.getsourcelines(Office)[1]
    assert line in (first, line_of(Office.__init__))


@pytest.mark.parametrize(
    ("receiver", "name"),
    [
        (print, "builtins.print"),
        ([].append, "builtins.list.append"),
        (collections.deque().append, "collections.deque.append"),
        (dict.fromkeys, "builtins.dict.fromkeys"),
        (str.upper, "builtins.str.upper"),
        ([].__len__, "builtins.list.__len__"),
        (len, "builtins.len"),
        (functools.partial(print), "builtins.print (partial)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_functions_written_in_c(receiver: object, name: str) -> None:
    """Functions without Python source have a dotted name and no place."""
    assert receiver_name(receiver) == ReceiverName(name, "", 0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (mock.MagicMock, "unittest.mock.MagicMock"),
        (lambda: mock.Mock(name="notify"), "unittest.mock.Mock(name='notify')"),
        (lambda: mock.AsyncMock(name="notify"), "unittest.mock.AsyncMock(name='notify')"),
        (lambda: mock.MagicMock().notify, "unittest.mock.MagicMock(name='notify')"),
        (lambda: mock.MagicMock(name="x" * 81), "unittest.mock.MagicMock"),
        (lambda: mock.MagicMock(spec=Office), "unittest.mock.MagicMock"),
        (lambda: mock.MagicMock(name=mock.MagicMock()), "unittest.mock.MagicMock"),
    ],
)
def test_mocks_do_not_notice(make: Callable[[], mock.Mock], name: str) -> None:
    """A mock is called after its class and given name; no call and no child is left on it."""
    receiver = make()
    before = dict(vars(receiver))
    assert receiver_name(receiver) == ReceiverName(name, "", 0)
    assert vars(receiver) == before
    assert receiver.mock_calls == []
    assert receiver._mock_children == {}


def test_an_autospecced_function_keeps_its_name() -> None:
    """create_autospec of a function counts no call and is named like a function."""
    receiver = mock.create_autospec(on_order)
    assert receiver_name(receiver).name.endswith("on_order")
    receiver.assert_not_called()


def test_through_sentrys_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver inside Sentry's own wrapper is found."""
    monkeypatch.setattr(Signal, "_live_receivers", Signal._live_receivers)
    client = mock.Mock()
    client.get_integration.return_value.signals_spans = True
    client.get_integration.return_value.signals_denylist = []
    monkeypatch.setattr(signals_handlers.sentry_sdk, "get_client", lambda: client)
    signals_handlers.patch_signals()
    signal = Signal()
    signal.connect(on_order)
    ((wrapper,), _) = signal._live_receivers(None)
    assert wrapper is not on_order, "Sentry did not wrap: the test has seen nothing"
    assert receiver_name(wrapper).name == f"{HERE}.on_order"


def test_a_cycle_of_wrappers() -> None:
    """Two functions that wrap each other are named, not followed forever."""

    def one() -> None: ...
    def two() -> None: ...

    one.__wrapped__ = two  # type: ignore[attr-defined]
    two.__wrapped__ = one  # type: ignore[attr-defined]
    assert receiver_name(one).name.endswith(".<locals>.two")


def test_a_very_deep_wrapping() -> None:
    """A thousand layers do not hang: the name is the one that was reached."""
    receiver: Callable[..., Any] = on_order
    for _ in range(1000):
        receiver = wrapping(receiver)
    assert receiver_name(receiver).name == f"{HERE}.on_order"


@pytest.mark.parametrize("wrapped", [None, 3, "text"], ids=repr)
def test_a_wrapped_that_is_no_callable(wrapped: object) -> None:
    """A __wrapped__ that cannot be called is not followed."""

    def receiver(**kwargs: Any) -> None: ...

    receiver.__wrapped__ = wrapped  # type: ignore[attr-defined]
    assert receiver_name(receiver).name.endswith(".<locals>.receiver")


def test_code_from_no_file() -> None:
    """A function made by exec() has a name, but no file to open."""
    namespace: dict[str, Any] = {"__name__": "made.up"}
    exec("def receiver(**kwargs): pass", namespace)
    assert receiver_name(namespace["receiver"]) == ReceiverName("made.up.receiver", "", 0)


def test_a_function_without_a_module() -> None:
    """A function whose __module__ is None has its qualified name alone."""

    def receiver(**kwargs: Any) -> None: ...

    receiver.__module__ = None  # type: ignore[assignment]
    assert receiver_name(receiver).name == receiver.__qualname__


def test_what_cannot_be_described_is_called_after_its_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failure of ours is counted, and the receiver still has a name."""

    def broken(target: object) -> bool:
        raise RuntimeError("ours")

    monkeypatch.setattr("signal_inspector.names.receivers._is_mock", broken)
    name = receiver_name(StaticCall())
    assert name == ReceiverName(f"{HERE}.StaticCall", "", 0)
    assert internal_errors.counts() == {"the name of a receiver": 1}


def test_bound_methods_share_the_entry_of_their_class() -> None:
    """A method of another instance, new at each access, costs no second look."""
    first = receiver_name(Office().on_order)
    assert receiver_name(Office().on_order) is first
    assert receiver_name(Branch().on_order) is not first


def test_a_class_that_dies_takes_the_names_of_its_methods_along() -> None:
    """A class whose methods were named can be collected."""
    local = type("Local", (Office,), {})
    assert receiver_name(local().on_order).name == f"{HERE}.Local.on_order"
    reference = weakref.ref(local)
    del local
    gc.collect()
    assert reference() is None


def test_naming_keeps_no_receiver_alive() -> None:
    """A local function and a callable instance die as if they had never been named."""

    def receiver(**kwargs: Any) -> None: ...

    mailer = StaticCall()
    references = [weakref.ref(receiver), weakref.ref(mailer)]
    receiver_name(receiver)
    receiver_name(mailer)
    del receiver, mailer
    gc.collect()
    assert [reference() for reference in references] == [None, None]
