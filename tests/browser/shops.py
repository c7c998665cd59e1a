"""The example shop as a subprocess: on a free port, with a database of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SHOP = ROOT / "example_project"
_PATIENCE = 60  # seconds for a server to answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How a shop runs, and how its toolbar does."""

    asgi: bool = False
    render_panels: bool = False
    shadow_dom: bool = True

    def environment(self) -> dict[str, str]:
        return {
            "SHOP_RENDER_PANELS": str(int(self.render_panels)),
            "SHOP_SHADOW_DOM": str(int(self.shadow_dom)),
        }

    def __str__(self) -> str:
        server = "asgi" if self.asgi else "wsgi"
        panels = "rendered" if self.render_panels else "fetched"
        return f"{server}-{panels}-{'shadow' if self.shadow_dom else 'plain'}"


@dataclass(slots=True)
class Shops:
    """Servers that were started, one for each mode."""

    directory: Path
    _running: dict[Mode, tuple[str, subprocess.Popen[bytes]]] = field(default_factory=dict)

    def url(self, mode: Mode) -> str:
        """The address of the shop in this mode; started when first asked for."""
        if mode not in self._running:
            self._running[mode] = self._start(mode)
        return self._running[mode][0]

    def log(self, mode: Mode) -> str:
        """What the server of this mode has written."""
        return (self.directory / f"{mode}.log").read_text(errors="replace")

    def stop(self) -> None:
        for _, server in self._running.values():
            server.terminate()
        for _, server in self._running.values():
            server.wait(timeout=30)

    def _start(self, mode: Mode) -> tuple[str, subprocess.Popen[bytes]]:
        data = self.directory / str(mode)
        shutil.copytree(self._filled(), data)
        port = _free_port()
        manage = [sys.executable, str(SHOP / "manage.py")]
        command = [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"]
        if mode.asgi:
            uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", str(SHOP)]
            command = [*uvicorn, "--port", str(port), "config.asgi:application"]
        with (self.directory / f"{mode}.log").open("wb") as log:
            server = subprocess.Popen(
                command,
                env=environment(data) | mode.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(f"{url}/guide/", server)
        except Exception:
            server.kill()
            server.wait(timeout=30)
            raise
        return url, server

    def _filled(self) -> Path:
        """A migrated and filled database, made once and copied for each server."""
        data = self.directory / "filled"
        if not data.exists():
            data.mkdir()
            for command in (["migrate", "--verbosity", "0"], ["demo_data"]):
                subprocess.run(
                    [sys.executable, str(SHOP / "manage.py"), *command],
                    env=environment(data),
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
        return data


def environment(data: Path) -> dict[str, str]:
    """What commands and servers of the shop run in, with their data in this directory."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHOP_")}
    # Set for this test run, and not for the shop.
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept | {"SHOP_DATA_DIR": str(data), "PYTHONPATH": path}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        if server.poll() is not None:
            raise RuntimeError(f"the shop ended with {server.returncode} before it answered")
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
