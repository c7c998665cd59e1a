"""What signals are called."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_in
from django.core.signals import request_started, setting_changed
from django.db.models.signals import class_prepared, m2m_changed, post_save
from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.record import ids
from signal_inspector.names import (
    creation_place,
    forget_names,
    is_item,
    loaded_signals,
    note_creation,
    scan,
    signal_name,
    signal_names,
    signals,
)
from tests.names.conftest import World

Load = Callable[[str], types.ModuleType]

MAKE = "from django.dispatch import Signal\n"
NOTED = """
import sys
from django.dispatch import Signal
from signal_inspector.names import note_creation

def make(level=1):
    signal = Signal()
    note_creation(signal, sys._getframe(level))
    return signal
"""


class Holder:
    """A class that holds signals, itself and in a nested class."""

    opened = Signal()

    class Inner:
        closed = Signal()


class Child(Holder):
    """Inherits them."""


class SlowSignal(Signal):
    """A signal that breaks whoever compares, hashes or prints it."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")

    def __repr__(self) -> str:
        raise AssertionError("printed")


def made_here() -> Signal:
    """A signal of which it is known that this module created it."""
    signal = Signal()
    note_creation(signal, sys._getframe())
    return signal


here = SlowSignal()
_private = public = Signal()


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (post_save, "django.db.models.signals.post_save"),
        (m2m_changed, "django.db.models.signals.m2m_changed"),
        (class_prepared, "django.db.models.signals.class_prepared"),
        (request_started, "django.core.signals.request_started"),
        (setting_changed, "django.core.signals.setting_changed"),
        (user_logged_in, "django.contrib.auth.signals.user_logged_in"),
    ],
    ids=lambda value: value.rpartition(".")[2] if isinstance(value, str) else "",
)
def test_djangos_own(signal: Signal, name: str) -> None:
    """Django's signals are named after the module that defines them, though many import them."""
    assert signal_name(signal) == name


@pytest.mark.parametrize(
    ("signal", "path"),
    [
        (here, "here"),
        (public, "public"),
        (Holder.opened, "Holder.opened"),
        (Child.opened, "Holder.opened"),
        (Holder.Inner.closed, "Holder.Inner.closed"),
    ],
    ids=["module", "public first", "class", "inherited", "nested class"],
)
def test_attributes_of_modules_and_classes(signal: Signal, path: str) -> None:
    """A signal is named after the attribute that holds it."""
    assert signal_name(signal) == f"{__name__}.{path}"
    assert signal_names.get(signal) == f"{__name__}.{path}"


