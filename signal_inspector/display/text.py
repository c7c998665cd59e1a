"""Lists of words, dotted names, exceptions, files, lines and processes as people read them."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import PurePath
from typing import Final, NamedTuple

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Summary
from signal_inspector.display.numbers import integer


class DottedName(NamedTuple):
    """A dotted name: everything up to and including the last dot, and the last part."""

    module: str  # "shop.signals."
    last: str  # "order_placed"

    @property
    def full(self) -> str:
        return self.module + self.last

    @property
    def module_html(self) -> SafeString:
        return with_breaks(self.module)

    @property
    def last_html(self) -> SafeString:
        return with_breaks(self.last)


#: Of names: "shop.", "payment_", "captured", "__init__"; at most 40 letters of a very long word.
_PIECE: Final = re.compile(r"_*[^._]{1,40}_*\.?|[._]{1,40}")


def pieces(name: str) -> list[str]:
    """A name in pieces between which a line may break: after each dot and each underscore."""
    return _PIECE.findall(name)


@lru_cache(maxsize=2_000)
def with_breaks(name: str) -> SafeString:
    """A name as HTML that breaks between its ``pieces``, and not inside a word."""
    return mark_safe("<wbr>".join(map(escape, pieces(name))))  # noqa: S308


def dotted(name: str) -> DottedName:
    """Split a dotted name. Dots after an opening parenthesis or a space do not separate parts."""
    # "shop.f(a.b)" is "shop." and "f(a.b)".
    ends = (place for place in (name.find("("), name.find(" ")) if place >= 0)
    end = min(ends, default=len(name))
    head, dot, last = name[:end].rpartition(".")
    return DottedName(head + dot, last + name[end:])


def last_part(name: str) -> str:
    """The last part of a dotted name."""
    return dotted(name).last


def split_qualified(name: str) -> tuple[str, str]:
    """The qualified name within a module, and the module.

    ``shop.services.Checkout.place`` is ``Checkout.place`` and ``shop.services``.
    """
    place, colon, rest = name.partition(":")  # "shop.services:41 (anonymous)"
    parts = place.split(".")
    start = len(parts) - 1
    if "<locals>" not in parts:
        start = next((at for at, part in enumerate(parts) if at and part[:1].isupper()), start)
    return ".".join(parts[start:]) + colon + rest, ".".join(parts[:start])


def exception_name(name: str) -> str:
    """An exception class without its module: "LoyaltyAccount.DoesNotExist"; "" for ""."""
    parts = name.split(".")
    start = len(parts) - 1
    while start and parts[start - 1][:1].isupper():
        start -= 1
    return ".".join(parts[start:])


def exception_line(name: str, message: str) -> str:
    """An exception in one line: "LoyaltyAccount.DoesNotExist: no account of 7"."""
    short, words = exception_name(name), " ".join(message.split())
    return f"{short}: {words}" if words else short


def listing(words: Iterable[str], limit: int = 0, *, joint: str = "and") -> str:
    """ "a, b and c"; beyond ``limit`` words (0: no limit), the rest is counted: "a and 2 more"."""
    shown = list(words)
    if limit and len(shown) > limit:
        shown[limit:] = [f"{integer(len(shown) - limit)} more"]
    *first, last = shown or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last


def arguments(payload: Mapping[str, Summary]) -> str:
    """The arguments of a send: "order=shop.Order:42, channel='web'"."""
    return ", ".join(f"{key}={summary.text}" for key, summary in payload.items())


def unique(words: Iterable[str]) -> list[str]:
    """The words without repetitions, in the order of first appearance."""
    return list(dict.fromkeys(words))


def short_id(id_text: str) -> str:
    """The start and the end of an id: "01a202bf…9f86"."""
    return f"{id_text[:8]}…{id_text[-4:]}"


def printable(text: str) -> str:
    """The text with escapes for control characters and for those that change its direction."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def short_path(path: str) -> str:
    """A file's path relative to an entry of ``sys.path`` or to the current directory.

    It is relative to the deepest directory that contains the file: ``shop/services.py``, whether
    it is in the project or in ``site-packages``. If no directory does, it is the whole path.
    """
    return _short_path(path, tuple(sys.path))


