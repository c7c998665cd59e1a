"""What senders are called."""

from __future__ import annotations

import enum
import functools
import gc
import types
import weakref

import pytest
from django.contrib.auth.models import User
from django.core.signals import setting_changed
from django.db.models import TextChoices
from django.utils.functional import SimpleLazyObject

import signal_inspector
from signal_inspector.names import class_path, sender_name

HERE = __name__


class Order:
    class Line:
        pass

    def place(self) -> None:
        """A method."""

    @classmethod
    def cancel(cls) -> None:
        """One of the class."""


class Color(enum.Enum):
    RED = 1


class Size(TextChoices):
    LARGE = "l"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


def checkout(number: int = 0) -> None:
    """A function."""


class Trap(type):
    """A metaclass that breaks whoever reads an attribute of its classes."""

    def __getattribute__(cls, name: str) -> object:
        raise AssertionError(f"{name} was read")

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(cls) -> int:
        return 1


class Trapped(metaclass=Trap):
    """A class that must be named without asking it."""


class Loud:
    """An object that breaks whoever prints, compares, hashes or looks into it."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"{name} was read")

    def __repr__(self) -> str:
        raise AssertionError("printed")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")

    def __bool__(self) -> bool:
        raise AssertionError("tested for truth")


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (Order, f"{HERE}.Order"),
        (Order.Line, f"{HERE}.Order.Line"),
        (Order(), f"{HERE}.Order instance"),
        (Order().place, f"{HERE}.Order.place"),
        (Order.cancel, f"{HERE}.Order.cancel"),
        (checkout, f"{HERE}.checkout"),
        (functools.lru_cache(checkout), f"{HERE}.checkout"),
        (functools.partial(checkout, 1), f"{HERE}.checkout (partial)"),
        (Color.RED, f"{HERE}.Color.RED"),
        (Size.LARGE, f"{HERE}.Size.LARGE"),
        (Right.READ, f"{HERE}.Right.READ"),
        (Right.READ | Right.WRITE, f"{HERE}.Right instance"),
        (setting_changed, "django.core.signals.setting_changed"),
        (("a", "b"), "builtins.tuple instance"),
        (User, "django.contrib.auth.models.User"),
        (Trapped, f"{HERE}.Trapped"),
        (Loud(), f"{HERE}.Loud instance"),
        (None, "None"),
        (signal_inspector, "signal_inspector"),
        ("checkout", "'checkout'"),
        ("shop.checkout", "'shop.checkout'"),
        ("x" * 80, f"'{'x' * 80}'"),
        ("x" * 81, "str"),
        ("", "str"),
        ("shop..checkout", "str"),
        ("alice@example.com", "str"),
        ("two words", "str"),
        (b"checkout", "builtins.bytes instance"),
        (3, "builtins.int instance"),
        (print, "builtins.print"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_sender_name(sender: object, name: str) -> None:
    """Each kind of sender has its documented name, the second time too."""
    assert sender_name(sender) == name
    assert sender_name(sender) == name


def test_a_lazy_sender_is_not_evaluated() -> None:
    """A SimpleLazyObject is called after its own class and stays lazy."""
    evaluated: list[bool] = []
    lazy = SimpleLazyObject(lambda: evaluated.append(True) or Order())
    assert sender_name(lazy) == "django.utils.functional.SimpleLazyObject instance"
    assert evaluated == []


def test_a_module_without_a_usable_name() -> None:
    """A module whose __name__ is no string is called after its class."""
    module = types.ModuleType("shop")
    module.__name__ = Loud()  # type: ignore[assignment]
    assert sender_name(module) == "builtins.module instance"


@pytest.mark.parametrize(
    "module", [None, 3, property(lambda cls: "x")], ids=["None", "3", "property"]
)
def test_a_class_without_a_usable_module(module: object) -> None:
    """A class whose __module__ is no string has its qualified name alone."""
    cls = type("Odd", (), {"__module__": module})
    assert class_path(cls) == "Odd"


def test_a_class_without_any_module() -> None:
    """A class that code without a module made has its qualified name alone."""
    cls = eval("type('Odd', (), {})", {})
    assert class_path(cls) == "Odd"


def test_naming_keeps_no_class_alive() -> None:
    """A class that was named as a sender can still be collected."""
    cls = type("Passing", (), {})
    assert sender_name(cls) == f"{HERE}.Passing"
    reference = weakref.ref(cls)
    del cls
    gc.collect()
    assert reference() is None
