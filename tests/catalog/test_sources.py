"""What the source says of signals, without importing it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from django.db.models.signals import post_save
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

import signal_inspector
from signal_inspector.core.record.callers import is_third_party
from signal_inspector.core.record.values import SendMethod
from signal_inspector.source_code import names, project
from signal_inspector.source_code.project import project_sources, read_directory, read_module
from tests.catalog.sources_written import SIGNALS, Sources, read, write

ROOT = Path(__file__).resolve().parent.parent.parent
SHOP = ROOT / "example_project"
INSTALLED = (
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "signal_inspector",
    "signal_inspector.audit",
)


def body(root: Path, text: str) -> Sources:
    """What is read of ``shop/work.py``, beside ``shop/signals.py`` with two signals."""
    return read(root, {"shop/signals.py": SIGNALS, "shop/work.py": text})


PLACED = "shop.signals.order_placed"
PAID = "shop.signals.order_paid"


class TestNames:
    @pytest.mark.parametrize(
        ("imported", "target"),
        [
            ("from shop.signals import order_placed", "order_placed"),
            ("from shop.signals import order_placed as op", "op"),
            ("from shop import signals", "signals.order_placed"),
            ("from shop import signals as s", "s.order_placed"),
            ("import shop.signals", "shop.signals.order_placed"),
            ("import shop.signals as sig", "sig.order_placed"),
            ("from .signals import order_placed", "order_placed"),
            ("from . import signals", "signals.order_placed"),
            ("from shop.signals import *", "order_placed"),
            ("from shop.signals import order_placed\nalias = order_placed", "alias"),
            ("from shop import signals\nalias = signals.order_placed", "alias"),
            ("if True:\n    from shop.signals import order_placed", "order_placed"),
            (
                (
                    "try:\n    from shop.signals import order_placed\n"
                    "except ImportError:\n    order_placed = None"
                ),
                "order_placed",
            ),
            (
                (
                    "try:\n    from shop.gone import order_placed\n"
                    "except ImportError:\n    from shop.signals import order_placed"
                ),
                "order_placed",
            ),
        ],
    )
    def test_an_import_is_followed(self, tmp_path: Path, imported: str, target: str) -> None:
        """Whatever way a module imports a signal, a send of it is found under its own name."""
        found = body(tmp_path, f"{imported}\ndef work():\n    {target}.send(None)\n")
        assert found.sent == [("shop.work.work", PLACED)]

    def test_an_import_inside_a_function(self, tmp_path: Path) -> None:
        """What a function imports for itself is known in it, and in it alone."""
        text = """
            def one():
                from shop.signals import order_placed
                def inner():
                    order_placed.send(None)
                order_placed.send(None)
            def two():
                order_placed.send(None)
        """
        assert body(tmp_path, text).sent == [
            ("shop.work.one.<locals>.inner", PLACED),
            ("shop.work.one", PLACED),
        ]

    def test_a_relative_import_of_a_package(self, tmp_path: Path) -> None:
        """Dots count from the package, also in its ``__init__.py`` and from two levels down."""
        files: dict[str, str | bytes] = {
            "shop/signals.py": SIGNALS,
            "shop/__init__.py": "from .signals import order_placed\norder_placed.send(None)\n",
            "shop/deep/__init__.py": "from ..signals import order_paid\norder_paid.send(None)\n",
            "shop/deep/work.py": "from ..signals import order_paid\norder_paid.send(None)\n",
        }
        assert read(tmp_path, files).sent == [
            ("shop", PLACED),
            ("shop.deep", PAID),
            ("shop.deep.work", PAID),
        ]

    def test_a_re_export_is_followed(self, tmp_path: Path) -> None:
        """A signal goes by the module that makes it, through modules that only pass it on."""
        files: dict[str, str | bytes] = {
            "shop/signals.py": SIGNALS,
            "shop/api.py": "from shop.signals import order_placed as placed\n",
            "shop/all.py": "from shop.api import *\n",
            "shop/work.py": "from shop import all\nall.placed.send(None)\n",
        }
        assert read(tmp_path, files).sent == [("shop.work", PLACED)]

    def test_a_circle_of_re_exports_ends(self, tmp_path: Path) -> None:
        """Modules that import a name from each other make no signal of it, and no endless loop."""
        files: dict[str, str | bytes] = {
            "shop/a.py": "from shop.b import it\nfrom shop.b import *\n",
            "shop/b.py": "from shop.a import it\nfrom shop.a import *\nit.send(None)\nx.send(1)\n",
        }
        assert read(tmp_path, files).sent == []

    def test_stars_of_what_was_not_read_lead_nowhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They would lead back to the package by a longer name each time, and do so for long."""
        asked: list[str] = []

        def loaded(dotted: str) -> object:
            asked.append(dotted)
            return None

        monkeypatch.setattr(names, "loaded", loaded)
        files: dict[str, str | bytes] = {
            "shop/__init__.py": "from shop.parts import *\nfrom shop.pieces.all import *\n",
            "shop/work.py": "import shop\nshop.Thing.pre_save.send(None)\n",
        }
        assert read(tmp_path, files).sent == []
        assert 0 < len(asked) < 20

    def test_a_signal_of_a_class(self, tmp_path: Path) -> None:
        """A signal that a class holds is found through the class, and of one that inherits."""
        text = """
            from django.dispatch import Signal
            class Cart:
                emptied = Signal()
            class BigCart(Cart):
                def empty(self):
                    BigCart.emptied.send(self)
            Cart.emptied.send(None)
        """
        found = body(tmp_path, text)
        assert found.sent == [
            ("shop.work.BigCart.empty", "shop.work.Cart.emptied"),
            ("shop.work", "shop.work.Cart.emptied"),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "def work(order_placed):\n    order_placed.send(None)",
            "def work(*order_placed):\n    order_placed.send(None)",
            "def work():\n    order_placed = connect()\n    order_placed.send(None)",
            "def work():\n    for order_placed in them:\n        order_placed.send(None)",
            "def work():\n    with them as order_placed:\n        order_placed.send(None)",
            "work = lambda order_placed: order_placed.send(None)",
            "def work():\n    [order_placed.send(None) for order_placed in them]",
            "class Work:\n    def do(self):\n        self.order_placed.send(None)",
        ],
    )
    def test_a_name_that_stands_for_something_else(self, tmp_path: Path, text: str) -> None:
        """A parameter or variable of a signal's name is not the signal."""
        found = body(tmp_path, f"from shop.signals import order_placed\n{text}\n")
        assert found.sent == []

    def test_a_loop_over_signals(self, tmp_path: Path) -> None:
        """A loop over signals that stand in the code sends and connects each of them."""
        text = """
            from shop.signals import order_paid, order_placed
            def work():
                for signal in (order_placed, order_paid):
                    signal.send(None)
                    signal.connect(work)
        """
        found = body(tmp_path, text)
        assert found.sent == [("shop.work.work", PLACED), ("shop.work.work", PAID)]
        assert found.connected == [(PLACED, "shop.work.work"), (PAID, "shop.work.work")]

    def test_a_global_statement_leads_out_of_the_function(self, tmp_path: Path) -> None:
        """A function that declares a name global means the module's."""
        text = """
            from shop.signals import order_placed
            def work():
                global order_placed
                order_placed.send(None)
        """
        assert body(tmp_path, text).sent == [("shop.work.work", PLACED)]


