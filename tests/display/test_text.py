"""``signal_inspector.display.text``: one form of each name, exception and path."""

from __future__ import annotations

import asyncio.events
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signal_inspector.display import text


@pytest.mark.parametrize(
    ("name", "module", "last"),
    [
        ("shop.signals.order_placed", "shop.signals.", "order_placed"),
        ("order_placed", "", "order_placed"),
        ("shop.apps.ready.<locals>.<lambda>", "shop.apps.ready.<locals>.", "<lambda>"),
        ("signal at shop/a.py:3", "", "signal at shop/a.py:3"),
        ("shop.send(x.y)", "shop.", "send(x.y)"),
        ("", "", ""),
    ],
)
def test_dotted_names(name: str, module: str, last: str) -> None:
    """A dotted name is split at its dots, and only at those that separate names."""
    split = text.dotted(name)
    assert (split.module, split.last, split.full) == (module, last, name)
    assert text.last_part(name) == last


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("shop.signals.payment_captured", ["shop.", "signals.", "payment_", "captured"]),
        ("shop.Checkout.__init__", ["shop.", "Checkout.", "__init__"]),
        ("_private", ["_private"]),
        ("f(a.b)", ["f(a.", "b)"]),
        ("a" * 50, ["a" * 40, "a" * 10]),
        ("a..b___", ["a.", ".", "b___"]),
        ("", []),
    ],
)
def test_names_break_between_words(name: str, pieces: list[str]) -> None:
    """A line may break behind each dot and underscore, and inside only a very long word."""
    assert text.pieces(name) == pieces
    assert "".join(pieces) == name


def test_names_that_break_are_escaped() -> None:
    """A name is text, whatever it holds."""
    assert text.with_breaks("<b>.x_y") == "&lt;b&gt;.<wbr>x_<wbr>y"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("ValueError", "ValueError"),
        ("builtins.ValueError", "ValueError"),
        ("loyalty.models.LoyaltyAccount.DoesNotExist", "LoyaltyAccount.DoesNotExist"),
        ("shop.f.<locals>.Mine", "Mine"),
        ("MySQLdb._exceptions.OperationalError", "OperationalError"),
        ("odd.lower", "lower"),
        ("", ""),
    ],
)
def test_exception_names(name: str, short: str) -> None:
    """An exception is called by its class and the class that holds it, without the module."""
    assert text.exception_name(name) == short


def test_an_exception_is_one_line() -> None:
    """A message of several lines is told in one; without a message the name stands alone."""
    assert text.exception_line("builtins.ValueError", "no\n  luck") == "ValueError: no luck"
    assert text.exception_line("builtins.ValueError", "") == "ValueError"


def test_listing_counts_what_it_leaves_out() -> None:
    """Words beyond the limit are counted, never dropped in silence."""
    assert text.listing([]) == ""
    assert text.listing(["a"]) == "a"
    assert text.listing(["a", "b", "c"]) == "a, b and c"
    assert text.listing(["a", "b"], joint="or") == "a or b"
    assert text.listing(["a", "b", "c", "d", "e"], 2) == "a, b and 3 more"


def test_paths_begin_where_python_imports_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is told from the deepest directory of the import path, or from the current one."""
    root = Path.cwd()
    assert text.short_path(__file__) == "tests/display/test_text.py"
    assert text.short_path(pytest.__file__) == "pytest/__init__.py"
    assert text.short_path(asyncio.events.__file__) == "asyncio/events.py"
    assert text.short_path(str(root / "sub" / "new.py")) == "sub/new.py"
    assert text.short_path("/elsewhere/it.py") == "/elsewhere/it.py"
    assert text.short_path("") == ""
    monkeypatch.setattr(sys, "path", [*sys.path, str(root / "sub")])
    assert text.short_path(str(root / "sub" / "new.py")) == "new.py"
    (tmp_path / "link").symlink_to(root / "sub")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "link")])
    assert text.short_path(str(root / "sub" / "new.py")) == "new.py"
    assert text.short_path(str(tmp_path / "link" / "new.py")) == "new.py"


def test_paths_are_whole_where_the_root_is_the_current_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that runs in the root directory says no less than where a file is."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(os, "getcwd", lambda: os.sep)
    assert text.short_path("/srv/shop/a.py") == "/srv/shop/a.py"


def test_a_current_directory_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no current directory any more, the import path is left."""

    def gone() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)
    monkeypatch.setattr(sys, "path", ["/srv/shop"])
    assert text.short_path("/srv/shop/a.py") == "a.py"


def test_places() -> None:
    """A place is a file, the line where it is known, and the function where it is asked for."""
    assert text.place("/elsewhere/it.py", 3) == "/elsewhere/it.py:3"
    assert text.place("/elsewhere/it.py", 3, "f") == "/elsewhere/it.py:3 in f"
    assert text.place("/elsewhere/it.py", 0) == "/elsewhere/it.py"
    assert text.place("", 0) == ""


def test_a_name_cannot_command_a_terminal() -> None:
    """Control characters and those that change the direction are escaped."""
    assert text.printable("é\x1b[31m\u202e\n") == "é\\x1b[31m\\u202e\\n"


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["manage.py", "runserver"], "runserver"),
        (["/srv/shop/manage.py", "--settings", "secret"], "manage.py"),
        (["/usr/bin/gunicorn", "shop.wsgi"], "gunicorn"),
        (["-c"], "python"),
        ([], "python"),
    ],
)
def test_process_names(monkeypatch: pytest.MonkeyPatch, argv: list[str], name: str) -> None:
    """A process is called by its management command, else by its program; no option is told."""
    monkeypatch.setattr(sys, "argv", argv)
    assert text.process_name() == name


def test_a_process_in_words() -> None:
    """Where it runs, its number and its name; a machine is told where there are several."""
    assert text.process("gunicorn", 4127, "web-2") == "web-2, pid 4127, gunicorn"
    assert text.process("runserver", 4127) == "pid 4127, runserver"


@pytest.fixture
def interrupted() -> Iterator[Callable[[], str]]:
    """A function during which a time limit of the application passes."""

    def expired(number: int, frame: object) -> None:
        raise TimeoutError

    def run() -> str:
        signal.raise_signal(signal.SIGUSR1)
        return "web-2"

    before = signal.signal(signal.SIGUSR1, expired)
    yield run
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no SIGUSR1")
def test_a_time_limit_passes_while_the_machine_tells_its_name(
    monkeypatch: pytest.MonkeyPatch, interrupted: Callable[[], str]
) -> None:
    """The time limit is the application's, although it is an OSError as well."""
    monkeypatch.setattr(socket, "gethostname", interrupted)
    with pytest.raises(TimeoutError):
        text.host()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no SIGUSR1")
def test_a_time_limit_passes_while_the_current_directory_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, interrupted: Callable[[], str]
) -> None:
    """The time limit is the application's here too."""
    monkeypatch.setattr(os, "getcwd", interrupted)
    with pytest.raises(TimeoutError):
        text.short_path("/srv/shop/a.py")


def test_a_machine_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of the system leaves the name empty."""

    def nameless() -> str:
        raise OSError

    monkeypatch.setattr(socket, "gethostname", nameless)
    assert text.host() == ""