def test_same_last_name(world: World, unnoted: Load) -> None:
    """Signals of one name in two modules, each imported by the other, are kept apart."""
    world(
        {
            "shop.signals": MAKE + "order_placed = Signal()\nfrom gifts import signals as gifts\n",
            "gifts.signals": MAKE + "order_placed = Signal()\n",
            "gifts.receivers": "from shop.signals import order_placed\n",
            "shop.receivers": "from gifts.signals import order_placed\n",
        }
    )
    shop, gifts = unnoted("shop.signals"), unnoted("gifts.signals")
    unnoted("gifts.receivers")
    unnoted("shop.receivers")
    assert signal_name(shop.order_placed) == "shop.signals.order_placed"
    assert signal_name(gifts.order_placed) == "gifts.signals.order_placed"


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        pytest.param(
            {
                "alpha.signals": "from zeta.core import placed\n",
                "zeta.core": MAKE + "placed = Signal()\n",
            },
            "zeta.core.placed",
            id="assigned beats signals module",
        ),
        pytest.param(
            {
                "alpha": "from beta.signals import placed as done\n",
                "beta": "import gamma.deep.core as core\nplaced: object = core.placed\n",
                "beta.signals": "from gamma.deep.core import placed\n",
                "gamma.deep.core": "make = __import__('django.dispatch').dispatch.Signal\n"
                "first = placed = make()\n",
            },
            "gamma.deep.core.first",
            id="call beats other assignment",
        ),
        pytest.param(
            {
                "alpha.signals": "import beta\nplaced = getattr(beta, 'placed')\n",
                "beta": MAKE + "if True:\n    placed = Signal()\n",
                "beta_user": "from beta import placed\n",
            },
            "beta.placed",
            id="a call of Signal beats another call",
        ),
        pytest.param(
            {
                "alpha": "def make():\n    from django.dispatch import Signal\n"
                "    return Signal()\n",
                "beta": "from alpha import make\nplaced = make()\n",
                "alpha_user": "from beta import placed\n",
            },
            "beta.placed",
            id="made by a function elsewhere",
        ),
        pytest.param(
            {
                "alpha": "from beta.signals import *\n",
                "beta.signals": "globals()['placed'] = __import__('gamma').make()\n",
                "gamma": MAKE + "make = Signal\n",
            },
            "beta.signals.placed",
            id="no assignment: signals module",
        ),
        pytest.param(
            {
                "beta": "from gamma import placed\n",
                "alpha": "from gamma import placed\n",
                "gamma": "globals()['placed'] = __import__('django').dispatch.Signal()\n",
            },
            "alpha.placed",
            id="nothing to tell them apart: the alphabet",
        ),
        pytest.param(
            {
                "zeta": MAKE + "class Api:\n    placed = Signal()\nimport alpha\n",
                "alpha": "from zeta import Api\n",
            },
            "zeta.Api.placed",
            id="class imported elsewhere",
        ),
        pytest.param(
            {
                "zeta": MAKE
                + "class Api:\n    placed = Signal()\n    __module__ = 'alpha.public'\n",
            },
            "zeta.Api.placed",
            id="class that says it is from elsewhere",
        ),
        pytest.param(
            {
                "zeta": "class Api: pass\n"
                "setattr(Api, 'placed', __import__('django.dispatch').dispatch.Signal())\n",
                "alpha": "from zeta import Api as api\n"
                "Api = type('Api', (), {'placed': api.placed, '__module__': 'x'})\n",
            },
            "zeta.Api.placed",
            id="class from elsewhere comes last",
        ),
    ],
)
def test_which_module(world: World, unnoted: Load, sources: dict[str, str], name: str) -> None:
    """Among the modules that hold a signal, the one that made it gives the name."""
    world(sources)
    modules = [unnoted(module) for module in sources]
    held = [getattr(module, "placed", None) for module in modules]
    held += [module.Api.placed for module in modules if hasattr(module, "Api")]
    (signal,) = {id(signal): signal for signal in held if signal is not None}.values()
    assert signal_name(signal) == name


REGISTRY = """
import dataclasses
import enum
import types
from django.dispatch import Signal
from zed.making import make

class Color(enum.Enum):
    RED = 1

class Key:
    pass

class Loud:
    def __getattr__(self, name):
        raise AssertionError(name)

    @property
    def paid(self):
        raise AssertionError("paid")

class Bus:
    ALL = [make()]

class Lying(dict):
    def __getattribute__(self, name):
        raise AssertionError(name)

    __iter__ = __len__ = __getitem__ = None

@dataclasses.dataclass(slots=True)
class Slotted:
    four_done: object
    empty: object = dataclasses.field(init=False)

REGISTRY = {"paid": make(), 7: make(), Color.RED: make(), Key: make(), ("a", 1): make()}
REGISTRY[object()] = unnamed = [make()]
ALL = (make(), "text", make())
BUS = types.SimpleNamespace(one_done=make())
LOUD = Loud()
LOUD.two_done = make()
LYING = Lying(three=make())
SLOTTED = Slotted(make())
NESTED = {"deep": {"deeper": make()}}
"""


def test_signals_in_registries(world: World) -> None:
    """What a module's or a class's dict, list, tuple or object holds goes by that place."""
    world({"zed.making": NOTED, "zed.signals": REGISTRY})
    module: Any = importlib.import_module("zed.signals")
    assert {
        "zed.signals.REGISTRY['paid']": module.REGISTRY["paid"],
        "zed.signals.REGISTRY[7]": module.REGISTRY[7],
        "zed.signals.REGISTRY[Color.RED]": module.REGISTRY[module.Color.RED],
        "zed.signals.REGISTRY[zed.signals.Key]": module.REGISTRY[module.Key],
        "zed.signals.REGISTRY['a', 1]": module.REGISTRY["a", 1],
        "zed.signals.unnamed[0]": module.unnamed[0],
        "zed.signals.ALL[0]": module.ALL[0],
        "zed.signals.ALL[2]": module.ALL[2],
        "zed.signals.BUS.one_done": module.BUS.one_done,
        "zed.signals.LOUD.two_done": vars(module.LOUD)["two_done"],
        "zed.signals.SLOTTED.four_done": module.SLOTTED.four_done,
        "zed.signals.LYING['three']": dict.get(module.LYING, "three"),
        "zed.signals.Bus.ALL[0]": module.Bus.ALL[0],
    }.items() <= loaded_signals().items()
    assert signal_name(module.NESTED["deep"]["deeper"]).endswith(" (anonymous)")
    assert is_item(module.BUS.one_done)
    assert not is_item(setting_changed)
    assert internal_errors.counts() == {}