class TestIndirectSends:
    """A signal that goes by something else than its name when it is sent."""

    @pytest.mark.parametrize(
        "text",
        [
            "class C:\n it = order_placed\n def do(self):\n  self.it.send(None)",
            "class C:\n it = signals.order_placed\n def do(self):\n  self.it.send(None)",
            "class C:\n it = order_placed\n @classmethod\n def do(cls):\n  cls.it.send(1)",
            "class C:\n it = order_placed\n def do(self):\n  type(self).it.send(1)",
            "class C:\n it = order_placed\n def do(self):\n  self.__class__.it.send(1)",
            "class C:\n it = order_placed\nclass D(C):\n def do(self):\n  self.it.send(1)",
            (
                "class C:\n it = None\n def do(self):\n  self.it.send(1)\n"
                "class D(C):\n it = order_placed"
            ),
            "class C:\n it = order_placed\nc = C()\ndef do():\n c.it.send(None)",
            (
                "class C:\n def __init__(self):\n  self.it = order_placed\n"
                " def do(self):\n  self.it.send(None)"
            ),
            (
                "class C:\n def __init__(self, it):\n  self.it = it\n"
                " def do(self):\n  self.it.send(None)\nC(order_placed).do()"
            ),
            (
                "class C:\n @property\n def it(self):\n  return order_placed\n"
                " def do(self):\n  self.it.send(None)"
            ),
            "def do(it=order_placed):\n it.send(None)",
            "def do(*, it=signals.order_placed):\n it.send(None)",
            "fire = order_placed.send\nfire(None)",
            "def do():\n fire = order_placed.send_robust\n fire(None)",
            "getattr(order_placed, 'send')(None)",
            "getattr(signals, 'order_placed').send(None)",
            "MAP = {'x': order_placed}\ndef do(k):\n MAP[k].send(None)",
            "MAP = {'x': order_placed, 'y': order_paid}\nMAP['x'].send(None)",
            "MAP = dict(x=order_placed)\nMAP.get('x').send(None)",
            "MAP = {}\nMAP['x'] = order_placed\ndef do(k):\n MAP[k].send(None)",
            "MAP = {'x': {'y': order_placed}}\ndef do(k):\n MAP[k]['y'].send(None)",
            "ALL = []\nALL.append(order_placed)\nfor it in ALL:\n it.send(None)",
            "ALL = [order_placed]\n[it.send(None) for it in ALL]",
            "for it in (order_placed,):\n it.send(None)",
            "ALL = (order_placed,)\ndef do():\n for it in reversed(ALL):\n  it.send(None)",
            "MAP = {'x': order_placed}\nfor it in MAP.values():\n it.send(None)",
            "MAP = {'x': order_placed}\nfor k, it in sorted(MAP.items()):\n it.send(None)",
            "for k, it in [('x', order_placed)]:\n it.send(None)",
            "class C:\n all = {'x': order_placed}\n def do(self):\n  self.all['x'].send(1)",
            "import types\nBUS = types.SimpleNamespace(it=order_placed)\nBUS.it.send(None)",
            "it = order_placed if DEBUG else None\nit.send(None)",
            "def do(it=None):\n it = it or order_placed\n it.send(None)",
            "def choose():\n return order_placed\nchoose().send(None)",
        ],
    )
    def test_is_seen(self, tmp_path: Path, text: str) -> None:
        """The send is found, of this signal alone."""
        head = (
            "from shop import signals\n"
            "from shop.signals import order_placed, order_paid\n"
            "from django.dispatch import Signal\n"
        )
        found = body(tmp_path, f"{head}{text}\n")
        assert {send.signal for send in found.sends} == {PLACED}

    @pytest.mark.parametrize(
        "helper",
        [
            "def emit(signal, **kwargs):\n signal.send_robust(**kwargs)",
            "def emit(signal, **kwargs):\n on_commit(lambda: signal.send_robust(**kwargs))",
            (
                "def emit(signal, **kwargs):\n def later():\n  signal.send_robust(**kwargs)\n"
                " on_commit(later)"
            ),
            "def emit(signal, **kwargs):\n on_commit(partial(signal.send_robust, **kwargs))",
            "def emit(*signals, **kwargs):\n for it in signals:\n  it.send_robust(**kwargs)",
            (
                "def emit(signal, **kwargs):\n deeper(it=signal)\n"
                "def deeper(it):\n it.send_robust(None)"
            ),
        ],
    )
    def test_an_argument_is_followed(self, tmp_path: Path, helper: str) -> None:
        """What a function sends that it is given is sent by those that give it, at that line."""
        files: dict[str, str | bytes] = {
            "shop/signals.py": SIGNALS,
            "shop/help.py": f"{helper}\n",
            "shop/work.py": (
                "from shop.help import emit\nfrom shop.signals import order_paid, order_placed\n"
                "def place():\n emit(order_placed, sender=Web, order=1)\n"
                "def pay():\n emit(order_paid, sender=None)\n"
            ),
        }
        placed, paid = read(tmp_path, files).sends
        assert (placed.signal, placed.function, placed.line) == (PLACED, "shop.work.place", 4)
        assert (paid.signal, paid.function, paid.line) == (PAID, "shop.work.pay", 6)
        assert placed.path.endswith("work.py")
        assert placed.method is SendMethod.SEND_ROBUST
        assert placed.through

    def test_a_method_and_a_list(self, tmp_path: Path) -> None:
        """An argument of a method, and the items of a list that is one."""
        text = """
            from shop.signals import order_paid, order_placed
            class Bus:
                def fire(self, signals):
                    for it in signals:
                        it.send(None)
                def both(self):
                    self.fire([order_placed, order_paid])
        """
        found = body(tmp_path, text)
        assert found.sent == [("shop.work.Bus.both", PLACED), ("shop.work.Bus.both", PAID)]

    def test_an_attribute_that_a_class_has_itself(self, tmp_path: Path) -> None:
        """What a class replaces is not looked for in its bases."""
        text = """
            from shop.signals import order_paid, order_placed
            class Base:
                it = order_placed
            class Sub(Base):
                it = order_paid
                def do(self):
                    self.it.send(None)
        """
        assert body(tmp_path, text).sent == [("shop.work.Sub.do", PAID)]

    def test_a_query_that_is_built_up_is_read_in_time(self, tmp_path: Path) -> None:
        """A name that is bound to something of itself again and again has few meanings."""
        lines = "\n".join(["    it = it.filter(x=it)[0].y"] * 200)
        found = body(tmp_path, f"def work(it):\n{lines}\n    it.send(None)\n")
        assert (found.sends, found.problems) == ([], [])

    @pytest.mark.parametrize(
        ("arguments", "names", "is_open"),
        [
            ("sender=None, order=1, user=2", ("order", "user"), False),
            ("None", (), False),
            ("None, **{'order': 1}", ("order",), False),
            ("None, order=1, **more", ("order",), True),
            ("*args", (), True),
        ],
    )
    def test_the_arguments(
        self, tmp_path: Path, arguments: str, names: tuple[str, ...], is_open: bool
    ) -> None:
        """Their names, and whether there may be more."""
        text = f"from shop.signals import order_placed\norder_placed.send({arguments})\n"
        [send] = body(tmp_path, text).sends
        assert (send.arguments, send.is_open) == (names, is_open)


