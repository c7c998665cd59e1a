"""A project of many apps, with each fault in some and what only looks like it in others.

A line that is to be found has the id behind it, as ``# W011``; no other line may be found.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from textwrap import dedent

import pytest

from signal_inspector.checks.findings import Kind
from tests.checks.worlds import Project

_Place = tuple[str, str, int]  # id, file, line

APPS = 5  # of each app that is written below

HEAD = {
    "signals.py": "from django.dispatch import Signal",
    "models.py": """
        from django.db import models
        from django.db.models.signals import post_save
        from django.dispatch import receiver
        class Order(models.Model): pass
        class Parcel(models.Model): pass
        """,
    "receivers.py": """
        from functools import partial, wraps
        from django.dispatch import Signal, receiver
        from django.db.models.signals import post_save
        from APP import signals
        from APP.models import Order, Parcel
        kept = []
        def store(sender, **kwargs): pass
        def label(sender, **kwargs): pass
        """,
    "services.py": """
        from django.db import transaction
        from APP import signals
        from APP.signals import *
        """,
    "apps.py": """
        from django.apps import AppConfig
        class StallConfig(AppConfig):
            name = "APP"
            def ready(self):
                import APP.receivers, APP.services
        """,
}

SENT = "def place_NAME(): signals.NAME.send_robust(None, order=1)"
HEARD = "signals.NAME.connect(store)"

#: What is wrong: the signal's name, and lines of each file.
FAULTS: list[tuple[str, dict[str, str]]] = [
    (
        "nokwargs_found",
        {
            "receivers.py": """
                @receiver(signals.NAME)  # W011
                def closed(sender, signal): pass
                """
        },
    ),
    (
        "dead_found",
        {
            "receivers.py": """
                class Desk:
                    def note(self, **kwargs): pass
                signals.NAME.connect(Desk().note)  # W012
                signals.NAME.connect(lambda **kwargs: None)  # W012
                """
        },
    ),
    (
        "double_found",
        {
            "receivers.py": """
                @receiver(signals.NAME, dispatch_uid="NAME")  # W014
                @receiver(signals.NAME)
                def twice(sender, **kwargs): pass
                """
        },
    ),
    (
        "early_found",
        {
            "models.py": "import APP.early",
            "early.py": """
                from django.dispatch import receiver
                from APP import signals
                @receiver(signals.NAME)  # W016
                def early(sender, **kwargs): pass
                """,
        },
    ),
    (
        "forgotten_found",
        {
            "receivers.py": HEARD,
            "forgotten.py": """
                from django.dispatch import receiver
                from APP import signals
                @receiver(signals.NAME)  # W017
                def late(sender, **kwargs): pass
                """,
        },
    ),
    (
        "misplaced_found",
        {
            "receivers.py": HEARD,
            "models.py": """
                @receiver(post_save, sender=Order)  # W018
                def in_models(sender, **kwargs): pass
                """,
        },
    ),
    (
        "undecorated_found",
        {
            "receivers.py": """
                def wrapping(function):
                    @wraps(function)
                    def inner(*args, **kwargs): return function(*args, **kwargs)
                    return inner
                @wrapping  # W019
                @receiver(signals.NAME)
                def below(sender, **kwargs): pass
                """
        },
    ),
    (
        "taken_found",
        {
            "receivers.py": """
                @receiver(signals.NAME, dispatch_uid="log")
                def first(sender, **kwargs): pass
                @receiver(signals.NAME, dispatch_uid="log")  # W020
                def second(sender, **kwargs): pass
                """
        },
    ),
    (
        "waited_found",
        {
            "receivers.py": HEARD,
            "services.py": "async def wait(): await signals.NAME.asend(None, order=1)  # W021",
        },
    ),
    (
        "unloggable_found",
        {
            "receivers.py": """
                short = partial(store)
                signals.NAME.connect(short)  # W022
                """
        },
    ),
    (
        "older_found",
        {"receivers.py": HEARD, "older.py": "old = Signal(providing_args=['order'])  # W023"},
    ),
    (
        "text_found",
        {
            "receivers.py": """
                @receiver(signals.NAME, sender="APP.Order")  # W028
                def of_order(sender, **kwargs): pass
                """
        },
    ),
    (
        "missing_found",
        {
            "receivers.py": """
                @receiver(signals.NAME)  # W029
                def with_user(sender, user, **kwargs): pass
                """
        },
    ),
    (
        "vain_found",
        {
            "receivers.py": """
                signals.NAME.connect(store, dispatch_uid="NAME")
                signals.NAME.disconnect(store)  # W030
                """
        },
    ),
    ("lost_found", {"signals.py": "NAME = Signal()  # I024", "receivers.py": HEARD}),
    ("unheard_found", {"signals.py": "NAME = Signal()  # I025"}),
    ("place_thing", {"signals.py": "NAME = Signal()  # I026", "receivers.py": HEARD}),
]

#: What only looks wrong.
NEAR_MISSES: list[tuple[str, dict[str, str]]] = [
    (
        "helper_sent",
        {
            "services.py": """
        def send_later(signal, **kwargs):
            transaction.on_commit(lambda: signal.send_robust(**kwargs))
        def later(): send_later(signals.NAME, sender=None)
        """
        },
    ),
    (
        "attribute_sent",
        {
            "services.py": """
        class Base:
            signal = None
            def go(self): self.signal.send_robust(sender=self)
        class Sub(Base):
            signal = signals.NAME
        """
        },
    ),
    (
        "mapped_sent",
        {
            "services.py": """
        MAP = {"x": signals.NAME}
        def mapped(key): MAP[key].send_robust(sender=None)
        """
        },
    ),
    (
        "bound_sent",
        {
            "services.py": """
        def bound():
            fire = signals.NAME.send_robust
            fire(sender=None)
        """
        },
    ),
    (
        "looped_sent",
        {
            "services.py": """
        def loop():
            for each in (signals.NAME,):
                each.send_robust(sender=None)
        """
        },
    ),
    (
        "default_sent",
        {
            "services.py": """
        def default(signal=signals.NAME): signal.send_robust(sender=None)
        """
        },
    ),
    ("handed_sent", {"services.py": "repr(signals.NAME)"}),
    (
        "chosen_sent",
        {
            "services.py": """
        def choose(name): return getattr(signals, name)
        def chosen(): choose("NAME").send_robust(None)
        """
        },
    ),
    (
        "annotated_sent",
        {
            "signals.py": "NAME: Signal = Signal()",
            "services.py": "def annotated(): signals.NAME.send_robust(None)",
        },
    ),
]
SENDS_OF_NEAR_MISSES = {name for name, _ in NEAR_MISSES}
NEAR_MISSES += [
    (
        "held_done",
        {
            "receivers.py": """
        signals.NAME.connect(lambda **kwargs: None, weak=False)
        kept.append(lambda **kwargs: None)
        signals.NAME.connect(kept[-1])
        """
        },
    ),
    (
        "two_senders_done",
        {
            "receivers.py": """
        signals.NAME.connect(store, sender=Order)
        signals.NAME.connect(store, sender=Parcel)
        """
        },
    ),
    (
        "closures_done",
        {
            "receivers.py": """
        def make():
            def closure(**kwargs): pass
            kept.append(closure)
            return closure
        for _ in range(3): signals.NAME.connect(make())
        """
        },
    ),
    (
        "above_done",
        {
            "receivers.py": """
        def outer(function):
            @wraps(function)
            def inner(*args, **kwargs): return function(*args, **kwargs)
            return inner
        @receiver(signals.NAME)
        @outer
        def decorated(sender, **kwargs): pass
        """
        },
    ),
    (
        "awaited_done",
        {
            "receivers.py": """
            @receiver(signals.NAME)
            async def only_async(sender, **kwargs): pass
            """,
            "services.py": "async def awaited(): await signals.NAME.asend(None, order=1)",
        },
    ),
    (
        "given_done",
        {
            "receivers.py": """
        @receiver(signals.NAME)
        def with_order(sender, order, user=None, **kwargs): pass
        """
        },
    ),
    (
        "again_done",
        {
            "receivers.py": """
        signals.NAME.connect(label)
        signals.NAME.disconnect(label)
        signals.NAME.disconnect(label)
        signals.NAME.connect(store)
        """
        },
    ),
    (
        "migrated_done",
        {
            "receivers.py": HEARD,
            "management/__init__.py": """
            from django.db.models.signals import post_migrate
            def create(**kwargs): pass
            post_migrate.connect(create)
            """,
            "management/commands/hear.py": """
            from APP import signals
            def hear(**kwargs): pass
            signals.NAME.connect(hear)
            """,
        },
    ),
    ("stock_low", {"receivers.py": HEARD}),
]


def app(number: int, name: str) -> dict[str, str]:
    """The files of one app; of the faults, if its name says so."""
    label = f"{name}{number}"
    files = {path: [dedent(text).strip().replace("APP", label)] for path, text in HEAD.items()}
    files["older.py"] = ["from django.dispatch import Signal"]
    for signal, own in FAULTS if name == "faulty" else NEAR_MISSES:
        lines = {"signals.py": "NAME = Signal()", **own}
        if signal in SENDS_OF_NEAR_MISSES:
            lines["receivers.py"] = HEARD
        elif signal != "lost_found" and "services.py" not in lines:
            lines["services.py"] = SENT
        for path, text in lines.items():
            code = dedent(text).strip().replace("APP", label).replace("NAME", signal)
            files.setdefault(path, []).append(code)
    return {f"{label}/{path}": "\n".join(text) + "\n" for path, text in files.items()}


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """All files of the project, by their paths."""
    return {
        path: text
        for number in range(APPS)
        for name in ("faulty", "sound")
        for path, text in app(number, name).items()
    }


@pytest.fixture(scope="module")
def found(written: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Counter[_Place]:
    """``(id, file, line)`` of all that the checks find."""
    project = Project(tmp_path_factory.mktemp("many"))
    project.write(written)
    apps = [f"{name}{number}" for number in range(APPS) for name in ("faulty", "sound")]
    project.settings(apps=tuple(f"{each}.apps.StallConfig" for each in apps))
    program = (
        "import django, json, os; django.setup()\n"
        "from signal_inspector.core import internal_errors\n"
        "from signal_inspector.checks.facts import Facts\n"
        "from signal_inspector.checks.findings import get_options\n"
        "from signal_inspector.checks.signals import FROM_CONNECTIONS, FROM_SOURCE, findings\n"
        "found = findings(Facts(get_options()), FROM_CONNECTIONS + FROM_SOURCE)\n"
        "assert not internal_errors.counts(), internal_errors.counts()\n"
        "told = [(it.kind.number, os.path.relpath(it.path), it.line) for it in found]\n"
        "print(json.dumps(told))\n"
    )
    done = project.python("-c", program)
    assert done.returncode == 0, done.stderr
    return Counter((number, path, line) for number, path, line in json.loads(done.stdout))


def marked(written: dict[str, str]) -> Counter[_Place]:
    return Counter(
        (number, path, line)
        for path, text in written.items()
        for line, code in enumerate(text.splitlines(), 1)
        for number in re.findall(r"# ([WI]\d{3})$", code)
    )


def test_every_fault_is_found_on_its_line_and_nothing_else(
    written: dict[str, str], found: Counter[_Place]
) -> None:
    """Each as often as it was written; of what only looks wrong, nothing."""
    planted = marked(written)
    assert {"missed": planted - found, "wrong": found - planted} == {
        "missed": Counter(),
        "wrong": Counter(),
    }


def test_every_check_has_a_fault(written: dict[str, str]) -> None:
    """But for those that need another set-up: DEBUG, a file of two names, several apps."""
    elsewhere = {Kind.FLEETING, Kind.IMPORTED_TWICE, Kind.MAY_STOP_OTHERS}
    ids = {number for number, _, _ in marked(written)}
    assert ids == {kind.number for kind in Kind if kind not in elsewhere}