def test_an_attribute_is_better_than_an_item(world: World) -> None:
    """A signal with a name of its own is called so, wherever else it is put."""
    world(
        {
            "shop.plugins": "from shop.signals import paid\nSIGNALS = {'paid': paid}\n",
            "shop.signals": MAKE + "ALL = [Signal()]\n[paid] = ALL\n",
        }
    )
    importlib.import_module("shop.plugins")
    signal = importlib.import_module("shop.signals").paid
    assert signal_name(signal) == "shop.signals.paid"


def test_a_table_is_no_registry(world: World) -> None:
    """A dict of very many items is not looked through at each scan."""
    world({"shop.signals": MAKE + "T = dict.fromkeys(range(1000))\nT['paid'] = Signal()\n"})
    signal = importlib.import_module("shop.signals").T["paid"]
    assert signal_name(signal) == "shop.signals:3 (anonymous)"


def test_a_signal_that_a_function_made_stands_where_it_is_assigned(world: World) -> None:
    """Not all of them in the one line of the function."""
    source = "from zed.making import make\none = make(0)\nclass Bus:\n    two = make(0)\n"
    world({"zed.making": NOTED, "zed.signals": source})
    module = importlib.import_module("zed.signals")
    assert creation_place(module.one, "zed.signals.one") == (module.__file__, 2)
    assert creation_place(module.Bus.two, "zed.signals.Bus.two") == (module.__file__, 4)


def test_a_signal_that_was_made_later_stands_where_it_was_made(world: World) -> None:
    """Another module that happens to import or to call is not where it is from."""
    source = "from zed.making import make\ndef lazy():\n    return make(0)\n"
    world(
        {
            "zed.making": NOTED,
            "zed.lazy": source,
            "zed.user": "import zed.lazy\none = zed.lazy.lazy()\n",
        }
    )
    importlib.import_module("zed.user")
    making = sys.modules["zed.making"]
    assert making.__file__ is not None
    assert creation_place(sys.modules["zed.user"].one, "zed.elsewhere.one") == (making.__file__, 8)


def test_the_noted_module_wins(world: World) -> None:
    """Where the creation was seen, its module gives the name, against all appearances."""
    world(
        {
            "maker": NOTED,
            "beta": "from maker import make\nglobals()['placed'] = make()\n",
            "alpha.signals": "import beta\nplaced = getattr(beta, 'placed')\n",
        }
    )
    alpha = importlib.import_module("alpha.signals")
    assert signal_name(alpha.placed) == "beta.placed"


def test_a_noted_module_that_does_not_hold_it(world: World) -> None:
    """A factory's module is not the home of what it made for others."""
    world(
        {
            "maker": NOTED,
            "shop.signals": "from maker import make\nplaced = make(0)\n",
            "shop.user": "from shop.signals import placed\n",
        }
    )
    importlib.import_module("shop.user")
    module = importlib.import_module("shop.signals")
    assert signal_name(module.placed) == "shop.signals.placed"


def test_anonymous_by_its_creation(world: World) -> None:
    """A signal in no module is named after the module and line that created it."""
    world({"maker": NOTED, "shop.services": "from maker import make\n\nHELD = [[make()]]\n"})
    ((signal,),) = importlib.import_module("shop.services").HELD
    assert signal_name(signal) == "shop.services:3 (anonymous)"
    assert signal_names.get(signal) is None


def test_anonymous_in_no_module() -> None:
    """Code that runs in no module is called by its file's name, without the folders."""
    signal = Signal()
    source = "import sys\nnote_creation(signal, sys._getframe())\n"
    exec(
        compile(source, "/home/someone/project/console.py", "exec"),
        {"note_creation": note_creation, "signal": signal},
    )
    assert signal_name(signal) == "console.py:2 (anonymous)"


