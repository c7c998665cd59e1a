"""Real servers and workers for the tests, and the spans that they leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60  # seconds until something that hangs is a failure

#: A span's name, and the outlines of its children, sorted.
Outline: TypeAlias = "tuple[str, tuple[Outline, ...]]"

SIGNALS = "tests.tracing.project.signals"
WORK: Outline = ("work", ())


def counted(method: str) -> Outline:
    """What sending ``counted`` by this method leaves behind."""
    return (f"{method} {SIGNALS}.counted", ((f"receive {SIGNALS}.count", (WORK,)),))


#: What sending ``placed`` leaves behind.
PLACED: Outline = (
    f"send_robust {SIGNALS}.placed",
    (
        (f"receive {SIGNALS}.refuse", (WORK,)),
        (f"receive {SIGNALS}.reserve", (("work", (counted("send"),)),)),
    ),
)

#: What sending ``shipped`` leaves behind.
SHIPPED: Outline = (
    f"asend_robust {SIGNALS}.shipped",
    (
        (f"receive {SIGNALS}.announce", (("work", (counted("asend"),)),)),
        (f"receive {SIGNALS}.follow_up", (WORK,)),
        (f"receive {SIGNALS}.weigh", (WORK,)),
    ),
)


@dataclass(eq=False)
class Span:
    name: str
    trace: int
    id: int
    parent: int | None
    attributes: dict[str, Any]
    status: str
    pid: int = 0  # of the process that wrote it, where that is known
    instance: str = ""  # what the SDK calls that process
    children: list[Span] = field(default_factory=list)

    def outline(self) -> Outline:
        return self.name, tuple(sorted(child.outline() for child in self.children))

    def walk(self) -> Iterator[Span]:
        yield self
        for child in self.children:
            yield from child.walk()

    def tokens(self) -> set[str]:
        """What the code below this span said it worked on."""
        return {span.attributes["token"] for span in self.walk() if "token" in span.attributes}


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Spans go into the directory, and not before the process ends: what is lost shows."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")},
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.tracing.project.settings",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "SPANS_IN": str(directory),
        **more,
    }


@contextmanager
def running(arguments: Iterable[str], env: dict[str, str], **more: Any) -> Iterator[Any]:
    """A process of this Python; at the end SIGTERM, and it has to end by itself."""
    log = Path(env["SPANS_IN"], "log.txt")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=env, stdout=output, stderr=output, **more
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    except BaseException as error:
        error.add_note(log.read_text())
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def serving(arguments: Iterable[str], env: dict[str, str]) -> Iterator[str]:
    """A web server; "{fd}" in its arguments is the socket it is to listen on. Gives its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        fd, port = listening.fileno(), listening.getsockname()[1]
        filled = [argument.format(fd=fd) for argument in arguments]
        with running(filled, env, pass_fds=[fd]):
            listening.close()  # whoever connects waits for the server, or is refused if it died
            yield f"http://127.0.0.1:{port}"


def ask(urls: Iterable[str]) -> list[int]:
    """Ask for all of them, eight at a time; the processes that answered."""

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def one(url: str) -> int:
        with opener.open(url, timeout=PATIENCE) as answer:
            return int(answer.read())

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, urls))


def spans_in(directory: Path) -> list[Span]:
    """Every span that the processes have written, each with its children."""
    return linked(
        [
            Span(**json.loads(line), pid=int(path.stem))
            for path in directory.glob("*.jsonl")
            for line in path.read_text().splitlines()
        ]
    )


def linked(spans: list[Span]) -> list[Span]:
    """The spans with their children. Fails if one came twice, or without its parent."""
    by_id = {(span.trace, span.id): span for span in spans}
    assert len(by_id) == len(spans), "a span has arrived twice"
    for span in spans:
        if span.parent is not None:
            by_id[span.trace, span.parent].children.append(span)
    return spans


def roots(spans: Iterable[Span]) -> list[Span]:
    return [span for span in spans if span.parent is None]