class TestMentions:
    @pytest.mark.parametrize(
        ("text", "label"),
        [
            ("add_signal = order_placed", "add_signal"),
            ("class V:\n    add_signal = order_placed", "add_signal"),
            ("emit(order_placed)", "emit()"),
            ("emit(signal=order_placed)", "emit()"),
            ("ALL = [order_placed]", "ALL"),
            ("MAP = {'x': order_placed}", "MAP"),
            ("def f():\n    return order_placed", "return"),
            ("@sends(order_placed)\ndef f(): ...", "sends()"),
            ("x.y = order_placed", "y"),
            ("if it is order_placed: pass", ""),
        ],
    )
    def test_a_signal_that_is_handed_on(self, tmp_path: Path, text: str, label: str) -> None:
        """It is told where, and what it goes to."""
        found = body(tmp_path, f"from shop.signals import order_placed\n{text}\n")
        [mention] = [each for module in found.modules for each in module.mentions]
        assert (mention.signal, mention.label) == (PLACED, label)
        assert mention.path.endswith("work.py")

    @pytest.mark.parametrize(
        "text",
        [
            "order_placed.send(None)",
            "order_placed.connect(f)",
            "order_placed.disconnect(f)",
            "receiver(order_placed)(f)",
            "receiver([order_placed])(f)",
            "@receiver(order_placed)\ndef g(**kw): ...",
            "__all__ = ['order_placed']",
            "order_placed.receivers",
            "def g(order_placed): emit(order_placed)",
        ],
    )
    def test_other_uses_are_none(self, tmp_path: Path, text: str) -> None:
        """To send, to connect and to import it is no handing on."""
        head = "from django.dispatch import receiver\nfrom shop.signals import order_placed\n"
        found = body(tmp_path, f"{head}{text}\n")
        assert [each for module in found.modules for each in module.mentions] == []

    def test_the_module_of_signals(self, tmp_path: Path) -> None:
        """Who has the module may take any signal from it."""
        found = body(tmp_path, "from shop import signals\ngetattr(signals, name).send(None)\n")
        [mention] = [each for module in found.modules for each in module.mentions]
        assert mention.signal == "shop.signals"


