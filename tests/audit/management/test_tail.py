"""``signal_audit tail``: what is new, once, however late."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management.color import no_style
from django.utils import timezone

from signal_inspector.audit.management.signal_audit.base import Progress, is_terminal
from signal_inspector.audit.management.signal_audit.tail import entry_lines
from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.search.entries import Follower, Reader, Wanted
from signal_inspector.audit.search.selection import Selection
from signal_inspector.watch.terminal import printable
from tests.audit.management.made import fill, finish, made, put, run, start
from tests.audit.programs import Programs, real

SECOND = timedelta(seconds=1)


def follower(window: timedelta = timedelta(minutes=5), **wanted: Any) -> Follower:
    reader = Reader(Wanted(selection=Selection(), **wanted))
    return Follower(reader, timezone.now(), window)


def looked(follower: Follower, later: timedelta = timedelta(0)) -> list[UUID]:
    return [id_ for ids in follower.look(timezone.now() + later) for id_ in ids]


@pytest.mark.django_db
class TestFollower:
    def test_new_once(self) -> None:
        """A new dispatch is shown at the next look, and never again."""
        following = follower()
        assert looked(following) == []
        ids = put(made(-SECOND), made(-2 * SECOND))
        assert [looked(following, n * SECOND) for n in range(3)] == [ids, [], []]

    def test_late(self) -> None:
        """One that is written behind others which started later is shown when it comes."""
        following = follower()
        (new,) = put(made(-20 * SECOND))
        assert looked(following, 21 * SECOND) == [new]
        (late,) = put(made(-15 * SECOND))
        assert looked(following, 22 * SECOND) == [late]

    def test_very_late(self) -> None:
        """One that comes after minutes is shown, too, some looks later."""
        following = follower()
        later = timedelta(minutes=4)
        for _ in range(3):
            looked(following, later)
        (late,) = put(made(-SECOND))
        shown = [looked(following, later) for _ in range(12)]
        assert [ids for ids in shown if ids] == [[late]]

    def test_later_than_the_window(self) -> None:
        """One that comes after the window is not shown."""
        following = follower(window=timedelta(minutes=1))
        put(made(-SECOND))
        assert not any(looked(following, timedelta(minutes=2)) for _ in range(12))

    def test_clock_ahead(self) -> None:
        """One from a machine whose clock is ahead is shown once, and hides no other."""
        following = follower()
        (ahead,) = put(made(timedelta(minutes=-3)))
        assert looked(following) == [ahead]
        (new,) = put(made(-SECOND))
        assert looked(following, 2 * SECOND) == [new]
        assert looked(following, timedelta(minutes=3)) == []

    def test_forgets(self) -> None:
        """What no look reaches any more is not remembered."""
        following = follower(window=timedelta(minutes=1))
        put(*[made(-n * SECOND) for n in range(1, 20)])
        looked(following, 20 * SECOND)
        assert len(following._seen) == 19
        for _ in range(10):
            looked(following, timedelta(minutes=10))
        assert following._seen == set()

    def test_glob(self) -> None:
        """A glob on signals holds for a signal that the log did not know before, too."""
        following = follower(signal_glob="shop.*")
        put(made(-SECOND, "crm.changed"))
        (new,) = put(made(-SECOND, "shop.new"))
        assert looked(following, 2 * SECOND) == [new]


@pytest.mark.django_db
class TestLines:
    def lines(self, **options: Any) -> str:
        put(made(**options))
        (id_,) = AuditedDispatch.objects.values_list("id", flat=True)
        (entry,) = Reader(Wanted(selection=Selection())).fetch([id_])
        return entry_lines(entry, no_style())

    def test_one_line(self) -> None:
        """A dispatch is a line with its outcome, signal, actor and objects."""
        text = self.lines(actor="auth.User:7", objects=["shop.Order:42"])
        assert text.count("\n") == 1
        for part in (
            " returned ",
            "shop.order_placed",
            "1 receiver ",
            "auth.User:7",
            "shop.Order:42",
        ):
            assert part in text

    def test_failure(self) -> None:
        """A receiver that failed has a line of its own."""
        text = self.lines(failed=True)
        assert " raised, swallowed " in text
        assert "on_order_badly" in text.splitlines()[1]
        assert "ValueError: no stock" in text.splitlines()[1]

    def test_hostile(self) -> None:
        """Nothing in the log moves the cursor, rings the bell or ends the line."""
        text = self.lines(signal="a\x1b[2Jb\x07\r\nc\u202ed", actor="x\x9b31m")
        assert text.count("\n") == 1
        assert all(letter.isprintable() for letter in text[:-1])

    def test_printable(self) -> None:
        """Text of any script stays as it is."""
        assert printable("Grüße 注文 é") == "Grüße 注文 é"


@pytest.mark.django_db
class TestLast:
    def test_last(self) -> None:
        """It begins with the last N, in the order of time."""
        ids = put(*[made(timedelta(minutes=9 - n)) for n in range(9)])
        lines = run("tail", "--no-follow", "--json", "-n", "3").splitlines()
        assert [json.loads(line)["dispatch"]["id"] for line in lines] == [
            str(id_) for id_ in ids[-3:]
        ]

    def test_none(self) -> None:
        """-n 0 shows none of them."""
        put(made())
        assert run("tail", "--no-follow", "-n", "0") == ""

    def test_filters(self) -> None:
        """Filters and globs hold for the last ones."""
        put(made(signal="shop.a", failed=True), made(signal="shop.a"), made(signal="crm.b"))
        text = run("tail", "--no-follow", "--signal", "shop.*", "--failed")
        assert (text.count("shop.a"), text.count("crm.b")) == (1, 0)


class _Stream(io.StringIO):
    """As Django's: with an ending that is none here."""

    def write(self, text: str, ending: str = "") -> int:
        return super().write(text + ending)


