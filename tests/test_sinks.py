"""Which sinks can be loaded, and what is said of those that cannot."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from signal_inspector.core.listening.sinks import Sink, load_sinks


class Quiet(Sink):
    """A sink that can be used."""


class Picky(Sink):
    """A sink that cannot be made without arguments."""

    def __init__(self, url: str) -> None:
        self.url = url


class NoSink:
    """Not a sink."""


quiet = Quiet()


BROKEN_SINKS = [
    ("Sink", "cannot be imported: ImportError: Sink doesn't look like a module path"),
    (
        "no.such.Sink",
        "cannot be imported: ModuleNotFoundError: No module named 'no'",
    ),
    (f"{__name__}.Gone", "cannot be imported: ImportError: "),
    (f"{__name__}.NoSink", "is not a subclass of signal_inspector.Sink."),
    (f"{__name__}.quiet", "is not a subclass of signal_inspector.Sink."),
]


@pytest.mark.parametrize(("path", "cause"), BROKEN_SINKS)
def test_a_sink_that_cannot_be_used(path: str, cause: str) -> None:
    """The error names the setting, the path and the cause."""
    sentence = f'SIGNAL_INSPECTOR["SINKS"]: {path!r} {cause}'
    paths = [f"{__name__}.Quiet", path]
    with pytest.raises(ImproperlyConfigured) as raised:
        load_sinks(paths)
    assert str(raised.value).startswith(sentence)


def test_a_sink_whose_module_fails(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its module raises, the sentence tells it and the cause is chained."""
    (tmp_path / "failing_sinks.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ImproperlyConfigured, match="ZeroDivisionError: division by zero"
    ) as raised:
        load_sinks(["failing_sinks.Sink"])
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_sink_that_wants_arguments() -> None:
    """A sink that cannot be made is refused with its name and the cause."""
    with pytest.raises(
        ImproperlyConfigured,
        match=r"'tests.test_sinks.Picky' could not be made without arguments: TypeError: .*'url'",
    ):
        load_sinks([f"{__name__}.Picky"])


def test_sinks_are_made_in_order() -> None:
    """One instance of each class, in the order of the setting."""
    first, second = load_sinks([f"{__name__}.Quiet", "signal_inspector.core.listening.sinks.Sink"])
    assert type(first) is Quiet
    assert type(second) is Sink
    assert load_sinks([]) == []
