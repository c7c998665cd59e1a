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
    has_qualname,
    unloggable,
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
        assert (found.kind, found.subject) == (Kind.UNLOGGABLE, "bazaar.signals.store")
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
