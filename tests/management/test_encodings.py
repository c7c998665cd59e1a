"""Names that the encoding of the output lacks, in every subcommand that writes names."""

from __future__ import annotations

from io import BytesIO, StringIO, TextIOWrapper

import pytest
from django.core.management import CommandError, call_command
from django.dispatch import Signal

from tests.audit.management.made import made, put
from tests.catalog.made import module

SOURCE = """
from django.dispatch import Signal
payée = Signal()
def reçue(**kwargs): pass
payée.connect(reçue)
"""


@pytest.fixture(autouse=True)
def signal(monkeypatch: pytest.MonkeyPatch) -> Signal:
    """``boutique.payée``, which ``boutique.reçue`` receives."""
    signal = module(monkeypatch, "boutique", SOURCE).payée
    assert isinstance(signal, Signal)
    return signal


def written(*command: str, encoding: str = "ascii", errors: str = "strict") -> str:
    """What a command writes to an output of this encoding."""
    out = TextIOWrapper(BytesIO(), encoding=encoding, errors=errors)
    call_command(*command, stdout=out, stderr=StringIO())
    out.seek(0)
    return out.read()


@pytest.mark.parametrize(
    "command",
    [
        ("list", "--bare", "--signal", "payée"),
        ("explain", "--bare", "payée"),
        ("explain", "--bare", "reçue"),
    ],
    ids=" ".join,
)
def test_what_is_read_by_a_person_is_escaped(command: tuple[str, ...]) -> None:
    """The rest of the text is as ever."""
    whole = written("signals", *command, encoding="utf-8")
    assert "boutique.payée" in whole
    assert written("signals", *command) == _escaped(whole)
    # As with LC_ALL=C, where Python takes what it reads in bytes for letters and back.
    assert written("signals", *command, errors="surrogateescape") == _escaped(whole)


@pytest.mark.django_db
@pytest.mark.parametrize("command", [("stats",), ("tail", "--no-follow")], ids=" ".join)
def test_so_is_what_the_audit_says(command: tuple[str, ...]) -> None:
    """Of the log too."""
    put(made(signal="boutique.payée"))
    assert r"boutique.pay\xe9e" in written("signal_audit", *command)


@pytest.mark.parametrize(
    "command",
    [
        *(
            ("graph", "--bare", "--format", form)
            for form in ("mermaid", "dot", "svg", "html", "json")
        ),
        ("snapshot", "--bare", "--third-party"),
    ],
    ids=" ".join,
)
def test_what_is_kept_in_a_file_is_never_another_text(command: tuple[str, ...]) -> None:
    """An escaped name would be another name there: the error says which option writes UTF-8."""
    for errors in ("strict", "surrogateescape"):
        with pytest.raises(CommandError, match="--output FILE writes UTF-8"):
            written("signals", *command, errors=errors)


def test_an_encoding_that_has_the_names_changes_nothing() -> None:
    """Latin-1 has these letters."""
    assert "boutique.payée" in written("signals", "list", "--bare", encoding="latin-1")


def test_who_has_chosen_what_becomes_of_such_letters_gets_it() -> None:
    """``PYTHONIOENCODING=ascii:replace`` holds."""
    assert "boutique.pay?e" in written("signals", "list", "--bare", errors="replace")


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
