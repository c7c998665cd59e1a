"""In worker processes, and what they have to do so that nothing is lost at their end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tracing import document
from tests.tracing.processes import (
    PATIENCE,
    PLACED,
    ROOT,
    Span,
    environment,
    roots,
    running,
    spans_in,
)

pytestmark = pytest.mark.programs

TOKENS = {str(number) for number in range(12)}


def token_of(root: Span) -> str:
    [token] = root.tokens()
    return token


def pool(tmp_path: Path, *arguments: str) -> list[Span]:
    subprocess.run(
        [sys.executable, "-m", "tests.tracing.project.pool", *arguments],
        cwd=ROOT,
        env=environment(tmp_path),
        check=True,
        timeout=PATIENCE,
    )
    return roots(spans_in(tmp_path))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_that_flushes_after_each_job_loses_nothing(method: str, tmp_path: Path) -> None:
    """Jobs of forked and of spawned processes arrive once each, unmixed."""
    jobs = pool(tmp_path, method, "flush")

    assert sorted(map(token_of, jobs)) == sorted({*TOKENS, "parent"})
    assert {job.outline() for job in jobs} == {("job", (PLACED,))}


def test_a_pool_that_does_not_flush_loses_what_its_processes_sent(tmp_path: Path) -> None:
    """Unlike their parent, processes of multiprocessing skip the interpreter's exit functions."""
    assert [token_of(job) for job in pool(tmp_path, "fork", "leave")] == ["parent"]


def test_a_process_that_a_receiver_forks_stays_below_it(tmp_path: Path) -> None:
    """It inherits the context of the receiver; the parent's own spans end once."""
    job = ("job", (PLACED,))

    [root] = pool(tmp_path, "receiver", "flush")
    assert root.outline() == ("send __main__.handed_over", (("receive __main__.fork", (job,)),))


def celery(directory: Path, env: dict[str, str]) -> list[Span]:
    """Let a Celery worker with two processes do a task for each token, and end it."""
    (directory / "shop").mkdir(parents=True)
    [example] = document.examples("shop/celery.py")
    (directory / "shop" / "celery.py").write_text(example)
    (directory / "shop" / "telemetry.py").write_text(
        "from opentelemetry import trace\n"
        "from tests.tracing.project.telemetry import set_up as start\n"
        "def stop():\n"
        "    trace.get_tracer_provider().shutdown()\n"
    )
    settings = environment(directory, PYTHONPATH=f"{directory}{os.pathsep}{ROOT}", **env)
    application = "tests.tracing.project.tasks"
    ask = f"from {application} import place\nfor token in {TOKENS!r}: place.delay(token)"
    subprocess.run([sys.executable, "-c", ask], cwd=ROOT, env=settings, check=True)
    options = ["--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    with running(["-m", "celery", "-A", application, "worker", *options], settings) as worker:
        deadline = time.monotonic() + PATIENCE
        while {path.stem for path in directory.glob("*.done")} != TOKENS:
            assert worker.poll() is None, "the worker has died"
            assert time.monotonic() < deadline, "the worker does not work"
            time.sleep(0.05)
    return roots(spans_in(directory))


@pytest.fixture(scope="module")
def celery_tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Span]]:
    """Three Celery workers, each set up in another way: side by side, as they take long to end."""
    ways = {
        "document": {"SET_UP": "document"},
        "parent": {"SET_UP": "parent", "FLUSH": "yes"},
        "no flush": {"SET_UP": "each"},
    }
    place = tmp_path_factory.mktemp("celery")
    with ThreadPoolExecutor() as pool:
        futures = {way: pool.submit(celery, place / way, env) for way, env in ways.items()}
        return {way: future.result() for way, future in futures.items()}


@pytest.mark.parametrize("way", ["document", "parent"])
def test_a_celery_worker_that_flushes_at_exit_loses_nothing(
    way: str, celery_tasks: dict[str, list[Span]]
) -> None:
    """The document's set-up in each process will do, and so will one from before the fork."""
    tasks = celery_tasks[way]

    assert sorted(map(token_of, tasks)) == sorted(TOKENS)
    assert {task.outline() for task in tasks} == {("task", (PLACED,))}


def test_a_celery_worker_that_does_not_flush_loses_spans(
    celery_tasks: dict[str, list[Span]],
) -> None:
    """The processes of its pool skip the interpreter's exit functions."""
    assert celery_tasks["no flush"] == []
