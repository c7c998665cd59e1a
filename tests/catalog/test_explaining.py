"""Who would be called, who not, and why."""

from __future__ import annotations

import gc
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.signals import setting_changed
from django.db.models.signals import ModelSignal, post_save
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector.catalog import (
    ExplainedReceiver,
    Explanation,
    NotFoundError,
    ReceiverEntry,
    SignalEntry,
    Standing,
    explain,
)
from signal_inspector.catalog.explaining import absent
from signal_inspector.catalog.finding import find_sender, find_signal
from signal_inspector.core.record.values import Caller, SendMethod
from signal_inspector.core.wrapper import muting
from signal_inspector.source_code.project import read_directory
from signal_inspector.source_code.records import Connect, ModuleSource
from tests.catalog.made import module
from tests.checks.worlds import Project

order_placed = Signal()


pytestmark = pytest.mark.usefixtures("nothing_failed")


@pytest.fixture
def signal() -> Signal:
    return Signal()


class Web:
    """A sender."""


class App:
    """Another one."""


def log(**kwargs: Any) -> None: ...


def pack(**kwargs: Any) -> None: ...


async def index(**kwargs: Any) -> None: ...


def called(explanation: Explanation) -> list[tuple[int | None, str]]:
    return [(each.order, each.receiver.rpartition(".")[2]) for each in explanation.called]


def missed(explanation: Explanation) -> list[tuple[str, Standing]]:
    return [(each.receiver.rpartition(".")[2], each.standing) for each in explanation.not_called]


def only(explanation: Explanation) -> ExplainedReceiver:
    [found] = explanation.not_called
    return found


