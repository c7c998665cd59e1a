"""One dispatch reads the same in every room that shows it to a person."""

from __future__ import annotations

import contextlib
import html
import re
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector.testing import capture_dispatches
from signal_inspector.testing.messages import dispatch_lines
from tests.rooms import look, send_everywhere

told = Signal()


class Account:
    """Holds an exception, as a model does."""

    class DoesNotExist(Exception):
        pass


def look_up(**kwargs: Any) -> None:
    raise Account.DoesNotExist("no account")


def go_on(**kwargs: Any) -> None:
    """Is called, or skipped."""


SENT: list[list[str]] = []


def send(method: str) -> None:
    with capture_dispatches(told) as dispatches, contextlib.suppress(Account.DoesNotExist):
        getattr(told, method)(None)
    SENT[:] = [dispatch_lines(1, dispatches[0])]


@pytest.fixture(autouse=True)
def _connected() -> Any:
    for receiver in (look_up, go_on):
        told.connect(receiver)
    yield
    for receiver in (look_up, go_on):
        told.disconnect(receiver)


def words(room: str, sent: Any) -> str:
    """What stands in a room, without its tags."""
    text = "\n".join(SENT[0]) if room == "testing" else look(room, sent)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text.replace("<wbr>", ""))).split())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "of_dispatch", "of_call"),
    [
        ("send", "raised to the sender", "skipped"),
        ("send_robust", "1 of 2 raised, swallowed", "raised, swallowed"),
    ],
)
def test_outcomes_and_exceptions(method: str, of_dispatch: str, of_call: str) -> None:
    """How it ended has the same words, and the exception the same name, wherever it is shown."""
    sent = send_everywhere(lambda: send(method))
    for room in ("panel", "watch", "audit's pages", "tail"):
        assert of_dispatch in words(room, sent), room
        assert "Account.DoesNotExist" in words(room, sent), room
    for room in ("panel", "watch", "audit's pages", "testing"):
        assert of_call in words(room, sent), room
    for room in ("watch", "tail", "testing"):
        assert f"{__name__}.Account" not in words(room, sent), room
    for room in ("panel", "watch", "audit's pages", "tail", "testing"):
        text = words(room, sent)
        assert not re.search("had not ended|failed, swallowed", text), room


@pytest.mark.django_db(transaction=True)
def test_durations() -> None:
    """A dispatch took as long in one room as in the other."""
    sent = send_everywhere(lambda: send("send_robust"))
    (took,) = set(re.findall(r"[\d.,< ]*\d (?:ms|s)(?= 2 receivers)", words("tail", sent)))
    for room in ("panel", "watch", "audit's pages"):
        assert took.strip() in words(room, sent), room