class TestSends:
    @pytest.mark.parametrize("method", SendMethod)
    def test_each_method(self, tmp_path: Path, method: SendMethod) -> None:
        """All four methods are found, with line and sender."""
        text = f"""\
            from shop.signals import order_placed
            async def work():
                await order_placed.{method}(sender=Web, order=1)
        """
        [send] = body(tmp_path, text).sends
        assert (send.method, send.line, send.sender) == (method, 3, "Web")
        assert send.path == str(tmp_path / "shop/work.py")

    @pytest.mark.parametrize(
        ("arguments", "sender"),
        [
            ("self.__class__", "self.__class__"),
            ("sender=None", ""),
            ("", ""),
            ("*args", ""),
            ("**kwargs", ""),
            ("sender=type(\n    order\n)", "type(order)"),
            (f"sender={'x' * 500}", f"{'x' * 199}…"),
        ],
    )
    def test_the_sender_as_it_is_written(
        self, tmp_path: Path, arguments: str, sender: str
    ) -> None:
        """The sender is its source text in one line, capped; "" where none is seen."""
        text = f"from shop.signals import order_placed\norder_placed.send({arguments})\n"
        [send] = body(tmp_path, text).sends
        assert send.sender == sender

    @pytest.mark.parametrize(
        "text",
        [
            "import socket\nsock = socket.socket()\nsock.send(b'')",
            "from django.core.mail import EmailMessage\nEmailMessage().send()",
            "mail = make()\nmail.send()",
            "def work(generator):\n    generator.send(None)",
            "super().send(None)",
            "signals['x'].send(None)",
            "import requests\nrequests.Session().send(1)",
            "class Signal: ...\nsignal = Signal()\nsignal.send(None)",
            "from celery.utils.dispatch import Signal\nsignal = Signal()\nsignal.send(None)",
            "from blinker import signal\nready = signal('ready')\nready.send(None)",
            "from shop import signals\nsignals.send(None)",
            "from shop.signals import order_placed\norder_placed.send = 1",
            "from shop.signals import order_placed\norder_placed.sender(None)",
        ],
    )
    def test_other_things_that_send(self, tmp_path: Path, text: str) -> None:
        """Sockets, e-mails, generators and other libraries' signals are left out."""
        assert body(tmp_path, text).sends == []

    @pytest.mark.parametrize(
        ("text", "function", "sender"),
        [
            ("on_commit(lambda: order_placed.send(Web))", "shop.work.work", "Web"),
            ("on_commit(partial(order_placed.send, Web))", "shop.work.work", "Web"),
            (
                "on_commit(functools.partial(order_placed.send, sender=Web))",
                "shop.work.work",
                "Web",
            ),
            ("sync_to_async(order_placed.send)(sender=Web)", "shop.work.work", ""),
        ],
    )
    def test_a_send_that_is_handed_on(
        self, tmp_path: Path, text: str, function: str, sender: str
    ) -> None:
        """A send in a lambda, a partial or an adapter counts as the function's around it."""
        found = body(tmp_path, f"from shop.signals import order_placed\ndef work():\n    {text}\n")
        assert [(each.function, each.sender) for each in found.sends] == [(function, sender)]

    def test_the_enclosing_function(self, tmp_path: Path) -> None:
        """It is called as Python calls it: methods, nested functions, classes in functions."""
        text = """
            from shop.signals import order_placed
            order_placed.send(1)
            class Cart:
                order_placed.send(2)
                async def empty(self):
                    def inner():
                        order_placed.send(3)
                    class Local:
                        def method(self):
                            order_placed.send(4)
            @decorated(order_placed.send(5))
            def work(it=order_placed.send(6)): ...
        """
        by_sender = {each.sender: each.function for each in body(tmp_path, text).sends}
        assert by_sender == {
            "1": "shop.work",
            "2": "shop.work",
            "3": "shop.work.Cart.empty.<locals>.inner",
            "4": "shop.work.Cart.empty.<locals>.Local.method",
            "5": "shop.work",
            "6": "shop.work",
        }

    def test_a_loaded_signal_is_known_without_its_source(self, tmp_path: Path) -> None:
        """A signal of an installed package is known as soon as it is loaded, by its real name."""
        text = "from django.db.models.base import post_save\npost_save.send(None)\n"
        assert body(tmp_path, text).sent == [("shop.work", "django.db.models.signals.post_save")]


