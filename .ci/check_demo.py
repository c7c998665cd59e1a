"""Start the demo as a newcomer does, ask for its front page, and stop it again.

Usage: check_demo.py TARGET ...   with the make targets to start: demo, demo-asgi.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300  # seconds, with the installation of a fresh environment in them


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def front_page(port: int, process: subprocess.Popen[bytes]) -> str | None:
    """The first page that the demo answers; None when it ends or never answers."""
    url = f"http://127.0.0.1:{port}/"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return f"status {error.code}"
        except OSError:
            time.sleep(0.5)
    return None


def trace_page(port: int) -> str:
    """The page of the newest trace: that of the front page, which was just asked for."""
    url = f"http://127.0.0.1:{port}"
    try:
        with urllib.request.urlopen(f"{url}/traces/", timeout=30) as answer:
            found = re.search(r"/traces/[0-9a-f]{32}/", answer.read().decode())
        if found is None:
            return "no trace is listed"
        with urllib.request.urlopen(url + found[0], timeout=30) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return str(error)


def check(target: str) -> bool:
    port = free_port()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["make", "--no-print-directory", target, f"DEMO_PORT={port}"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that make, the server and its reloader end together
        )
        try:
            page = front_page(port, process)
            trace = trace_page(port)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)
        output.seek(0)
        said = output.read().decode(errors="replace")
    print(said)
    wanted = {
        "the front page answers with HTML": page is not None and "<html" in page,
        "the debug toolbar is on it": page is not None and "djDebug" in page,
        "a request has a trace, with its statements": "shop_product" in trace,
        "the output says where traces are": f":{port}/traces/" in said and ".jsonl" in said,
        "the output says where to look": f":{port}" in said,
        "the output names a user to sign in with": "password" in said.lower(),
    }
    for claim, holds in wanted.items():
        print(f"make {target}: {'ok    ' if holds else 'FAILED'} {claim}")
    return all(wanted.values())


if __name__ == "__main__":
    verdicts = [check(target) for target in sys.argv[1:]]
    sys.exit(not all(verdicts))
