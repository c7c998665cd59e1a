"""Where watchers and the processes that they watch meet: a directory, or a port.

Anyone who can write to the directory could have a server's dispatches sent to themselves. So it
must belong to the user of this process, with no permissions for others, or it is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signal_inspector.conf import get_config, register_section

#: Suffixes of what a watcher puts there: a socket, or a file that says where it listens.
SOCKET: Final = ".sock"
ADDRESS: Final = ".tcp"

#: The most watchers that one process sends to.
MOST_WATCHERS: Final = 8

_HAS_OWNERS: Final = hasattr(os, "getuid")  # Python does not report owners on Windows
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where watchers and the processes that they watch meet."""

    #: A directory of the user that runs both, with mode 0700. "" is a directory in the system's
    #: directory for temporary files, which is made when it is first needed.
    directory: str = ""


register_section("WATCH", Watch)


def get_settings() -> Watch:
    """The settings as they are now."""
    return get_config().room(Watch)


class RefusedError(Exception):
    """A directory or file is not private to the user of this process; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the watchers of this project are found."""

    home: Path  # the directory for all projects of this user
    project: Path  # the directory for this project

    def prepare(self) -> None:
        """Make both directories if they are missing. Raises RefusedError or OSError."""
        for directory in (self.home, self.project):
            directory.mkdir(mode=0o700, parents=directory is self.home, exist_ok=True)
            require_private(directory, stat.S_ISDIR, "a directory")

    def watchers(self) -> list[Path]:
        """What watchers have put here. Raises RefusedError if other users may write here too."""
        try:
            names = os.listdir(self.project)  # noqa: PTH208 - asked every second: nothing slower
        except (FileNotFoundError, NotADirectoryError):
            return []
        for directory in (self.home, self.project):
            require_private(directory, stat.S_ISDIR, "a directory")
        found = [name for name in names if _is_watcher(name)]
        return [self.project / name for name in sorted(found)[:MOST_WATCHERS]]


def place() -> Place:
    """The place of this project, given by the user and by the module and file of its settings."""
    home = Path(get_settings().directory or _home())
    return Place(home, home / _key())


def _is_watcher(name: str) -> bool:
    return not name.startswith(".") and name.endswith((SOCKET, ADDRESS))


def require_private(path: Path, is_kind: object, kind: str) -> None:
    """Raise RefusedError unless the path is of this kind and belongs only to this user."""
    found = path.lstat()
    if not callable(is_kind) or not is_kind(found.st_mode):
        raise RefusedError(f"{path} is not {kind}.")
    if not _HAS_OWNERS:
        return
    if found.st_uid != os.getuid():
        raise RefusedError(f"{path} belongs to user {found.st_uid}, not to {os.getuid()}.")
    # The mode of a socket has no meaning on some systems: its directory's mode counts.
    if not stat.S_ISSOCK(found.st_mode) and found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise RefusedError(f"{path} is open to others (mode {mode:04o}): nobody else may use it.")


def _home() -> Path:
    """The default directory: in /tmp if possible, not in XDG_RUNTIME_DIR or TMPDIR.

    These variables differ in a server that another program has started.
    """
    if not _HAS_OWNERS:
        return Path(tempfile.gettempdir(), "signal-inspector")
    shared = Path("/tmp")  # noqa: S108 - what is made in it is private, and checked to be
    parent = shared if shared.is_dir() else Path(tempfile.gettempdir())
    return parent / f"signal-inspector-{os.getuid()}"


def _key() -> str:
    """A key that is the same for all processes that run this project from this directory."""
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    path = getattr(sys.modules.get(module), "__file__", None) or str(Path.cwd())
    words = f"{module}\0{os.path.realpath(path)}"
    return hashlib.sha256(words.encode(errors="surrogatepass")).hexdigest()[:16]


def project_words() -> str:
    """The name of the project, to show to a person."""
    return os.environ.get("DJANGO_SETTINGS_MODULE", "") or str(Path.cwd())
