"""Several people who press at once: with real threads and processes, on whatever database."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.audit.programs import DEADLINE, Programs, real

pytestmark = [real, pytest.mark.programs]

FAILED = """
def award_points(**kwargs):
    with open(os.environ["RAN"], "a") as ran:
        ran.write("x")
    if os.environ.get("FAILS"):
        raise ValueError("no points")
    time.sleep(0.3)

placed.connect(award_points)

from signal_inspector.audit.operations.retry_conditions import find_call
from signal_inspector.audit.operations.retry import RefusedError, run_again
from signal_inspector.audit.models import AuditedCall

def the_call():
    call = AuditedCall.objects.using("audit").get(exception__isnull=False)
    return find_call(call.dispatch_id, call.index)
"""

FAIL = FAILED + textwrap.dedent(
    """
    placed.send_robust(None, n=1)
    assert flush(60)
    """
)

PRESS = FAILED + textwrap.dedent(
    """
    call = the_call()
    barrier = threading.Barrier(8)
    said = []

    def press():
        barrier.wait()
        try:
            said.append(run_again(call, reason="why", actor="mira").attempt)
        except RefusedError as refused:
            said.append(str(refused))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(said.count(1), sum(str(each).startswith("Nothing was run") for each in said))
    """
)
MEANWHILE = {"RETRY_MINIMUM_AGE": 0}


class TestAtOnce:
    def test_threads(self, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of eight threads one runs the receiver, and the others are told."""
        ran = self._failed(programs, monkeypatch)
        out = programs.run(PRESS, **MEANWHILE)
        assert out.split()[-2:] == ["1", "7"]
        assert ran.read_text() == "x"
        assert programs.query("SELECT attempt, outcome FROM signal_audit_retry") == [(1, 1)]

    def test_processes(self, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
        """So it is with three processes of eight threads."""
        ran = self._failed(programs, monkeypatch)
        processes = [programs.start(PRESS, **MEANWHILE) for _ in range(3)]
        for process in processes:
            _, err = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, err
        assert ran.read_text() == "x"
        assert programs.query("SELECT attempt, outcome FROM signal_audit_retry") == [(1, 1)]

    def test_killed(self, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that is killed while the receiver runs leaves an attempt that has started."""
        ran = self._failed(programs, monkeypatch)
        kill = FAILED + textwrap.dedent(
            """
            placed.disconnect(award_points)

            def award_points(**kwargs):
                os.kill(os.getpid(), signal.SIGKILL)

            placed.connect(award_points)
            run_again(the_call(), reason="why", actor="mira")
            """
        )
        programs.run(kill, -9, **MEANWHILE)
        assert ran.read_text() == ""
        rows = programs.query("SELECT attempt, outcome, reason FROM signal_audit_retry")
        assert rows == [(1, 0, "why")]
        out = programs.run(PRESS, **MEANWHILE)
        assert out.split()[-2:] == ["0", "8"]

    @staticmethod
    def _failed(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Path:
        ran = programs.directory / "ran"
        monkeypatch.setenv("RAN", str(ran))
        monkeypatch.setenv("FAILS", "1")
        programs.run(FAIL)
        monkeypatch.delenv("FAILS")
        ran.write_text("")
        return ran
