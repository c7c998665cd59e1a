"""Files and lines as the panel shows them: short paths, editor links, frames with their source."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from debug_toolbar import settings as toolbar_settings

from signal_inspector.conf import get_config
from signal_inspector.core.record.values import Caller
from signal_inspector.display import text as shown
from signal_inspector.display.parts import Frame, Place, frame

_OWN = ("signal_inspector",)
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


def stack_frames(stack: Iterable[Caller]) -> tuple[Frame, ...]:
    """A call stack without the modules that the toolbar is told to hide."""
    config = toolbar_settings.get_config()
    if not config["ENABLE_STACKTRACES"]:
        return ()
    hidden = (*config["HIDE_IN_STACKTRACES"], *_OWN)
    modules = _modules()
    return tuple(
        frame(*caller, editor_href)
        for caller in stack
        if not _is_in(modules.get(caller.path, ""), hidden)
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
