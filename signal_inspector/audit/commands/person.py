"""Who runs a command: not a user of the application, so the login name on the machine is told."""

from __future__ import annotations

import getpass

from signal_inspector.audit.attribution import processes


def person() -> tuple[str, str]:
    """Actor and label for an ``Act``: "" and ``deploy on web-2``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number without a name, in a container
        name = "somebody"
    return "", f"{name} on {processes.host()}"
