"""Start the demo as a newcomer does, order something, look it up in the audit, and stop it again.

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
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
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


class Visitor:
    """Keeps cookies, and sends forms as a browser does."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._cookies = CookieJar()
        keeping = urllib.request.HTTPCookieProcessor(self._cookies)
        self._opener = urllib.request.build_opener(keeping)

    def get(self, path: str) -> str:
        """The text of a page; of one that fails what went wrong."""
        return self._open(urllib.request.Request(self._url + path))

    def post(self, path: str, **form: str) -> str:
        """The text of the page where a form leads to."""
        token = next((each.value for each in self._cookies if each.name == "csrftoken"), "") or ""
        data = urllib.parse.urlencode({**form, "csrfmiddlewaretoken": token}).encode()
        return self._open(urllib.request.Request(self._url + path, data))

    def _open(self, request: urllib.request.Request) -> str:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return str(answer.read().decode())
        except OSError as error:
            return str(error)


def audited(port: int) -> tuple[str, str, str]:
    """Order by the guide; the audit's overview, its list for the order, and a dispatch's page."""
    visitor = Visitor(port)
    visitor.get("/guide/")
    visitor.post("/guide/audit/")
    card = "4242 4242 4242 4242"
    thanks = visitor.post("/checkout/", name="A", address="B", card_number=card, coupon="")
    number = re.search(r"#(\d+)", thanks)
    order = f"shop.Order:{number[1] if number else 0}"
    log = "/admin/signal_audit/auditeddispatch/"
    found = visitor.get(f"{log}?q={order}")
    row = re.search(rf'{log}[0-9a-f-]{{36}}/change/(?=">.*?order_placed)', found)
    page = visitor.get(row[0]) if row else "order_placed is not listed"
    return visitor.get("/admin/signal_audit/"), found, page


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
            overview, found, dispatch = audited(port)
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
        "the audit has an overview": "Signal audit" in overview,
        "the audit finds what an order sent": "order_placed" in found
        and "POST /checkout/" in found,
        "it has the receivers, and the exception of one": "sync_warehouse" in dispatch
        and "LoyaltyAccount.DoesNotExist" in dispatch,
        "the output says where the audit is": f":{port}/admin/signal_audit/" in said,
        "the output says where to look": f":{port}" in said,
        "the output names a user to sign in with": "password" in said.lower(),
    }
    for claim, holds in wanted.items():
        print(f"make {target}: {'ok    ' if holds else 'FAILED'} {claim}")
    return all(wanted.values())


if __name__ == "__main__":
    verdicts = [check(target) for target in sys.argv[1:]]
    sys.exit(not all(verdicts))
