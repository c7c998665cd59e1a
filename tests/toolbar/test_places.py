"""Paths, editor links, stacks and tracebacks."""

from __future__ import annotations

import traceback

import pytest
from pytest_django import Settings

from signal_inspector.conf import forget_config
from signal_inspector.core.record.values import Caller
from signal_inspector.toolbar import places
from signal_inspector.toolbar.parts import Frame, TextLine

HERE = __file__


@pytest.mark.parametrize(
    ("form", "path", "href"),
    [
        ("vscode://file/{path}:{line}", "/srv/a b/c.py", "vscode://file/srv/a%20b/c.py:7"),
        ("vscode://file/{path}:{line}", "C:\\shop\\a.py", ""),
        (
            "idea://open?file={path}&line={line}",
            "/srv/a&b.py",
            "idea://open?file=/srv/a%26b.py&line=7",
        ),
        (
            "txmt://open?url=file://{path}&line={line}",
            "/srv/a.py",
            "txmt://open?url=file:///srv/a.py&line=7",
        ),
        ("vscode://file/{path}:{line}", "<string>", ""),
        ("javascript:alert({line})//{path}", "/srv/a.py", ""),
        ("", "/srv/a.py", ""),
    ],
)
def test_editor_links(settings: Settings, form: str, path: str, href: str) -> None:
    """A path is quoted into the configured form, and only absolute paths make a link."""
    settings.SIGNAL_INSPECTOR = {"TOOLBAR": {"EDITOR_URL": form}}
    forget_config()
    assert places.editor_href(path, 7) == href


def test_place_without_a_file_is_none() -> None:
    """A receiver without a source file has no place."""
    assert places.place("", 0) is None
    known = places.place("/nowhere/else.py", 0)
    assert known is not None
    assert known.text == "/nowhere/else.py"


def test_stack_hides_what_the_toolbar_hides(settings: Settings) -> None:
    """Frames of modules in HIDE_IN_STACKTRACES, and of the inspector, are not shown."""
    import json.decoder as hidden

    settings.DEBUG_TOOLBAR_CONFIG = {"HIDE_IN_STACKTRACES": ["json"], "IS_RUNNING_TESTS": False}
    stack = [
        Caller(HERE, 1, "here"),
        Caller(hidden.__file__, 1, "decode"),
        Caller(places.__file__, 1, "x"),
    ]
    frames = places.stack_frames(stack)
    assert [frame.function for frame in frames] == ["here"]
    assert frames[0].code.startswith('"""Paths, editor links')


def test_no_stack_where_the_toolbar_wants_none(settings: Settings) -> None:
    """ENABLE_STACKTRACES=False shows none, though one was recorded."""
    settings.DEBUG_TOOLBAR_CONFIG = {"ENABLE_STACKTRACES": False, "IS_RUNNING_TESTS": False}
    assert places.stack_frames([Caller(HERE, 1, "here")]) == ()


def _fail() -> None:
    raise LookupError("no such order")


def test_traceback_becomes_frames() -> None:
    """A real traceback is read as frames with their source, and its last line is strong."""
    try:
        _fail()
    except LookupError:
        lines = places.traceback_lines(traceback.format_exc())
    frames = [line for line in lines if isinstance(line, Frame)]
    assert [frame.function for frame in frames] == ["test_traceback_becomes_frames", "_fail"]
    assert frames[1].code == 'raise LookupError("no such order")'
    assert lines[-1] == TextLine(text="LookupError: no such order", strong=True)


def test_chained_traceback_keeps_the_words_between() -> None:
    """What joins two exceptions stays between their frames."""
    try:
        try:
            _fail()
        except LookupError as error:
            raise ValueError("order") from error
    except ValueError:
        lines = places.traceback_lines(traceback.format_exc())
    texts = [line.text for line in lines if isinstance(line, TextLine)]
    assert texts == [
        "LookupError: no such order",
        "The above exception was the direct cause of the following exception:",
        "ValueError: order",
    ]
    assert [line.strong for line in lines if isinstance(line, TextLine)] == [True, False, True]


def test_text_that_is_no_traceback_stays_text() -> None:
    """Anything else is shown as it is."""
    assert places.traceback_lines("cut\n\nhere") == (
        TextLine(text="cut", strong=True),
        TextLine(text="here", strong=True),
    )
