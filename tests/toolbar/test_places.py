"""Paths, editor links, stacks and tracebacks."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from signal_inspector.conf import forget_config
from signal_inspector.core.record.values import Caller
from signal_inspector.toolbar import cells

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
    assert cells.editor_href(path, 7) == href


def test_place_without_a_file_is_none() -> None:
    """A receiver without a source file has no place."""
    assert cells.place("", 0) is None
    known = cells.place("/nowhere/else.py", 0)
    assert known is not None
    assert known.text == "/nowhere/else.py"


def test_stack_hides_what_the_toolbar_hides(settings: Settings) -> None:
    """Frames of modules in HIDE_IN_STACKTRACES, and of the inspector, are not shown."""
    import json.decoder as hidden

    settings.DEBUG_TOOLBAR_CONFIG = {"HIDE_IN_STACKTRACES": ["json"], "IS_RUNNING_TESTS": False}
    stack = [
        Caller(HERE, 1, "here"),
        Caller(hidden.__file__, 1, "decode"),
        Caller(cells.__file__, 1, "x"),
    ]
    frames = cells.stack_frames(stack)
    assert [frame.function for frame in frames] == ["here"]
    assert frames[0].code.startswith('"""Paths, editor links')


def test_no_stack_where_the_toolbar_wants_none(settings: Settings) -> None:
    """ENABLE_STACKTRACES=False shows none, though one was recorded."""
    settings.DEBUG_TOOLBAR_CONFIG = {"ENABLE_STACKTRACES": False, "IS_RUNNING_TESTS": False}
    assert cells.stack_frames([Caller(HERE, 1, "here")]) == ()
