"""Receivers that cannot be called, or whose failure cannot be logged."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.dispatch import Signal
from django.test import override_settings
from django.utils import inspect as django_inspect

from signal_inspector.checks.findings import Kind
from signal_inspector.checks.receiving import (
    accepts_kwargs,
    below_decorator,
    has_qualname,
    text_as_sender,
    unloggable,
    unsent_parameter,
    without_kwargs,
)
from tests.checks.worlds import World

HEAD = """
from functools import partial
from unittest.mock import MagicMock
from django.dispatch import Signal, receiver
order_placed = Signal()
"""


def open_function(sender: Any, **kwargs: Any) -> None: ...


def closed_function(sender: Any, signal: Any) -> None: ...


def passing_on(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Open:
    def __init__(self, **kwargs: Any) -> None: ...

    def method(self, **kwargs: Any) -> None: ...

    def __call__(self, **kwargs: Any) -> None: ...


class Closed:
    def __init__(self, sender: Any = None, signal: Any = None) -> None: ...

    def method(self, sender: Any, signal: Any) -> None: ...

    def __call__(self, sender: Any, signal: Any) -> None: ...

    @staticmethod
    def static(sender: Any, signal: Any) -> None: ...


class Slotted:
    __slots__ = ("__qualname__",)

    def __call__(self, **kwargs: Any) -> None: ...


class Answering:
    def __getattr__(self, name: str) -> str:
        raise AssertionError("asked")

    def __call__(self, **kwargs: Any) -> None: ...


class TestAcceptsKwargs:
    @pytest.mark.parametrize(
        ("receiver", "accepts"),
        [
            (open_function, True),
            (closed_function, False),
            (lambda **kwargs: None, True),
            (lambda sender, signal: None, False),
            (Open().method, True),
            (Closed().method, False),
            (Closed.static, False),
            (Open(), True),
            (Closed(), False),
            (Open, True),
            (Closed, False),
            (functools.partial(open_function), True),
            (functools.partial(closed_function), False),
            (passing_on(open_function), True),
            (passing_on(closed_function), False),
            (sync_to_async(open_function), True),
            (sync_to_async(closed_function), False),
        ],
    )
    def test_judges_as_django(self, receiver: Any, accepts: bool) -> None:
        """Functions, methods, classes, instances and what wraps them are judged as by Django."""
        assert accepts_kwargs(receiver) is accepts
        # Of asgiref's adapters Django sees their own __call__; what it calls decides here.
        if type(receiver).__module__ != "asgiref.sync":
            assert django_inspect.func_accepts_kwargs(receiver) is accepts

    @pytest.mark.parametrize("receiver", [print, dict, functools.partial(print)])
    def test_of_others_nothing_is_said(self, receiver: Any) -> None:
        """What is written in C has no code to look at: None."""
        assert accepts_kwargs(receiver) is None

    def test_keeps_nothing_alive(self) -> None:
        """Django's cache, which would keep the receiver, is not asked."""
        before = django_inspect._get_func_parameters.cache_info()  # type: ignore[attr-defined]
        accepts_kwargs(lambda **kwargs: None)
        assert django_inspect._get_func_parameters.cache_info() == before  # type: ignore[attr-defined]


class TestWithoutKwargs:
    def test_is_found(self, world: World) -> None:
        """W011 names receiver, file and line, and how to write it."""
        world.load(
            f"""{HEAD}
@receiver(order_placed)
def send_invoice(sender, order, signal=None):
    pass

@receiver(order_placed)
def log_order(sender, **kwargs):
    pass
"""
        )
        [found] = world.find(without_kwargs)
        assert (found.kind, found.subject) == (Kind.NO_KWARGS, "bazaar.signals.send_invoice")
        assert f"bazaar/signals.py:{world.line('@receiver')}" in found.message
        assert "bazaar.signals.order_placed calls it with signal=" in found.message
        assert found.hint == "Add **kwargs to the end of its parameters."

    def test_django_itself_looks_under_debug_alone(self, world: World) -> None:
        """What the check finds, Django refuses to connect with DEBUG on."""
        module = world.load(f"{HEAD}\ndef send_invoice(sender):\n    pass\n")
        module.order_placed.connect(module.send_invoice, dispatch_uid="without debug")
        with (
            override_settings(DEBUG=True),
            pytest.raises(ValueError, match="must accept keyword arguments"),
        ):
            module.order_placed.connect(module.send_invoice)
        assert len(world.find(without_kwargs)) == 1