class TestCalled:
    @pytest.mark.parametrize("sender", [None, Web, App, "checkout"])
    def test_they_are_those_that_a_send_calls(self, signal: Signal, sender: Any) -> None:
        """For each sender the receivers are those of Django's own responses, in order."""
        seen: list[str] = []

        def note(name: str) -> Any:
            def receiver(**kwargs: Any) -> None:
                seen.append(name)

            receiver.__qualname__ = name
            return receiver

        kept = [note(name) for name in ("a", "b", "c", "d")]
        for receiver, limit in zip(kept, (Web, None, App, "checkout"), strict=True):
            signal.connect(receiver, sender=limit)
        signal.send(sender)
        assert [name for _, name in called(explain(signal, sender))] == seen

    def test_sync_ones_come_first(self, signal: Signal) -> None:
        """Async receivers run after the sync ones, whenever they were connected."""
        for receiver in (index, log, pack):
            signal.connect(receiver)
        assert called(explain(signal)) == [(1, "log"), (2, "pack"), (3, "index")]

    def test_nothing_is_said_of_what_is_well(self, signal: Signal) -> None:
        """A receiver that is called once has no remark."""
        signal.connect(log)
        signal.connect(pack, sender=Web)
        assert [each.detail for each in explain(signal, Web).called] == ["", ""]

    def test_connected_twice(self, signal: Signal) -> None:
        """The same receiver under two uids is called twice, and both say so."""
        signal.connect(log)
        signal.connect(log, dispatch_uid="again")
        first, second = explain(signal).called
        assert first.detail == (
            "it is connected twice, so it is called twice: "
            "without dispatch_uid and with dispatch_uid='again'"
        )
        assert second.detail.startswith("it is connected twice")

    def test_connected_for_a_sender_and_for_any(self, signal: Signal) -> None:
        """That is twice for this sender, and once for the others."""
        signal.connect(log)
        signal.connect(log, sender=Web)
        assert [bool(each.detail) for each in explain(signal, Web).called] == [True, True]
        assert [bool(each.detail) for each in explain(signal, App).called] == [False]

    def test_a_module_imported_under_two_names(
        self, signal: Signal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Copies of one function from two modules of one file are noticed."""
        source = "def f(**kwargs): pass"
        for name in ("made.receivers", "project.made.receivers"):
            signal.connect(module(monkeypatch, name, source, "/srv/made/receivers.py").f)
        told = "the same code is also called as {}: its module was imported under two names"
        assert [each.detail for each in explain(signal).called] == [
            told.format("project.made.receivers.f"),
            told.format("made.receivers.f"),
        ]

    def test_a_reloaded_module(self, signal: Signal, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two functions of one name from one line are one too many."""
        kept = [module(monkeypatch, "made.again", "def f(**kwargs): pass") for _ in range(2)]
        for each in kept:
            signal.connect(each.f)
        assert {each.detail for each in explain(signal).called} == {
            "another copy of it is also called: its module was loaded twice"
        }

    def test_many_made_by_the_same_lines_are_no_mistake(self, signal: Signal) -> None:
        """Closures, methods of different objects and callable instances repeat on purpose."""

        def closure() -> Any:
            def receiver(**kwargs: Any) -> None: ...

            return receiver

        class Desk:
            def note(self, **kwargs: Any) -> None: ...

            def __call__(self, **kwargs: Any) -> None: ...

        desks = [Desk(), Desk()]
        for each in (closure(), closure(), desks[0].note, desks[1].note, *desks):
            signal.connect(each, weak=False)
        assert {each.detail for each in explain(signal).called} == {""}


class TestNotCalled:
    def test_another_sender(self, signal: Signal) -> None:
        """A receiver of one sender is not called for another, nor for none in particular."""
        signal.connect(log, sender=Web)
        for sender in (None, App):
            found = only(explain(signal, sender))
            assert found.standing is Standing.OTHER_SENDER
            assert found.detail == f"it listens only to sender {__name__}.Web"

    def test_a_subclass_is_another_sender(self, signal: Signal) -> None:
        """What is asked most of senders is answered."""
        signal.connect(log, sender=Web)
        branch = type("Branch", (Web,), {"__module__": __name__})
        assert only(explain(signal, branch)).detail == (
            f"it listens only to sender {__name__}.Web, and "
            f"its subclass {__name__}.Branch is another sender"
        )

    def test_a_dead_reference(self, signal: Signal) -> None:
        """A receiver that nobody held is told, with what to do about it."""
        signal.connect(lambda **kwargs: None)
        gc.collect()
        found = only(explain(signal))
        assert found.standing is Standing.DEAD
        assert "connect it with weak=False" in found.detail

    def test_a_sender_that_is_gone(self, signal: Signal) -> None:
        """A connection for a sender that is no more is told alike on every Django."""

        class Passing: ...

        signal.connect(log, sender=Passing)
        del Passing
        gc.collect()
        explanation = explain(signal)
        assert missed(explanation) == [("log", Standing.SENDERLESS)]
        assert explanation.called == ()

    def test_muted_by_a_test(self, signal: Signal) -> None:
        """What a test has muted is not called, and the rest keeps its order."""
        for receiver in (log, pack):
            signal.connect(receiver)
        change = muting.MutedReceivers((log,))
        muting.add(change)
        try:
            explanation = explain(signal)
        finally:
            muting.remove(change)
        assert missed(explanation) == [("log", Standing.MUTED)]
        assert called(explanation) == [(1, "pack")]

    def test_taken_out_by_hand(self, signal: Signal) -> None:
        """What factory_boy's mute_signals does to a signal is seen, and over with it."""
        signal.connect(log)
        paused, signal.receivers = signal.receivers, []
        found = only(explain(signal))
        signal.receivers = paused
        assert found.standing is Standing.TAKEN_OUT
        assert "mute_signals()" in found.detail
        assert called(explain(signal)) == [(1, "log")]

    def test_a_model_that_is_not_loaded(self) -> None:
        """A lazy connection waits, and a slip of the pen is pointed out."""
        signal = ModelSignal()
        signal.connect(log, sender="auth.Usr")
        signal.connect(pack, sender="auht.User", weak=False)
        signal.connect(index, sender="auth.User")
        explanation = explain(signal, User)
        assert called(explanation) == [(1, "index")]
        assert [each.standing for each in explanation.not_called] == [Standing.PENDING] * 2
        first, second = (each.detail for each in explanation.not_called)
        assert first == (
            "it waits for the model auth.usr, which the app 'auth' does not have "
            "(did you mean auth.User?)"
        )
        assert second == (
            "it waits for the model auht.user, but no installed app has the label 'auht' "
            "(did you mean auth?)"
        )

    def test_the_wait_may_end(self) -> None:
        """A model that is loaded at last makes the connection, and pending ends."""
        from django.apps import apps

        signal = ModelSignal()
        signal.connect(log, sender="made_late.Thing")
        waiting = apps._pending_operations.pop(("made_late", "thing"))  # type: ignore[attr-defined]
        for operation in waiting:
            operation(Group)
        explanation = explain(signal, Group)
        assert (called(explanation), missed(explanation)) == ([(1, "log")], [])

    def test_receivers_that_cannot_be_read(self) -> None:
        """A signal whose receivers attribute raises is told as such."""

        class Sulky(Signal):
            @property
            def receivers(self) -> Any:
                raise RuntimeError("no")

            @receivers.setter
            def receivers(self, value: Any) -> None: ...

        explanation = explain(Sulky())
        assert explanation.signal.problem == "its receivers cannot be read: RuntimeError"
        assert (explanation.called, explanation.not_called) == ((), ())


class TestAbsent:
    """What the source connects, and what is connected."""

    SOURCE = Connect(
        signal="s",
        receiver="shop.receivers.log",
        function="shop.receivers",
        path="/srv/shop/receivers.py",
        line=7,
        sender="",
        is_decorator=True,
    )

    def told(
        self, *receivers: ReceiverEntry, module: str = __name__, **changes: Any
    ) -> list[bool]:
        """``is_imported`` of what is absent, where the source has one connection."""
        connect = replace(self.SOURCE, **changes)
        read = [ModuleSource(module=module, path=connect.path, connects=(connect,))]
        return [
            each.is_imported for each in absent(SignalEntry(signal="s", receivers=receivers), read)
        ]

    ENTRY = ReceiverEntry(
        receiver="shop.receivers.log",
        path="/srv/shop/receivers.py",
        line=7,
        sender=None,
        is_async=False,
        is_weak=True,
        dispatch_uid=None,
        connected_at=Caller("/srv/shop/receivers.py", 7, "<module>"),
        is_dead=False,
    )

    def test_nothing_is_connected(self) -> None:
        """Both an imported module and one that is not are told."""
        assert self.told() == [True]
        assert self.told(module="never.imported") == [False]

    def test_it_is_known_by_its_name(self) -> None:
        """Wherever it was connected, also before the wrapper was there, and if it has died."""
        elsewhere = replace(self.ENTRY, connected_at=None, path="", is_dead=True)
        assert self.told(elsewhere) == []

    def test_it_is_known_by_its_place(self) -> None:
        """A decorator may have given it another name."""
        assert self.told(replace(self.ENTRY, receiver="shop.decorators.wrapper")) == []
        assert self.told(self.ENTRY, receiver="") == []

    def test_another_one_is_not_it(self) -> None:
        """A receiver of another name and place leaves it absent."""
        other = replace(self.ENTRY, receiver="a.b", connected_at=Caller("/a.py", 1, "<module>"))
        assert self.told(other) == [True]

    def test_a_stranger_may_be_it(self) -> None:
        """If one was connected that nobody saw, under a name that the source has not."""
        stranger = replace(self.ENTRY, receiver="shop.decorators.wrapper", connected_at=None)
        assert self.told(stranger) == []
        assert self.told(stranger, module="never.imported") == [False]

    def test_connections_of_other_signals_do_not_count(self) -> None:
        """The source of another signal says nothing of this one."""
        assert self.told(signal="another") == []


class TestInspected:
    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({}, "inspected: INCLUDE has '*'"),
            ({"EXCLUDE": ["tests.*"]}, "not inspected: EXCLUDE has 'tests.*'"),
            ({"INCLUDE": ["shop.*"]}, "not inspected: no entry of INCLUDE matches it"),
            (
                {"INCLUDE": ["*", f"{__name__}.order_placed"], "EXCLUDE": ["tests.*"]},
                f"inspected: INCLUDE has '{__name__}.order_placed'",
            ),
        ],
    )
    def test_the_entry_that_decides_is_told(self, settings: dict[str, Any], told: str) -> None:
        """Whether a signal is inspected follows from one entry of the settings."""
        with override_settings(SIGNAL_INSPECTOR=settings):
            explanation = explain(order_placed)
        assert explanation.inspected == told
        assert explanation.signal.is_inspected is told.startswith("inspected")

    def test_a_class_with_a_send_of_its_own_is_remarked_upon(self) -> None:
        """As it may choose among its receivers, nothing is certain."""

        class Choosy(Signal):
            def send(self, sender: Any, **named: Any) -> Any: ...

        class Inherits(Choosy): ...

        told = "_is_remarked_upon.<locals>.Choosy has its own send()"
        assert told in explain(Inherits()).remark
        assert explain(order_placed).remark == explain("post_save").remark == ""

    def test_a_signal_of_djangos_is_explained(self) -> None:
        """Signals that are not inspected are explained as well."""
        explanation = explain("post_save", User)
        assert explanation.signal.signal == "django.db.models.signals.post_save"
        assert explanation.inspected == "not inspected: EXCLUDE has 'django.*'"