class TestConnects:
    @pytest.mark.parametrize(
        ("text", "sender", "is_decorator"),
        [
            ("@receiver(order_placed)\ndef on_order(**kw): ...", "", True),
            ("@receiver(order_placed, sender=Web)\ndef on_order(**kw): ...", "Web", True),
            ("@receiver(signal=order_placed)\nasync def on_order(**kw): ...", "", True),
            ("@django.dispatch.receiver(order_placed)\ndef on_order(**kw): ...", "", True),
            ("@order_placed.connect\ndef on_order(**kw): ...", "", True),
            ("def on_order(**kw): ...\norder_placed.connect(on_order)", "", False),
            ("def on_order(**kw): ...\norder_placed.connect(on_order, Web)", "Web", False),
            ("def on_order(**kw): ...\norder_placed.connect(receiver=on_order)", "", False),
            ("def on_order(**kw): ...\nreceiver(order_placed)(on_order)", "", False),
            ("def on_order(**kw): ...\norder_placed.connect(partial(on_order, 1))", "", False),
        ],
    )
    def test_each_way(self, tmp_path: Path, text: str, sender: str, is_decorator: bool) -> None:
        """Decorators and calls are found, with the receiver, the line and the sender."""
        head = (
            "import django.dispatch\nfrom django.dispatch import receiver\n"
            "from shop.signals import order_placed\n"
        )
        [connect] = body(tmp_path, head + text).connects
        assert (connect.signal, connect.receiver) == (PLACED, "shop.work.on_order")
        assert (connect.sender, connect.is_decorator) == (sender, is_decorator)
        assert connect.function == "shop.work"

    def test_several_signals_in_one_decorator(self, tmp_path: Path) -> None:
        """Each signal of a list is a connection of its own."""
        text = """
            from django.dispatch import receiver
            from shop import signals
            @receiver([signals.order_placed, signals.order_paid], sender=Web)
            def on_order(**kw): ...
        """
        assert body(tmp_path, text).connected == [
            (PLACED, "shop.work.on_order"),
            (PAID, "shop.work.on_order"),
        ]

    def test_a_receiver_of_another_module(self, tmp_path: Path) -> None:
        """The receiver goes by the module that defines it; the function that connects is told."""
        files: dict[str, str | bytes] = {
            "shop/signals.py": SIGNALS,
            "shop/receivers.py": "def on_order(**kw): ...\nclass It:\n    def hear(self): ...\n",
            "shop/apps.py": """
                class Config:
                    def ready(self):
                        from shop import receivers
                        from shop.signals import order_placed
                        order_placed.connect(receivers.on_order)
                        order_placed.connect(receivers.It().hear)
                        order_placed.connect(self.hear)
                    def hear(self, **kw): ...
            """,
        }
        found = read(tmp_path, files)
        assert [each.receiver for each in found.connects] == [
            "shop.receivers.on_order",
            "shop.receivers.It.hear",
            "shop.apps.Config.hear",
        ]
        assert {each.function for each in found.connects} == {"shop.apps.Config.ready"}

    def test_a_receiver_without_a_name(self, tmp_path: Path) -> None:
        """Of a lambda, and of what a call returns, no name is told."""
        text = """
            from shop.signals import order_placed
            order_placed.connect(lambda **kw: None)
            order_placed.connect(make())
        """
        assert body(tmp_path, text).connected == [(PLACED, ""), (PLACED, "")]

    def test_another_decorator_that_is_called_receiver(self, tmp_path: Path) -> None:
        """Only Django's ``receiver`` connects."""
        text = """
            from elsewhere import receiver
            from shop.signals import order_placed
            @receiver(order_placed)
            def on_order(**kw): ...
        """
        assert body(tmp_path, text).connects == []

    def test_djangos_own_signals(self, tmp_path: Path) -> None:
        """Connections to Django's own signals are found."""
        text = """
            from django.db.models.signals import post_save
            from django.dispatch import receiver
            @receiver(post_save, sender="auth.User")
            def on_save(**kw): ...
        """
        [connect] = body(tmp_path, text).connects
        assert connect.signal == "django.db.models.signals.post_save"
        assert connect.sender == "'auth.User'"


