"""``manage.py signals list``."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.signals import post_save

from tests.catalog.made import ROOT, Project, module

SOURCE = """
from django.dispatch import Signal
order_placed = Signal()
order_paid = Signal()
class Web: pass
def log(**kwargs): pass
async def index(**kwargs): pass
order_placed.connect(index)
order_placed.connect(log, sender=Web, dispatch_uid="<uid>")
order_placed.connect(log, weak=False)
"""


@pytest.fixture(autouse=True)
def _made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals in a module of this name, for this test; those of former tests are no more."""
    gc.collect()
    module(monkeypatch, "made_shop.signals", SOURCE)


def listed(*arguments: str) -> tuple[str, str]:
    """What the command writes, and what it says beside it."""
    out, err = StringIO(), StringIO()
    call_command("signals", "list", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def as_json(*arguments: str) -> Any:
    return json.loads(listed(*arguments, "--json")[0])


def names(*arguments: str) -> list[str]:
    """The signals that are listed."""
    return [each["signal"] for each in as_json(*arguments)["signals"]]


def test_every_fact_of_a_connection_is_told() -> None:
    """Place in the order, name, file and line, kind, strength, sender, uid, where connected."""
    text, _ = listed("--signal", "made_shop.signals.order_placed")
    assert text == (
        "made_shop.signals.order_placed\n"
        "  /srv/made_shop/signals.py:3\n"
        "  1   made_shop.signals.log\n"
        "      /srv/made_shop/signals.py:6, connected on line 9\n"
        '      sync, weak, only sender made_shop.signals.Web, dispatch_uid "<uid>"\n'
        "  2   made_shop.signals.log\n"
        "      /srv/made_shop/signals.py:6, connected on line 10\n"
        "      sync, strong, any sender\n"
        "  3   made_shop.signals.index\n"
        "      /srv/made_shop/signals.py:7, connected on line 8\n"
        "      async, weak, any sender\n"
        "\n"
        "1 signal, 3 receivers.\n"
    )


def test_json_is_what_is_documented() -> None:
    """The JSON has these keys and no others, and a version."""
    data = as_json("--signal", "order_placed", "--receiver", "made_shop.signals.index")
    [signal] = data.pop("signals")
    assert data == {"version": 1, "not_inspected_left_out": 0}
    [receiver] = signal.pop("receivers")
    assert signal == {
        "signal": "made_shop.signals.order_placed",
        "class": "django.dispatch.dispatcher.Signal",
        "app": None,
        "path": "/srv/made_shop/signals.py",
        "line": 3,
        "is_inspected": True,
        "problem": None,
        "receivers_left_out": 2,
    }
    assert receiver == {
        "order": 3,
        "state": "connected",
        "receiver": "made_shop.signals.index",
        "path": "/srv/made_shop/signals.py",
        "line": 7,
        "sender": None,
        "is_async": True,
        "is_weak": True,
        "dispatch_uid": None,
        "connected_at": {"path": "/srv/made_shop/signals.py", "line": 8, "function": "<module>"},
    }


@pytest.mark.parametrize(
    "pattern",
    ["made_shop.signals.order_p*", "order_p*", "signals.order_p*", "made_*", "*.order_p[la]*"],
)
def test_signals_are_chosen_by_globs(pattern: str) -> None:
    """A glob matches a whole name or the end of it."""
    # Signals of a former test's module that something still holds have lost their names.
    found = [name for name in names("--signal", pattern) if "(anonymous)" not in name]
    mine = [name for name in found if name.startswith("made_shop.")]
    assert mine == ["made_shop.signals.order_paid", "made_shop.signals.order_placed"]


def test_signals_are_chosen_by_the_end_of_a_name() -> None:
    """Without a wildcard the last parts of a name have to be these."""
    assert names("--signal", "made_shop.signals.order_paid") == ["made_shop.signals.order_paid"]
    assert "made_shop.signals.order_paid" in names("--signal", "order_paid")
    assert names("--signal", "rder_paid") == []


def test_receivers_keep_their_places() -> None:
    """A receiver that is chosen alone has the place that it has among all, and says so."""
    text, _ = listed("--receiver", "index", "--signal", "made_shop.*")
    assert "  3   made_shop.signals.index" in text
    assert "and 2 other receivers" in text
    assert "order_paid" not in text


@pytest.mark.parametrize("sender", ["made_shop.signals.Web", "Web", "*.Web"])
def test_receivers_are_chosen_by_their_sender(sender: str) -> None:
    """--sender finds receivers that listen to it alone, and says who else is called."""
    text, said = listed("--sender", sender, "--signal", "made_shop.signals.order_*")
    assert re.findall(r"^ +(\d) ", text, re.MULTILINE) == ["1"]
    assert "Receivers that listen to any sender are called too" in said


def test_a_model_may_be_named_by_its_label() -> None:
    """--sender takes app_label.Model."""
    from django.contrib.auth.models import User

    def on_save(**kwargs: Any) -> None: ...

    post_save.connect(on_save, sender=User)
    try:
        chosen = as_json("--sender", "auth.User", "--signal", "post_save", "--builtin")
    finally:
        post_save.disconnect(on_save, sender=User)
    [signal] = chosen["signals"]
    assert {each["sender"] for each in signal["receivers"]} == {"django.contrib.auth.models.User"}


def test_an_app_is_that_of_the_signal_or_of_the_receiver() -> None:
    """--app takes a label or a name, of the app that defines either."""
    mine = names("--app", "signal_audit")
    assert mine == names("--app", "signal_inspector.audit")
    # Other tests may have let the audit listen to signals of their own.
    assert not [name for name in mine if "audit_lost" in name]
    every = names("--app", "signal_audit", "--builtin")
    assert "signal_inspector.audit.signals.audit_lost" in every
    assert every == names("--app", "signal_inspector.audit", "--builtin")
    by_receiver = as_json("--app", "auth", "--builtin", "--signal", "setting_changed")["signals"]
    [signal] = by_receiver
    assert [each["receiver"] for each in signal["receivers"]] == [
        "django.contrib.auth.hashers.reset_hashers"
    ]


def test_an_unknown_app_is_an_error() -> None:
    """--app with an app that is not installed suggests one that is."""
    with pytest.raises(CommandError, match=r"'aut'. Did you mean auth"):
        listed("--app", "aut")


def test_djangos_own_are_left_out_and_counted() -> None:
    """What is not inspected is shown on request; else how many were left out is told."""
    assert not [name for name in names() if name.startswith("django.")]
    assert "django.db.models.signals.post_save" in names("--builtin")
    text, _ = listed()
    left = re.search(r"Left out: (\d+) signals that are not inspected", text)
    assert left is not None
    assert int(left[1]) == len(names("--builtin")) - len(names())
    assert int(left[1]) == as_json()["not_inspected_left_out"]
    assert "Left out" not in listed("--builtin")[0]


def test_finding_nothing_says_so() -> None:
    """An empty list says what was asked for and what was perhaps meant; JSON stays JSON."""
    for more in ((), ("--json",)):
        text, said = listed("--signal", "made_shop.signals.order_plcaed", *more)
        assert "Nothing was found for --signal made_shop.signals.order_plcaed." in said
        assert "Did you mean made_shop.signals.order_placed" in said
        assert (json.loads(text)["signals"] == []) if more else (text == "")


def test_finding_nothing_points_to_what_is_not_inspected() -> None:
    """A built-in signal that is asked for is not simply nothing."""
    _, said = listed("--signal", "post_save")
    assert "1 would be found among" in said


def test_hostile_names_do_not_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters in names and uids are shown as escapes."""
    source = (
        "from django.dispatch import Signal\n"
        "evil = Signal()\n"
        "def f(**kwargs): pass\n"
        "f.__qualname__ = 'f\\x1b[31m'\n"
        "evil.connect(f, dispatch_uid='\\x1b[2J')\n"
    )
    module(monkeypatch, "made_evil", source)
    text, _ = listed("--signal", "made_evil.evil")
    assert "\x1b" not in text
    assert "made_evil.f\\x1b[31m" in text


def test_colors_are_for_terminals() -> None:
    """--force-color colors names; a pipe gets none."""
    plain, colored = StringIO(), StringIO()
    options = ("signals", "list", "--signal", "made_shop.signals.order_paid")
    call_command(*options, stdout=plain, stderr=StringIO())
    call_command(*options, stdout=colored, stderr=StringIO(), force_color=True)
    assert "\x1b[" not in plain.getvalue()
    assert "\x1b[" in colored.getvalue()


@pytest.mark.parametrize("place", ["0", "4"], ids=["first", "last"])
def test_the_inspector_may_stand_anywhere(project: Project, place: str) -> None:
    """What was connected before the wrapper was installed is listed all the same."""
    text = project.run("list", "--signal", "opened", "--json", PLACE=place)
    [signal] = json.loads(text)["signals"]
    told = [
        [each[key] for key in ("order", "receiver", "sender", "dispatch_uid", "is_weak")]
        for each in signal["receivers"]
    ]
    assert told == [
        [1, "early.apps.greet", "early.apps.Desk", "greet", True],
        [2, "early.apps.greet", None, None, True],
        [3, "early.apps.agreet", None, None, False],
    ]
    assert {each["connected_at"] is None for each in signal["receivers"]} == {place == "4"}


def test_lazy_model_signals_are_told(project: Project) -> None:
    """A model that is there is the sender; one that is not leaves the receiver pending."""
    text = project.run("list", "--signal", "post_save", "--builtin", "--json")
    [signal] = json.loads(text)["signals"]
    told = [
        [each[key] for key in ("order", "state", "receiver", "sender", "is_async", "is_weak")]
        for each in signal["receivers"]
    ]
    receivers = "shop.receivers."
    assert told == [
        [1, "connected", f"{receivers}saved", "shop.models.Order", False, True],
        [None, "pending", f"{receivers}mistyped", "shop.ordr", False, True],
        [None, "pending", f"{receivers}elsewhere", "shopp.order", True, False],
    ]
    assert signal["receivers"][2]["dispatch_uid"] == "lazy"


def test_views_are_loaded_as_in_a_server(project: Project) -> None:
    """Receivers that views connect are there; with --bare they are not."""
    options = ("list", "--receiver", "shop.views.show")
    assert "shop.views.show" in project.run(*options)
    assert "Nothing was found" in project.run(*options, "--bare")


def test_what_cannot_be_imported_is_said(project: Project) -> None:
    """A mistake in the middleware does not keep the rest from being listed."""
    text = project.run("list", LOST="1")
    assert "config.lost.Middleware cannot be imported (ModuleNotFoundError: No module" in text
    assert "shop.views.show" in text


def test_a_closed_pipe_is_no_error(project: Project) -> None:
    """`| head` ends it quietly."""
    finished = subprocess.run(
        f"{sys.executable} manage.py signals list --builtin | head -n 1",
        shell=True,
        cwd=project.directory,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.stderr.replace("a module may print\n", "") == ""
    assert len(finished.stdout.splitlines()) == 1