class TestFinding:
    def test_a_signal_is_found_by_its_name(self) -> None:
        """By the whole name, and by the end of it."""
        name = f"{__name__}.order_placed"
        assert find_signal(name) == (name, order_placed)
        assert find_signal("test_explaining.order_placed") == (name, order_placed)

    def test_an_end_that_several_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two signals of one ending have to be told apart, and both are named."""
        for name in ("made_a.signals", "made_b.signals"):
            source = "from django.dispatch import Signal\ntwice_made = Signal()"
            module(monkeypatch, name, source)
        with pytest.raises(NotFoundError) as raised:
            find_signal("twice_made")
        assert str(raised.value) == (
            "'twice_made' is ambiguous: it may be made_a.signals.twice_made or "
            "made_b.signals.twice_made. "
            "Use the full name."
        )

    def test_nothing_of_this_name(self) -> None:
        """What is most like it is suggested."""
        with pytest.raises(NotFoundError, match=r"Did you mean django\.db\.models\.signals\.post"):
            find_signal("post_savee")
        with pytest.raises(NotFoundError, match=r"^No signal is called 'xyzxyz'\.$"):
            find_signal("xyzxyz")

    @pytest.mark.parametrize(
        ("text", "sender"),
        [
            ("auth.User", User),
            ("django.contrib.auth.models.User", User),
            (f"{__name__}.Web", Web),
            (f"{__name__}.log", log),
            ("django.core.signals.setting_changed", setting_changed),
            ("signal_inspector.core.record.values.SendMethod.SEND", SendMethod.SEND),
            ("None", None),
            ("'checkout'", "checkout"),
            ('"checkout"', "checkout"),
        ],
    )
    def test_a_sender_is_found(self, text: str, sender: Any) -> None:
        """A model's label, a dotted class, function, signal or member, None, a text in quotes."""
        assert find_sender(text) is sender

    def test_a_module_may_be_the_sender(self) -> None:
        """As apps do that send from functions."""
        import json.decoder

        assert find_sender("json.decoder") is json.decoder

    @pytest.mark.parametrize("text", ["auth.Usr", "auth", "nope.Nope", "", ".", "auth.models.x.y"])
    def test_an_unknown_sender(self, text: str) -> None:
        """Nothing is imported to find one; the error says what a sender may be."""
        with pytest.raises(NotFoundError, match="write it in quotes"):
            find_sender(text)

    def test_names_of_senders_that_are_known_are_suggested(self) -> None:
        """Those that receivers of the signal listen to come to mind first."""
        with pytest.raises(NotFoundError, match=r"Did you mean shop\.Telephone\?"):
            find_sender("shop.Telefone", ("shop.Telephone",))


