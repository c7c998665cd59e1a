"""Files and lines as the panel shows them: short paths, editor links, frames with their source."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from debug_toolbar import settings as toolbar_settings

from signal_inspector.conf import get_config
from signal_inspector.core.record.values import Caller
from signal_inspector.display import text as shown
from signal_inspector.toolbar.parts import Frame, Place, TextLine

_OWN = ("signal_inspector",)
_FRAME = re.compile(r'^\s*File "(?P<path>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
_REFUSED = ("javascript:", "data:", "vbscript:")


def place(path: str, line: int) -> Place | None:
    """A line of a file; None where the file is not known."""
    if not path:
        return None
    return Place(
        text=shown.place(path, line),
        title=f"{path}:{line}" if line else path,
        href=editor_href(path, line),
    )


def editor_href(path: str, line: int) -> str:
    """The URL that opens a line in the configured editor; "" without one."""
    form = get_config().toolbar.editor_url
    if not form or not Path(path).is_absolute() or form.lstrip().lower().startswith(_REFUSED):
        return ""
    quoted = quote(path.replace("\\", "/"), safe="/:")
    if "/{path}" in form and "//{path}" not in form:
        quoted = quoted.removeprefix("/")  # the form has the slash already
    return form.replace("{path}", quoted).replace("{line}", str(max(line, 1)))


def frame(path: str, line: int, function: str, code: str | None = None) -> Frame:
    """A frame, with the line of source that stands there now unless another is given."""
    directory, separator, file = shown.short_path(path).rpartition("/")
    return Frame(
        directory=directory + separator,
        file=file,
        function=function,
        line=str(line),
        code=linecache.getline(path, line).strip() if code is None else code,
        href=editor_href(path, line),
    )


def stack_frames(stack: Iterable[Caller]) -> tuple[Frame, ...]:
    """A call stack without the modules that the toolbar is told to hide."""
    config = toolbar_settings.get_config()
    if not config["ENABLE_STACKTRACES"]:
        return ()
    hidden = (*config["HIDE_IN_STACKTRACES"], *_OWN)
    modules = _modules()
    return tuple(
        frame(*caller) for caller in stack if not _is_in(modules.get(caller.path, ""), hidden)
    )


def _modules() -> dict[str, str]:
    """The module of each source file that is loaded."""
    found: dict[str, str] = {}
    for module, loaded in list(sys.modules.items()):
        path = getattr(loaded, "__file__", None)
        if isinstance(path, str):
            found.setdefault(path, module)
    return found


def _is_in(module: str, packages: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def traceback_lines(text: str) -> tuple[Frame | TextLine, ...]:
    """A traceback's text as frames, and the lines between them as they are."""
    lines: list[Frame | TextLine] = []
    inside: Frame | None = None  # the frame whose source lines follow
    for line in text.splitlines():
        match = _FRAME.match(line)
        if match:
            inside = frame(match["path"], int(match["line"]), match["function"] or "", code="")
            lines.append(inside)
        elif inside is not None and line.startswith("    "):
            if not inside.code and line.strip(" ~^"):
                # The source as it was when the exception was raised, whatever the file says now.
                inside = lines[-1] = replace(inside, code=line.strip())
        elif line.strip() and line != "Traceback (most recent call last):":
            inside = None
            lines.append(TextLine(text=line.strip(), strong=_names_exception(line)))
    return tuple(lines)


def _names_exception(line: str) -> bool:
    # Only the line that ends a traceback starts at the margin with a dotted class name.
    return re.match(r"[\w.<>]+(:|$)", line) is not None