class TestHasQualname:
    @pytest.mark.parametrize(
        "receiver",
        [
            open_function,
            Open,
            Open().method,
            print,
            functools.update_wrapper(functools.partial(open_function), open_function),
            sync_to_async(open_function),
            mock.MagicMock(__qualname__="named"),
        ],
    )
    def test_has_one(self, receiver: Any) -> None:
        """Functions, classes, methods, and what was given a name."""
        assert receiver.__qualname__
        assert has_qualname(receiver)

    @pytest.mark.parametrize(
        "receiver",
        [functools.partial(open_function), Open(), mock.MagicMock(), mock.AsyncMock()],
    )
    def test_has_none(self, receiver: Any) -> None:
        """Partials, instances and mocks, where send_robust itself fails when they do."""
        with pytest.raises(AttributeError):
            _ = receiver.__qualname__
        assert not has_qualname(receiver)

    def test_nothing_of_the_users_is_run(self) -> None:
        """Where only a __getattr__ would tell, none is missing."""
        assert has_qualname(Answering())

    def test_an_empty_slot_is_none(self) -> None:
        """A slot counts when something is in it."""
        slotted = Slotted()
        assert not has_qualname(slotted)
        slotted.__qualname__ = "named"
        assert has_qualname(slotted)


class TestUnloggable:
    CONNECTED = (
        f"{HEAD}\ndef store(**kwargs): pass\nheld = partial(store)\norder_placed.connect(held)\n"
    )

    def test_send_robust_raises_for_it(self) -> None:
        """The defect is real: a failing partial makes send_robust raise AttributeError."""
        signal = Signal()
        failing = functools.partial(_fail)
        signal.connect(failing)
        with pytest.raises(AttributeError, match="__qualname__"):
            signal.send_robust(None)

    def test_is_found_where_it_is_sent_robustly(self, world: World) -> None:
        """W022 names what was connected, where, and the robust send."""
        module = world.load(
            f"{self.CONNECTED}\ndef place():\n    order_placed.send_robust(None)\n"
        )
        [found] = world.find(unloggable)
        assert module.held
        assert (found.kind, found.subject) == (Kind.UNLOGGABLE, "bazaar.signals.store (partial)")
        assert found.message.startswith("A partial without __qualname__ is connected to bazaar.")
        assert f"signals.py:{world.line('order_placed.connect')}" in found.message
        sent = f"send_robust (bazaar/signals.py:{world.line('send_robust')})"
        assert sent in found.message.replace(f"{world.directory}/", "")

    def test_send_logs_nothing(self, world: World) -> None:
        """Where the source shows send alone, there is nothing to find."""
        world.load(f"{self.CONNECTED}\ndef place():\n    order_placed.send(None)\n")
        assert world.find(unloggable) == []

    def test_is_found_where_no_send_is_seen(self, world: World) -> None:
        """A signal that is sent in a way that the source does not show may be sent robustly."""
        world.load(self.CONNECTED)
        assert [found.kind for found in world.find(unloggable)] == [Kind.UNLOGGABLE]


def _fail(**kwargs: Any) -> None:
    raise ValueError


DECORATED = """
from functools import wraps
from django.dispatch import Signal, receiver
order_placed = Signal()
def plain(function):
    def inner(*args, **kwargs): return function(*args, **kwargs)
    return inner
def kept(function):
    return function
def wrapping(function):
    return wraps(function)(plain(function))
class Task:
    def __init__(self, run): self.run = run
    def __call__(self, **kwargs): self.run(**kwargs)
"""


class TestBelowDecorator:
    @pytest.mark.parametrize("decorators", ["wrapping", "plain", "Task", "plain\n@wrapping"])
    def test_is_found(self, world: World, decorators: str) -> None:
        """W019: what the module has under the name calls the function that is connected."""
        world.load(
            f"{DECORATED}@{decorators}\n@receiver(order_placed)\ndef store(**kwargs): pass\n"
        )
        [found] = world.find(below_decorator)
        assert (found.kind, found.subject) == (Kind.BELOW_DECORATOR, "bazaar.signals.store")
        assert found.line == world.line(f"@{decorators.splitlines()[0]}")

    @pytest.mark.parametrize(
        "text",
        [
            "@kept\n@receiver(order_placed)\ndef store(**kwargs): pass",
            "@receiver(order_placed)\n@wrapping\ndef store(**kwargs): pass",
            "@receiver(order_placed)\n@Task\ndef store(**kwargs): pass",
            "@receiver(order_placed)\ndef store(**kwargs): pass\ndef store(): pass",
            "@receiver(order_placed)\ndef store(**kwargs): pass\nkeep = store\ndel store",
        ],
    )
    def test_others_are_none(self, world: World, text: str) -> None:
        """Decorators below it, and one that gives the function back."""
        world.load(f"{DECORATED}{text}\n")
        assert world.find(below_decorator) == []