def place(path: str, line: int, function: str = "") -> str:
    """A line of a file: "shop/receivers.py:18", "… in award_points"; "" without a path."""
    if not path:
        return ""
    at = f"{short_path(path)}:{line}" if line else short_path(path)
    return f"{at} in {function}" if function else at


@lru_cache(maxsize=20_000)
def _short_path(path: str, entries: Sequence[str]) -> str:
    root = next((root for root in _roots(entries, _here()) if path.startswith(root)), "")
    return path[len(root) :].replace(os.sep, "/") if root else path


@lru_cache(maxsize=16)
def _roots(entries: Sequence[str], here: str) -> list[str]:
    """The directories that a path may be relative to, the deepest first."""
    found = {here} if here else set()
    for entry in entries:
        absolute = os.path.join(here, entry)  # noqa: PTH118 - an entry may be anything, also ""
        found |= {absolute, os.path.realpath(absolute)}
    found = {f"{root.rstrip(os.sep)}{os.sep}" for root in found}
    return sorted(found - {os.sep}, key=len, reverse=True)


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text is wanted
    except OSError as error:  # the directory no longer exists
        internal_errors.let_through(error)
        return ""


_MANAGERS: Final = ("manage.py", "django-admin", "django-admin.py", "django-admin.exe")
_PROCESS: Final = 200  # the most characters of a process's name, including host and number


def host() -> str:
    """The name of this machine; "" if it has none."""
    try:
        return socket.gethostname()
    except OSError as error:
        internal_errors.let_through(error)
        return ""


def program() -> tuple[str, list[str]]:
    """The program that this process runs, and its arguments.

    ``python -m module`` is "python -m module", and ``python -m django`` is "django-admin". The
    name is "" for the interpreter's prompt, and for code given with ``python -c``.
    """
    started = [str(each) for each in getattr(sys, "argv", [])]
    if not started or started[0] in ("", "-c", "-m"):
        return "", []
    path = PurePath(started[0])
    if path.name != "__main__.py":
        return path.name, started[1:]
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = getattr(spec, "parent", "") or path.parent.name
    return "django-admin" if module == "django" else f"python -m {module}", started[1:]


def management_command() -> str | None:
    """The management command that this process runs; None if it runs none."""
    return _command_of(*program())


def _command_of(name: str, options: list[str]) -> str | None:
    if name not in _MANAGERS or not options or options[0].startswith("-"):
        return None  # the word after an option may be its value, which may be a secret
    return options[0]


def process_name() -> str:
    """What this process runs: "runserver", "gunicorn"."""
    name, options = program()
    shown = _command_of(name, options) or name.removeprefix("python -m ")
    return (shown or "python")[:100]


def process(name: str, pid: int | str, machine: str = "") -> str:
    """A process: "web-2, pid 4127, gunicorn"; without the machine if none is given."""
    parts = (machine, f"pid {pid}", name)
    return ", ".join(part for part in parts if part)[:_PROCESS]


def near(text: str, names: Iterable[str], number: int = 3) -> list[str]:
    """The names most similar to the text, as a whole or in their last part, best first."""
    by_form: dict[str, list[str]] = {}
    for name in sorted(set(names), key=lambda name: (len(name), name)):
        for form in {name.lower(), name.rpartition(".")[2].lower()}:
            by_form.setdefault(form, []).append(name)
    wanted = {text.lower(): None, text.rpartition(".")[2].lower(): None}
    forms = [form for each in wanted for form in get_close_matches(each, by_form, number)]
    return unique(name for form in forms for name in by_form[form])[:number]


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """ " Did you mean a or b?", to append to a sentence; "" if no name is similar to the text."""
    found = near(text, known)
    return f" Did you mean {listing(map(printable, found), joint='or')}?" if found else ""
