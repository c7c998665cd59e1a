"""Under gunicorn: every dispatch arrives once, below the request that sent it."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.tracing.processes import (
    PLACED,
    Outline,
    ask,
    counted,
    environment,
    roots,
    serving,
    spans_in,
)

pytestmark = pytest.mark.programs

REQUEST: Outline = ("GET place/<token>", (PLACED,))
WORKERS = 3


def gunicorn(*options: str) -> list[str]:
    bound = ("--bind", "fd://{fd}", "--log-level", "warning")
    return ["-m", "gunicorn", *bound, *options, "tests.tracing.project.wsgi"]


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
@pytest.mark.parametrize("threads", ["1", "4"])
def test_each_dispatch_arrives_once_below_its_own_request(
    preload: tuple[str, ...], threads: str, tmp_path: Path
) -> None:
    """With several workers, with threads and with --preload, nothing is lost, nothing mixed.

    No post_fork hook is needed, nor a flush: gunicorn's workers leave through the interpreter.
    """
    arguments = gunicorn("--workers", str(WORKERS), "--threads", threads, *preload)
    served: dict[str, int] = {}
    tokens = map(str, count())
    with serving(arguments, environment(tmp_path)) as url:
        while len(set(served.values())) < WORKERS:  # until each of them has taken part
            batch = [next(tokens) for _ in range(24)]
            answers = ask(f"{url}/place/{token}" for token in batch)
            served.update(zip(batch, answers, strict=True))

    requests = roots(spans_in(tmp_path))
    assert {request.attributes["url.path"]: request.pid for request in requests} == {
        f"/place/{token}": pid for token, pid in served.items()
    }
    assert len(requests) == len(served)
    for request in requests:
        assert request.outline() == REQUEST
        assert request.tokens() == {request.attributes["url.path"].removeprefix("/place/")}
        assert {span.pid for span in request.walk()} == {request.pid}
    assert len({request.instance for request in requests}) == WORKERS  # else metrics would clash


def test_what_was_sent_before_the_fork_arrives_once(tmp_path: Path) -> None:
    """With --preload, the master's span is not repeated by the workers that inherit its queue."""
    arguments = gunicorn("--workers", "2", "--preload")
    with serving(arguments, environment(tmp_path, SEND_AT_IMPORT="yes")) as url:
        pids = ask([f"{url}/place/1"])

    [imported] = [root for root in roots(spans_in(tmp_path)) if root.tokens() == {"import"}]
    assert imported.outline() == counted("send")
    assert imported.pid not in pids


def test_a_worker_that_is_replaced_loses_nothing(tmp_path: Path) -> None:
    """Workers that end after a number of requests (--max-requests) flush too."""
    arguments = gunicorn("--workers", "1", "--max-requests", "3")
    with serving(arguments, environment(tmp_path)) as url:
        pids = {ask([f"{url}/place/{token}"])[0] for token in range(7)}

    assert len(pids) > 1
    requests = roots(spans_in(tmp_path))
    assert [request.outline() for request in requests] == [REQUEST] * 7