def test_explaining_sends_nothing_and_changes_nothing() -> None:
    """The lists of receivers are as they were."""
    post_save.connect(log, sender=User)
    try:
        before = list(post_save.receivers)
        explain(post_save, User)
        assert post_save.receivers == before
    finally:
        post_save.disconnect(log, sender=User)


class TestWhatTheSourceTells:
    """What a person sees who looks for the reason."""

    SIGNALS = "from django.dispatch import Signal\nviewed = Signal()\n"

    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        return Project(tmp_path)

    def explained(self, project: Project, *names: str) -> str:
        done = project.run("signals", "explain", *names)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_where_it_is_handed_on(self, project: Project) -> None:
        """A class attribute that is never sent by that name is shown, with its place."""
        project.write(
            {
                "stall/signals.py": self.SIGNALS,
                "stall/models.py": "import stall.signals",
                "stall/views.py": "from stall import signals\nclass V:\n add = signals.viewed\n",
            }
        )
        said = self.explained(project, "viewed")
        assert "It is passed on in stall/views.py:3 (add) and may be sent from there." in said

    @pytest.mark.parametrize(
        ("name", "send"),
        [
            ("REGISTRY['paid']", "signals.REGISTRY['paid'].send(None)"),
            ("REGISTRY['paid']", "signals.REGISTRY.get('paid').send(None)"),
            ("REGISTRY['order.paid (once)']", "signals.REGISTRY['order.paid (once)'].send(1)"),
            ("ALL[1]", "signals.ALL[1].send(None)"),
            ("Bus.EVENTS['moved']", "signals.Bus.EVENTS['moved'].send(None)"),
            ("SLOTTED.done", "signals.SLOTTED.done.send(None)"),
        ],
    )
    def test_a_send_of_an_item(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, send: str
    ) -> None:
        """What a registry holds is told from what else it holds, by the key that is written."""
        package = tmp_path / "depot"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "signals.py").write_text(
            "from dataclasses import dataclass\nfrom django.dispatch import Signal\n"
            "REGISTRY = {k: Signal() for k in ('paid', 'other', 'order.paid (once)')}\n"
            "ALL = [Signal(), Signal()]\n"
            "class Bus:\n EVENTS = dict(moved=Signal(), other=Signal())\n"
            "@dataclass(slots=True)\nclass Slotted:\n done: Signal\n other: Signal\n"
            "SLOTTED = Slotted(Signal(), Signal())\n"
        )
        (package / "work.py").write_text(f"from depot import signals\ndef f():\n {send}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.import_module("depot.signals")
        found = {each.signal for read in read_directory(str(package)) for each in read.sends}
        for loaded in ("depot.signals", "depot"):
            del sys.modules[loaded]
        assert found == {f"depot.signals.{name}"}

    def test_the_arguments_and_the_way_of_a_send(self, project: Project) -> None:
        """The names that are sent, where the signal is given to a helper."""
        project.write(
            {
                "stall/signals.py": self.SIGNALS,
                "stall/models.py": "import stall.signals",
                "stall/work.py": (
                    "from stall.signals import viewed\n"
                    "def emit(signal, **kwargs): signal.send(**kwargs)\n"
                    "def view(): emit(viewed, sender=None, page=1)\n"
                ),
            }
        )
        said = self.explained(project, "viewed")
        assert "stall/work.py:3, send()" in said
        assert "arguments page, through stall.work.emit" in said

    def test_a_taken_uid_and_a_vain_disconnect(self, project: Project) -> None:
        """Both stand at the receiver they are about."""
        project.write(
            {
                "stall/signals.py": self.SIGNALS,
                "stall/models.py": (
                    "from stall.signals import viewed\nfrom django.dispatch import receiver\n"
                    "@receiver(viewed, dispatch_uid='log')\ndef first(**kwargs): pass\n"
                    "@receiver(viewed, dispatch_uid='log')\ndef second(**kwargs): pass\n"
                    "viewed.disconnect(first)\n"
                ),
            }
        )
        said = " ".join(self.explained(project, "viewed").split())
        assert "its dispatch_uid 'log' is already used by stall.models.first" in said
        assert "models.py:7 did not match this connection: pass it the same sender" in said

    def test_a_receiver(self, project: Project) -> None:
        """Which signals it is connected to, and which it is not."""
        project.write(
            {
                "stall/signals.py": f"{self.SIGNALS}sold = Signal()\n",
                "stall/models.py": (
                    "from stall.signals import viewed\n"
                    "def count(**kwargs): pass\nviewed.connect(count)\n"
                ),
                "stall/later.py": (
                    "from stall.signals import sold\nfrom stall.models import count\n"
                    "sold.connect(count)\n"
                ),
            }
        )
        said = self.explained(project, "count")
        assert said.startswith("stall.models.count\n")
        connected, _, lost = said.partition("Not called:")
        assert "Connected to:\n  stall.signals.viewed\n" in connected
        assert "  stall.signals.sold\n" in lost
        assert "this process has not imported" in " ".join(lost.split())

    def test_a_sender_alone(self, project: Project) -> None:
        """All signals that call somebody if it sends, and a word on what a subclass is."""
        project.write(
            {
                "stall/signals.py": f"{self.SIGNALS}sold = Signal()\nlost = Signal()\n",
                "stall/models.py": (
                    "from stall import signals\n"
                    "class Web: pass\nclass Mobile(Web): pass\ndef count(**kwargs): pass\n"
                    "signals.viewed.connect(count, sender=Web)\n"
                    "signals.sold.connect(count)\n"
                    "signals.sold.connect(count, sender=Web, dispatch_uid='web')\n"
                ),
            }
        )
        said = self.explained(project, "--sender", "stall.models.Web")
        assert "stall.signals.viewed\n" in said
        assert "stall.signals.sold\n" in said
        assert "stall.signals.lost" not in said
        said = " ".join(self.explained(project, "--sender", "stall.models.Mobile").split())
        assert "stall.signals.viewed" not in said
        assert "its subclass stall.models.Mobile is another sender" in said

    def test_neither_is_an_error(self, project: Project) -> None:
        """Something has to be asked about."""
        done = project.run("signals", "explain")
        assert done.returncode == 1
        assert "Name a signal or a receiver, or a sender with --sender." in done.stderr

    def test_the_package_that_defines_it_is_read(self, project: Project) -> None:
        """Of a signal of Django's, or of another package, the sends of that package are told."""
        project.settings(apps=("django.contrib.auth", "django.contrib.contenttypes", "stall"))
        said = self.explained(project, "user_logged_in", "--bare")
        assert "django.contrib.auth.login" in said
        assert "arguments request, user" in said
