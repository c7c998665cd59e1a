"""``manage.py signals explain``."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.catalog.made import Project


def explained(project: Project, *arguments: str) -> Any:
    return json.loads(project.run("explain", *arguments, "--json"))


def test_all_reasons_at_once(project: Project) -> None:
    """Called twice, another sender, dead, never imported, not connected, and where it is sent."""
    data = explained(project, "order_placed")
    assert [each["receiver"] for each in data["called"]] == [
        "shop.receivers.thank",
        "shop.receivers.thank",
        "shop.views.show",
        "shop.receivers.index",
    ]
    assert [each["order"] for each in data["called"]] == [1, 2, 3, 4]
    assert "connected twice" in data["called"][0]["detail"]
    told = [(each["receiver"], each["standing"]) for each in data["not_called"]]
    assert told == [
        ("shop.receivers.wrap", "other sender"),
        ("shop.apps.ShopConfig.ready.<locals>.<lambda>", "dead"),
        ("shop.receivers.Letters.write", "dead"),
        ("shop.forgotten.nobody_calls", "not imported"),
        ("shop.receivers.late", "not connected"),
    ]
    assert [(each["function"], each["method"]) for each in data["sends"]] == [
        ("shop.views.place", "send")
    ]


def test_json_is_what_is_documented(project: Project) -> None:
    """The JSON has these keys and no others."""
    data = explained(project, "order_placed", "--sender", "shop.Gift")
    keys = {"version", "signal", "class", "app", "path", "line", "is_inspected", "problem"}
    keys |= {
        "inspected",
        "remark",
        "sender",
        "called",
        "not_called",
        "sends",
        "unread",
        "handed_on",
    }
    assert set(data) == keys
    assert (data["version"], data["sender"], data["app"]) == (1, "shop.models.Gift", "shop")
    receiver = {"order", "state", "receiver", "path", "line", "sender", "is_async", "is_weak"}
    receiver |= {"dispatch_uid", "connected_at", "standing", "detail"}
    assert {frozenset(each) for each in (*data["called"], *data["not_called"])} == {
        frozenset(receiver)
    }
    assert {frozenset(each) for each in data["sends"]} == {
        frozenset(
            {
                *("method", "function", "path", "line", "sender"),
                *("arguments", "has_more_arguments", "through"),
            }
        )
    }


def test_a_sender_changes_who_is_called(project: Project) -> None:
    """The receiver of this sender is called, in its place."""
    text = project.run("explain", "order_placed", "--sender", "shop.Gift")
    assert "Called in this order if shop.models.Gift sends it:" in text
    assert "  2   shop.receivers.wrap" in text


def test_what_a_server_imports_counts(project: Project) -> None:
    """With --bare the views are not imported, and so their receivers are not connected."""
    text = project.run("explain", "order_placed", "--bare")
    assert "shop.views connects it, but this process has not imported that module" in text


def test_a_signal_that_was_never_imported(project: Project) -> None:
    """The source is asked, and says where the signal would be made."""
    text = project.run("explain", "never_made", status=1)
    assert "shop.forgotten.never_made is created in" in text
    assert "shop/forgotten.py:4, but this process has not imported shop.forgotten" in text


def test_it_reads_well(project: Project) -> None:
    """The whole text for a signal with one of each, at 80 columns."""
    text = project.run("explain", "order_placed")
    assert max(map(len, text.splitlines())) <= 80
    assert text == WHOLE


WHOLE = """\
shop.signals.order_placed
  shop/signals.py:3
  inspected: INCLUDE has '*'

Called in this order for any sender:
  1   shop.receivers.thank
      shop/receivers.py:8, connected there
      sync, weak, any sender
      it is connected twice, so it is called twice: without dispatch_uid and
      with dispatch_uid='again'
  2   shop.receivers.thank
      shop/receivers.py:8, connected at shop/apps.py:8
      sync, weak, any sender, dispatch_uid "again"
      it is connected twice, so it is called twice: with dispatch_uid='again'
      and without dispatch_uid
  3   shop.views.show
      shop/views.py:4, connected there
      sync, weak, any sender
  4   shop.receivers.index
      shop/receivers.py:6, connected there
      async, weak, any sender

Called only for the sender that they listen to:
  -   shop.receivers.wrap
      shop/receivers.py:10, connected there
      sync, weak, only sender shop.models.Gift

Not called:
  -   shop.apps.ShopConfig.ready.<locals>.<lambda>
      shop/apps.py:9, connected there
      sync, weak, any sender
      it was garbage collected, because only a weak reference to it existed:
      keep a reference to it, or connect it with weak=False
  -   shop.receivers.Letters.write
      shop/receivers.py:19, connected at shop/apps.py:10
      sync, weak, any sender
      it was garbage collected, because only a weak reference to it existed:
      keep a reference to it, or connect it with weak=False
  -   shop.forgotten.nobody_calls
      in the source at shop/forgotten.py:5
      shop.forgotten connects it, but this process has not imported that module
  -   shop.receivers.late
      in the source at shop/receivers.py:22, only sender Gift
      shop.receivers.connect_late connects it, but has not run yet, or the
      receiver has been disconnected since

Sent in 1 place in the source:
  -   shop.views.place
      shop/views.py:7, send()
      arguments order
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope_nope",), "No signal is called 'nope_nope'."),
        (("post_savve",), "Did you mean"),
        (("post_save", "--sender", "auth.Usr"), "Did you mean auth.User"),
    ],
)
def test_what_is_not_known_is_an_error(arguments: tuple[str, ...], message: str) -> None:
    """A signal or sender that nobody knows ends the command with a sentence."""
    with pytest.raises(CommandError, match=message):
        call_command("signals", "explain", *arguments, stdout=StringIO())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("shop.signals.paid",), "No receiver is called.\n"),
        (("post_save",), "No receiver listens to every sender.\n"),
        (
            ("post_save", "--sender", "shop.Gift"),
            "No receiver is called if shop.models.Gift sends it.\n",
        ),
    ],
)
def test_nobody_is_called(project: Project, arguments: tuple[str, ...], told: str) -> None:
    """It is said in words that fit what follows."""
    assert told in project.run("explain", *arguments)
