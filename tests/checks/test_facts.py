"""What the rules look at."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Checks
from signal_inspector.checks.signals import FROM_CONNECTIONS, FROM_SOURCE, findings
from signal_inspector.core import internal_errors
from signal_inspector.names import forget_signal_names
from tests.checks.worlds import Project, World

HEAD = """
from django.dispatch import Signal
order_placed = Signal()
def store(**kwargs): pass
order_placed.connect(store)
"""


def facts_of_bazaar() -> Facts:
    return Facts(Checks(include=("bazaar*",)))


def test_a_connection_has_its_receiver(world: World) -> None:
    """With name, place, sender and the code that connected it."""
    module = world.load(HEAD)
    [found] = facts_of_bazaar().own
    assert found.receiver is module.store
    assert (found.signal, found.name.name) == (
        "bazaar.signals.order_placed",
        "bazaar.signals.store",
    )
    assert found.connected_at.line == world.line("order_placed.connect")
    assert (found.sender, found.sender_key, found.is_async) == (None, None, False)


def test_what_is_connected_by_the_project_is_its_own(world: World) -> None:
    """A receiver from a library counts, if the project has connected it."""
    world.load(
        "from json import dumps\nfrom django.dispatch import Signal\n"
        "order_placed = Signal()\norder_placed.connect(dumps)\n"
    )
    [found] = facts_of_bazaar().own
    assert found.name.name == "json.dumps"


def test_receivers_of_djangos_signals_are_looked_at(world: World) -> None:
    """Those of the project, and not Django's own."""
    from django.db.models.signals import post_save

    module = world.load(
        "from django.db.models.signals import post_save\n"
        "def store(**kwargs): pass\npost_save.connect(store)\n"
    )
    try:
        own = Facts(Checks(include=("django.*",))).own
        assert "bazaar.signals.store" in [found.name.name for found in own]
        assert [found for found in own if found.name.name.startswith("django.")] == []
        assert not [name for name in Facts(Checks()).own_signals if name.startswith("django.")]
    finally:
        post_save.disconnect(module.store)


class Hostile(Signal):
    """A subclass that has other ideas of what its receivers are."""

    def __init__(self, receivers: Any) -> None:
        super().__init__()
        self.receivers = receivers


class Raising:
    def __bool__(self) -> bool:
        raise ZeroDivisionError

    def __iter__(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "receivers",
    [None, 3, "receivers", [()], [None], [(1, 2, 3)], [((1, 2), None, False)], Raising()],
)
def test_receivers_in_no_shape_that_django_gives_them(world: World, receivers: Any) -> None:
    """Nothing is said of such a signal, and of the others all the same."""
    module = world.load(f"{HEAD}order_placed.connect(store, dispatch_uid='again')\n")
    module.hostile = Hostile(receivers)
    found = findings(facts_of_bazaar(), FROM_CONNECTIONS + FROM_SOURCE)
    assert "W014" in [each.kind.number for each in found]
    assert set(internal_errors.counts()) <= {"the receivers of a signal"}


def test_modules_in_no_app_send_signals_too(project: Project) -> None:
    """What such a module sends is sent, if it is loaded."""
    project.write(
        {
            "stall/signals.py": "from django.dispatch import Signal\norder_placed = Signal()\n",
            "stall/models.py": "import services.orders",
            "services/orders.py": """
                from stall.signals import order_placed
                def place(): order_placed.send_robust(None)
                """,
        }
    )
    assert project.ids() == [("I025", "stall.signals.order_placed")]
    project.write({"services/orders.py": "import stall.signals"})
    assert project.ids() == [
        ("I024", "stall.signals.order_placed"),
        ("I025", "stall.signals.order_placed"),
    ]


def test_a_module_of_django_that_is_loaded_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The world has the signals of the module that is loaded now, not those of an earlier one."""
    for _ in range(2):
        module = ModuleType("django.bazaar")
        module.__dict__["opened"] = signal = Signal()
        monkeypatch.setitem(sys.modules, "django.bazaar", module)
        forget_signal_names()  # as between tests
        assert world.signals()["django.bazaar.opened"] is signal