class TestCreations:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("from django.dispatch import Signal\nready = Signal()", "shop.work.ready"),
            ("import django.dispatch\nready = django.dispatch.Signal()", "shop.work.ready"),
            ("from django import dispatch as d\nready: d.Signal = d.Signal()", "shop.work.ready"),
            (
                "from django.db.models.signals import ModelSignal\nready = ModelSignal()",
                "shop.work.ready",
            ),
            (
                "from django.dispatch import Signal\nclass S(Signal): ...\nready = S()",
                "shop.work.ready",
            ),
            (
                (
                    "from django.dispatch import Signal\nclass Cart:\n    class Inner:\n"
                    "        ready = Signal()"
                ),
                "shop.work.Cart.Inner.ready",
            ),
            ("from django.dispatch import Signal\nready = again = Signal()", "shop.work.ready"),
            ("from django.dispatch import Signal\nALL = {1: Signal()}", "shop.work:2 (anonymous)"),
        ],
    )
    def test_each_way(self, tmp_path: Path, text: str, name: str) -> None:
        """Signals of modules and classes, and of subclasses; others by line, as at run time."""
        creations = body(tmp_path, text).creations
        assert [each.signal for each in creations if "work" in each.signal] == [name]

    def test_a_subclass_of_another_module(self, tmp_path: Path) -> None:
        """A class is known as a signal's through imports and through its bases."""
        files: dict[str, str | bytes] = {
            "shop/base.py": "from django.dispatch import Signal\nclass Plugin(Signal): ...\n",
            "shop/kinds.py": "from shop.base import Plugin\nclass Event(Plugin): ...\n",
            "shop/signals.py": "from .kinds import Event as E\nready, done = E(), E()\n",
            "shop/work.py": "from shop.signals import done\ndone.send(None)\n",
        }
        found = read(tmp_path, files)
        names = [each.signal for each in found.creations]
        assert names == ["shop.signals.ready", "shop.signals.done"]
        assert found.sent == [("shop.work", "shop.signals.done")]

    @pytest.mark.parametrize(
        ("call", "names"),
        [
            ("Signal(providing_args=['order', 'user'])", ("order", "user")),
            ("Signal(['order'])", ("order",)),
            ("Signal(('order',), True)", ("order",)),
            ("Signal(providing_args=ARGS)", ()),
            ("Signal(True)", None),
            ("Signal(use_caching=True)", None),
            ("Sub(providing_args=['order'])", ("order",)),
            ("Own(providing_args=['order'])", None),
            ("Signal(**{'providing_args': ['order']})", ("order",)),
            ("Signal(*[['order']])", ("order",)),
            ("Signal(**OPTIONS)", ("order",)),
            ("Signal(**LITERAL)", ("order",)),
            ("partial(Signal, providing_args=['order'])", ("order",)),
            ("Own(['order'])", None),
        ],
    )
    def test_providing_args(
        self, tmp_path: Path, call: str, names: tuple[str, ...] | None
    ) -> None:
        """Names for Django's own ``__init__`` are told; a subclass may have one of its own."""
        text = f"""
            from django.dispatch import Signal
            class Sub(Signal): ...
            class Own(Signal):
                def __init__(self, providing_args): ...
            OPTIONS = dict(providing_args=['order'])
            LITERAL = {{'providing_args': ['order']}}
            ready = {call}
        """
        [creation] = [each for each in body(tmp_path, text).creations if "work" in each.signal]
        assert creation.providing_args == names

    @pytest.mark.parametrize(
        "text", ["def f():\n    return Signal(providing_args=['a'])", "x(Signal(['a']))"]
    )
    def test_providing_args_of_a_signal_without_a_name(self, tmp_path: Path, text: str) -> None:
        """They are found wherever a signal is made."""
        found = body(tmp_path, f"from django.dispatch import Signal\n{text}\n")
        assert [each.providing_args for each in found.creations if "work" in each.signal] == [
            ("a",)
        ]

    def test_a_local_signal_is_sent(self, tmp_path: Path) -> None:
        """A signal that a function makes for itself is found by the line it is made in."""
        text = "from django.dispatch import Signal\ndef f():\n    s = Signal()\n    s.send(1)\n"
        assert body(tmp_path, text).sent == [("shop.work.f", "shop.work:3 (anonymous)")]