def test_anonymous_of_unknown_creation() -> None:
    """A signal of which nothing is known is named after its class."""
    signal, slow = Signal(), SlowSignal()
    for each in (signal, slow):
        signals._creations.pop(each)
    assert signal_name(signal) == "anonymous django.dispatch.dispatcher.Signal"
    assert signal_name(slow) == f"anonymous {__name__}.SlowSignal"


def test_sent_while_its_module_is_importing(world: World) -> None:
    """A signal sent before its module has bound it gets its name when the module has."""
    world(
        {
            "maker": NOTED,
            "eager": "from maker import make\nfrom signal_inspector.names import signal_name\n"
            "box = [make()]\nfirst_name = signal_name(box[0])\n"
            "import late\nplaced = box.pop()\n",
            "late": "",
        }
    )
    eager = importlib.import_module("eager")
    assert eager.first_name == "eager.box[0]"
    assert signal_name(eager.placed) == "eager.placed"


def test_anonymous_is_looked_up_again_when_modules_are_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was not final is found as soon as another module has been loaded."""
    world({"later": "", "box": "placed = None\n"})
    signal = made_here()
    assert signal_name(signal).endswith(" (anonymous)")
    box = importlib.import_module("box")
    monkeypatch.setattr(box, "placed", signal)
    assert signal_name(signal) == "box.placed"


def test_anonymous_is_looked_up_again_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without new modules the look is repeated, at growing intervals."""
    world({"box": "placed = None\n"})
    box = importlib.import_module("box")
    now = ids.monotonic()
    monkeypatch.setattr(scan, "monotonic", lambda: now)
    monkeypatch.setattr(signals, "monotonic", lambda: now)
    looks: list[Signal] = []
    find = signals._find

    def looking(signal: Signal) -> Any:
        looks.append(signal)
        return find(signal)

    monkeypatch.setattr(signals, "_find", looking)
    signal = made_here()
    for _ in range(100):
        signal_name(signal)
        now += 0.1
    assert len(looks) == 4  # after 0, 1, 3 and 7 seconds
    box.placed = signal
    assert signal_name(signal).endswith(" (anonymous)")
    now += 60
    assert signal_name(signal) == "box.placed"


def test_a_failure_of_ours_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the look for a name fails, the signal is anonymous and the failure is counted."""

    def broken(signal: Signal) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(signals, "_find", broken)
    assert signal_name(made_here()).startswith(f"{__name__}:")
    assert internal_errors.counts() == {"the name of a signal": 1}


def test_names_do_not_outlive_their_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new signal at the address of a dead one does not get its name; nothing is kept alive."""
    module = types.ModuleType("shop_signals")
    monkeypatch.setitem(sys.modules, "shop_signals", module)
    reused = 0
    for _ in range(50):
        forget_names()
        signal = Signal()
        module.placed = signal  # type: ignore[attr-defined]
        assert signal_name(signal) == "shop_signals.placed"
        reference, address = weakref.ref(signal), id(signal)
        del signal, module.placed  # type: ignore[attr-defined]
        gc.collect(0)
        assert reference() is None
        another = Signal()
        signals._creations.pop(another)
        reused += id(another) == address
        assert signal_name(another) == "anonymous django.dispatch.dispatcher.Signal"
        if reused == 3:  # each look at all modules takes long
            break
    assert reused, "no address was used again: the test has seen nothing"


def test_a_long_scan_of_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another thread scans for long, Django's own signals have their names all the same."""
    monkeypatch.setattr(signals, "_LOCK_TIMEOUT", 0.01)
    scanning, done = threading.Event(), threading.Event()

    def scan() -> None:
        with signals._lock:
            scanning.set()
            done.wait(20)

    thread = threading.Thread(target=scan)
    thread.start()
    try:
        assert scanning.wait(20)
        assert signal_name(request_started) == "django.core.signals.request_started"
    finally:
        done.set()
        thread.join()


def test_threads_agree() -> None:
    """Threads that ask for the first time together get the same names."""
    asked = [post_save, request_started, Holder.opened, here, user_logged_in]
    barrier = threading.Barrier(8)
    answers: list[tuple[str, ...]] = []

    def ask() -> None:
        barrier.wait()
        answers.append(tuple(signal_name(signal) for signal in asked))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert set(answers) == {tuple(signal_name(signal) for signal in asked)}
    assert not any("anonymous" in name for name in answers[0])