class TestTextAsSender:
    @pytest.mark.parametrize("sender", ["'stall.Order'", "'order form'", "'web'"])
    def test_is_found(self, world: World, sender: str) -> None:
        """W028, at the line that connects it."""
        world.load(
            f"{HEAD}@receiver(order_placed, sender={sender})\ndef store(**kwargs): pass\n"
            "def place(): order_placed.send(None)\n"
        )
        [found] = world.find(text_as_sender)
        assert (found.kind, found.subject) == (Kind.TEXT_AS_SENDER, "bazaar.signals.store")
        assert found.line == world.line("@receiver(order_placed, sender")

    @pytest.mark.parametrize(
        "text",
        [
            "@receiver(order_placed, sender='web')\ndef store(**kwargs): pass",  # no send is known
            (
                "@receiver(order_placed, sender='web')\ndef store(**kwargs): pass\n"
                "order_placed.send('web')"
            ),
            (
                "@receiver(order_placed, sender='a b')\ndef store(**kwargs): pass\n"
                "def place(): order_placed.send('a b')"
            ),
            "WEB = 'a b'\n@receiver(order_placed, sender=WEB)\ndef store(**kwargs): pass",
            "class Web: pass\n@receiver(order_placed, sender=Web)\ndef store(**kwargs): pass",
            (
                "from django.db.models.signals import post_init\n"
                "@receiver(post_init, sender='stall.Order')\ndef store(**kwargs): pass"
            ),
        ],
    )
    def test_others_are_none(self, world: World, text: str) -> None:
        """What may be the same text, what is none, and signals that know models by their label."""
        world.load(f"{HEAD}{text}\n")
        assert world.find(text_as_sender) == []


class TestUnsentParameter:
    STORE = "\n@receiver(order_placed)\ndef store(sender, order, user, *, at, **kwargs): pass\n"

    def test_is_found(self, world: World) -> None:
        """W029 names what is missing, and what is sent."""
        world.load(f"{HEAD}{self.STORE}def place(): order_placed.send(None, order=1)\n")
        [found] = world.find(unsent_parameter)
        assert found.kind is Kind.UNSENT_PARAMETER
        assert "requires user and at, but no send of bazaar.signals.order_placed" in found.message
        assert f"signals.py:{world.line('.send(None')}) passes order." in found.message
        assert found.line == world.line("@receiver(order_placed)")

    def test_a_method(self, world: World) -> None:
        """The object of a bound method is no argument."""
        world.load(
            f"{HEAD}class Stall:\n    def store(self, order, **kwargs): pass\n"
            "stall = Stall()\norder_placed.connect(stall.store)\n"
            "def place(): order_placed.send(None, o=1)\n"
        )
        [found] = world.find(unsent_parameter)
        assert "requires order," in found.message

    @pytest.mark.parametrize(
        "sends",
        [
            "",
            "def place(): order_placed.send(None, order=1, user=2, at=3)",
            (
                "def place(): order_placed.send(None, order=1, user=2)\n"
                "def again(): order_placed.send(None, order=1, at=2)"
            ),
            "def place(**kwargs): order_placed.send(None, **kwargs)",
            "def place(): order_placed.send(None, order=1)\nprint(order_placed)",
            "def place(): order_placed.send(None, order=1)\nfire = order_placed.send",
            (
                "def emit(signal, **kw): signal.send(None, **kw)\n"
                "def place(): emit(order_placed, order=1, user=2, at=3)"
            ),
        ],
    )
    def test_others_are_none(self, world: World, sends: str) -> None:
        """Some send gives it, or there may be sends and arguments that nobody has seen."""
        world.load(f"{HEAD}{self.STORE}{sends}\n")
        assert world.find(unsent_parameter) == []

    def test_by_way_of_a_helper(self, world: World) -> None:
        """The arguments of the call count where the helper hands them on."""
        world.load(
            f"{HEAD}{self.STORE}def emit(signal, **kw): signal.send(None, **kw)\n"
            "def place(): emit(order_placed, order=1, at=3)\n"
        )
        [found] = world.find(unsent_parameter)
        assert "requires user," in found.message