class TestProblems:
    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"def (:\n", "is not valid for this version of Python: line 1"),
            (b"x = '\xff'\n", "is not valid for this version of Python"),
            (b"# coding: nonsense\n", "is not valid for this version of Python"),
            (b"x = 1\0\n", ""),
            (b"(" * 5000, ""),
            (b"x = " + b"-" * 100_000 + b"1\n", ""),
        ],
    )
    def test_a_file_that_is_no_python(self, tmp_path: Path, content: bytes, problem: str) -> None:
        """It is told why; the other files are read."""
        found = read(tmp_path, {"shop/broken.py": content, "shop/signals.py": SIGNALS})
        [told] = found.problems
        assert told.startswith(problem)
        assert len(found.creations) == 2

    def test_a_long_sum_is_read(self, tmp_path: Path) -> None:
        """Deep nesting that Python itself compiles is no problem."""
        text = f"from shop.signals import order_placed\nx = {' + '.join('1' * 2000)}\n"
        found = body(tmp_path, f"{text}order_placed.send(x)\n")
        assert found.problems == []
        assert len(found.sends) == 1

    def test_a_huge_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that only a program can have written is passed by."""
        monkeypatch.setattr(project, "_MAX_SIZE", 10)
        assert all("too large" in each for each in body(tmp_path, "x = 1 + 1 + 1").problems)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """A missing file is a problem like others."""
        source = read_module("gone", str(tmp_path / "gone.py"))
        assert source.problem == "cannot be read: No such file or directory"

    def test_a_doubtful_escape_gives_no_warning(self, tmp_path: Path) -> None:
        """What the compiler would warn of is nobody's concern here."""
        assert body(tmp_path, "x = '\\d'\n").problems == []

    @given(text=st.text(max_size=60))
    def test_any_text_is_read(self, text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Whatever stands in a file, reading it does not raise."""
        path = tmp_path_factory.mktemp("any") / "any.py"
        path.write_text(text, encoding="utf-8", errors="replace")
        assert read_module("any", str(path)).module == "any"


NAMES = st.sampled_from(["order_placed", "signals.order_placed", "self.it", "x", "x[0]", "x()"])
PIECES = st.recursive(
    st.builds("{}.{}(None)".format, NAMES, st.sampled_from(["send", "asend", "connect"])),
    lambda inner: st.one_of(
        st.builds(
            "def f(x):\n    {}".format, inner.map(lambda text: text.replace("\n", "\n    "))
        ),
        st.builds("class C:\n    {}".format, inner.map(lambda text: text.replace("\n", "\n    "))),
        st.builds("for x in y:\n    {}".format, inner.map(lambda t: t.replace("\n", "\n    "))),
        st.builds("{}\n{}".format, inner, inner),
    ),
    max_leaves=8,
)


class TestAnyProgram:
    @given(text=PIECES)
    def test_sends_are_found_however_they_are_nested(
        self, text: str, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """As many sends are found as the text has of signals that imports lead to."""
        head = "from shop import signals\nfrom shop.signals import order_placed\n"
        found = body(tmp_path_factory.mktemp("any"), head + text)
        expected = sum(text.count(f"order_placed.{method}(") for method in ("send", "asend"))
        assert len(found.sends) == expected
        assert len(found.connects) == text.count("order_placed.connect(")


class TestFiles:
    def test_a_file_is_read_again_when_it_has_changed(self, tmp_path: Path) -> None:
        """A reading is kept as long as time and size of the file stay."""
        path = write(tmp_path, {"it.py": SIGNALS}) / "it.py"
        first = project.reading_of("it", str(path))
        assert project.reading_of("it", str(path)) is first
        path.write_text("x = 1\n")
        assert project.reading_of("it", str(path)).creations == []

    def test_what_is_passed_by(self, tmp_path: Path) -> None:
        """Hidden directories, installed packages, environments and caches are not read."""
        names = (".hidden", "site-packages", "node_modules", "__pycache__", "venv", "good")
        files: dict[str, str | bytes] = {f"{name}/a.py": SIGNALS for name in names}
        write(tmp_path, files)
        (tmp_path / "venv/pyvenv.cfg").touch()
        modules = [source.module for source in read_directory(str(tmp_path))]
        assert modules == ["good", "good.a"]

    def test_tests_may_be_left_out(self, tmp_path: Path) -> None:
        """By their names: tests, test_*, *_test, conftest."""
        names = ("tests/a.py", "tests.py", "test_a.py", "a_test.py", "conftest.py", "contest.py")
        write(tmp_path, {f"shop/{name}": "" for name in names})
        root = str(tmp_path)
        assert [it.module for it in read_directory(root, tests=False)] == ["shop", "shop.contest"]
        assert len(read_directory(root, tests=True)) == 8

    def test_a_package_is_named_as_it_is_imported(self, tmp_path: Path) -> None:
        """Modules of a directory inside a package carry the package's name."""
        write(tmp_path, {"acme/shop/signals.py": SIGNALS})
        modules = [source.module for source in read_directory(str(tmp_path / "acme/shop"))]
        assert modules == ["acme.shop", "acme.shop.signals"]

    def test_third_party(self) -> None:
        """Installed packages, Python's own files and the inspector itself are third party."""
        assert is_third_party(str(Path(sysconfig.get_path("stdlib"), "os.py")))
        assert is_third_party(os.__file__)
        assert is_third_party(pytest.__file__)
        assert is_third_party("/srv/venv/lib/python3/dist-packages/it/apps.py")
        assert is_third_party(signal_inspector.__file__)
        assert not is_third_party(__file__)
        assert not is_third_party("/srv/site/signal_inspector_report/apps.py")

    def test_it_works_without_django_set_up(self) -> None:
        """Reading a directory needs neither settings nor apps, and imports nothing of it."""
        code = (
            "import sys\n"
            "from signal_inspector.source_code.project import read_directory\n"
            f"found = read_directory({str(SHOP)!r})\n"
            "assert 'shop' not in sys.modules\n"
            "print(sum(len(each.sends) for each in found))\n"
        )
        environment = {key: it for key, it in os.environ.items() if "DJANGO" not in key}
        out = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
            timeout=120,
            check=True,
        )
        assert int(out.stdout) >= 15

    def test_installed_packages_when_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        """Of a project its own apps are read; installed ones are when they are asked for."""
        write(tmp_path, {"stand/signals.py": SIGNALS})
        monkeypatch.syspath_prepend(str(tmp_path))
        settings.SETTINGS_MODULE = ""  # whose package is the project's too
        settings.INSTALLED_APPS = [*INSTALLED, "stand"]
        del sys.modules["stand"]
        own = {source.module for source in project_sources(tests=True, brief=True)}
        assert own == {"stand.signals"}
        everything = project_sources(third_party=True, brief=True)
        modules = {source.module for source in everything}
        assert {"django.contrib.auth", "signal_inspector.audit.signals", *own} <= modules
        sent = {send.signal for source in everything for send in source.sends}
        assert "django.contrib.auth.signals.user_logged_in" in sent

    def test_a_loaded_name_is_looked_up_without_running_code(self) -> None:
        """What ``sys.modules`` holds is read past ``__getattr__``; what is missing is None."""
        from signal_inspector.source_code.names import loaded

        assert loaded("django.db.models.signals.post_save") is post_save
        assert loaded("django.db.models.signals.post_save.nothing") is None
        assert loaded("nowhere.at_all") is None
        assert loaded("nowhere") is None
