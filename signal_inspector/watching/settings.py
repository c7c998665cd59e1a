"""``SIGNAL_INSPECTOR["WATCH"]``."""

from __future__ import annotations

from dataclasses import dataclass

from signal_inspector.conf import get_config, register_section


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where watchers and the processes that they watch meet."""

    #: A directory of the user that runs both, with mode 0700; "": one in the system's directory
    #: for temporary files, which is made when it is first needed.
    directory: str = ""


register_section("WATCH", Watch)


def get_settings() -> Watch:
    """The settings as they are now."""
    return get_config().room(Watch)