def test_bar() -> None:
    """The bar tells part, count and rate, and is wiped away at the end."""
    out = _Stream()
    clock = iter([0.0, 1.0, 1.05, 2.0])
    with Progress(out, 400, lambda: next(clock)) as bar:
        for _ in range(3):
            bar.add(100)
    shown = out.getvalue().split("\r\x1b[K")
    assert "25%  100 of 400, 100/s, 3 s left" in shown[1]
    assert "75%" in shown[2]
    assert (len(shown), shown[-1]) == (4, "")


@real
@pytest.mark.programs
class TestProgram:
    def test_follows(self, programs: Programs) -> None:
        """It shows the last one, then what another process writes, and ends by Ctrl-C quietly."""
        fill(programs, "put(made(timedelta(minutes=1), 'shop.first'))")
        process = start(programs, "tail", "--json", "--interval", "0.1")
        assert json.loads(process.stdout.readline())["dispatch"]["signal"] == "shop.first"
        fill(programs, "put(made(-timedelta(seconds=30), 'shop.second'))")
        assert json.loads(process.stdout.readline())["dispatch"]["signal"] == "shop.second"
        process.send_signal(signal.SIGINT)
        assert finish(process) == ("", "")

    def test_reader_leaves(self, programs: Programs) -> None:
        """It ends quietly when whoever reads its output has left."""
        process = start(programs, "tail", "--interval", "0.1", "-n", "1")
        process.stdout.close()
        fill(programs, "put(made(-timedelta(seconds=30)))")
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
        process.stderr.close()

    def test_colors(self, programs: Programs) -> None:
        """Failures are colored where asked for, and nothing is in a pipe."""
        fill(programs, "put(made(failed=True))")
        plain, _ = finish(start(programs, "tail", "--no-follow"))
        assert "\x1b[" not in plain
        colored, _ = finish(start(programs, "tail", "--no-follow", "--force-color"))
        assert "\x1b[" in colored


def test_bar_on_a_terminal() -> None:
    """A terminal is told from a pipe."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal, os.fdopen(master):
        assert is_terminal(terminal)
    assert not is_terminal(io.StringIO())
