"""What a process was started as: a management command, a shell, or something else."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Final

from signal_inspector.audit.choices import Origin
from signal_inspector.audit.cleaning import clean

_MANAGERS: Final = ("manage.py", "django-admin", "django-admin.py", "django-admin.exe")
_SHELLS: Final = ("shell", "shell_plus", "dbshell")
_INTERPRETERS: Final = ("ipython", "ipython3", "bpython", "ptpython")
_NAME_LENGTH: Final = 500


def process_origin() -> tuple[Origin, str]:
    """The origin of code that runs in no request and no task, and what it is called."""
    program, arguments = _program()
    command = _command(program, arguments)
    if command is not None:
        name = clean(f"{program} {command}", _NAME_LENGTH)
        return (Origin.SHELL if command in _SHELLS else Origin.COMMAND), name
    if hasattr(sys, "ps1") or sys.flags.interactive or program in _INTERPRETERS:
        return Origin.SHELL, clean(program or "python", _NAME_LENGTH)
    return Origin.OTHER, clean(program, _NAME_LENGTH)


def _program() -> tuple[str, list[str]]:
    """The name of what was started, and its arguments; ``python -m module`` goes by its module."""
    if not sys.argv or sys.argv[0] in ("", "-c", "-m"):
        return "", []
    path = PurePath(sys.argv[0])
    if path.name == "__main__.py":
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        module = getattr(spec, "parent", "") or path.parent.name
        name = "django-admin" if module == "django" else f"python -m {module}"
        return name, sys.argv[1:]
    return path.name, sys.argv[1:]


def _command(program: str, arguments: list[str]) -> str | None:
    """The management command that the process runs, if it runs one."""
    if program not in _MANAGERS or not arguments or arguments[0].startswith("-"):
        return None  # what follows an option may be its value, and a secret
    return arguments[0]
