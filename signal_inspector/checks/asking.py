"""Which command wants the checks: they are run by many that have no use for advice."""

from __future__ import annotations

import sys
from types import FrameType

from django.core.management.base import BaseCommand

_ENTRIES = (BaseCommand.execute.__code__, BaseCommand.check.__code__)


def asking_command() -> str | None:
    """The name of the outermost management command that is running here; None for no command.

    The outermost, because ``manage.py test`` calls ``check``. Found on the stack: ``sys.argv``
    knows nothing of ``call_command()``, nor of the programs that are not called manage.py.
    Under the autoreloader runserver checks in a thread of its own, from ``check()`` on.
    """
    command: object = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code in _ENTRIES:
            command = frame.f_locals.get("self", command)
        frame = frame.f_back
    return None if command is None else type(command).__module__.rpartition(".")[2]
