"""What becomes of dispatches when processes fork, end and are killed: with real ones."""

from __future__ import annotations

import signal
import sys
import textwrap
from urllib.request import urlopen

import pytest

from signal_inspector.audit.models import GapReason
from tests.audit.programs import Programs, real

pytestmark = [real, pytest.mark.programs]

#: So long that nothing is written before the end of the process.
LATE = {"DELIVERY": "buffered", "FLUSH_SECONDS": 600}

#: Makes a queue of which nothing is written: the first flush ends the idle time.
QUEUED = """
place(1)
assert flush(60)
place(100, start=1)
announced()
"""


class TestAnEndInOrder:
    @pytest.mark.parametrize(
        ("end", "status"),
        [
            ("", 0),
            ("sys.exit(3)", 3),
            ("raise ValueError", 1),
            ("threading.Thread(target=place, args=(1, 101)).start()", 0),
        ],
    )
    def test_writes_what_waits(self, programs: Programs, end: str, status: int) -> None:
        """A process that ends in order, by whichever exit, writes its queue."""
        programs.run(QUEUED + end, status, **LATE)
        more = 1 if "Thread" in end else 0
        assert programs.numbers() == list(range(101 + more))
        assert programs.gaps() == []

    def test_says_goodbye(self, programs: Programs) -> None:
        """Its row among the writers tells how many it wrote, and that it has stopped."""
        programs.run("place(5)", DELIVERY="buffered")
        [(waiting, written, stopped)] = programs.query(
            "SELECT waiting, written, stopped_at FROM signal_audit_writer"
        )
        assert (waiting, written, stopped is not None) == (0, 5, True)

    def test_before_the_thread_could_start(self, programs: Programs) -> None:
        """What is sent from atexit, when no thread can be started any more, is written."""
        programs.run("import atexit; atexit.register(place, 3)", DELIVERY="buffered")
        assert programs.count() == 3

    def test_an_open_transaction(self, programs: Programs) -> None:
        """What was sent in a transaction that the process never ended is of an unknown end."""
        programs.run(
            """
            transaction.atomic("audit").__enter__()
            place(1)
            """,
            **LATE,
        )
        assert programs.query("SELECT transaction_outcome FROM signal_audit_dispatch") == [(0,)]

    def test_a_process_that_sends_nothing(self, programs: Programs) -> None:
        """A process that sends nothing starts no thread and writes no row."""
        out = programs.run("process.get(); print(threading.active_count())", DELIVERY="buffered")
        assert out.strip() == "1"
        assert programs.query("SELECT count(*) FROM signal_audit_writer") == [(0,)]

    def test_a_flush_before_os_exit(self, programs: Programs) -> None:
        """A program that ends by os._exit() loses nothing if it calls flush() before."""
        programs.run("place(100); assert flush(60); os._exit(0)", **LATE)
        assert programs.count() == 100


class TestSigterm:
    def test_in_a_command_of_ours(self, programs: Programs) -> None:
        """Our commands end in order on SIGTERM: nothing is lost."""
        code = """
        from signal_inspector.audit.attribution.processes import ending_in_order
        with ending_in_order():
            place(100)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        """
        programs.run(code, 143, **LATE)
        assert programs.count() == 100

    def test_anothers_handler_stays(self, programs: Programs) -> None:
        """A handler that the program has set itself is left alone."""
        code = """
        from signal_inspector.audit.attribution.processes import ending_in_order
        def handler(*args): print("mine")
        signal.signal(signal.SIGTERM, handler)
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is handler
        """
        assert programs.run(code, **LATE).strip() == "mine"


class TestAKill:
    @pytest.mark.parametrize(
        ("end", "status"),
        [
            ("os._exit(7)", 7),
            ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
            ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ],
    )
    def test_leaves_a_gap(self, programs: Programs, end: str, status: int) -> None:
        """What waited in a killed process is lost, and the next one to look makes a gap of it."""
        programs.run(QUEUED + end, status, **LATE)
        assert programs.numbers() == [0]
        assert programs.gaps() == []
        programs.run("place(1, start=900)", **LATE, QUEUE_SIZE=777)
        assert programs.gaps() == [(GapReason.DEAD_WRITER, 777)]
        assert programs.query("SELECT is_upper_bound FROM signal_audit_gap") == [(1,)]

    def test_is_noticed_once(self, programs: Programs) -> None:
        """However many look, a killed process makes one gap."""
        programs.run(QUEUED + "os._exit(7)", 7, **LATE)
        for start in (900, 901, 902):
            programs.run(f"place(1, start={start})", **LATE)
        assert len(programs.gaps()) == 1

    def test_with_nothing_waiting(self, programs: Programs) -> None:
        """A killed process that had written everything leaves no gap."""
        programs.run("place(10); assert flush(60); os._exit(7)", 7, DELIVERY="buffered")
        programs.run("place(1, start=900)", DELIVERY="buffered")
        assert programs.gaps() == []
        assert programs.query(
            "SELECT count(*) FROM signal_audit_writer WHERE stopped_at IS NULL"
        ) == [(0,)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no forks")
class TestForks:
    @pytest.mark.parametrize("end", ["sys.exit(0)", "assert flush(60); os._exit(0)"])
    def test_a_queue_is_the_parents(self, programs: Programs, end: str) -> None:
        """A fork with rows pending: the parent writes its own, once, and the child its own."""
        code = f"""
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        if pid == 0:
            place(7, start=200)
            {end}
        assert os.waitpid(pid, 0)[1] == 0
        place(3, start=300)
        """
        programs.run(QUEUED + textwrap.dedent(code), **LATE)
        expected = [*range(101), *range(200, 207), *range(300, 303)]
        assert programs.numbers() == expected
        written = programs.query("SELECT sum(written) FROM signal_audit_writer")
        assert int(written[0][0]) == len(expected)

    def test_children_of_children(self, programs: Programs) -> None:
        """Each of a family of processes writes what it sent."""
        code = """
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        place(1)
        for generation in range(1, 4):
            pid = os.fork()
            if pid:
                assert os.waitpid(pid, 0)[1] == 0
                break
            place(2, start=10 * generation)
        """
        programs.run(code, **LATE)
        assert programs.numbers() == [0, 10, 11, 20, 21, 30, 31]

    def test_a_fork_before_the_first_dispatch(self, programs: Programs) -> None:
        """As gunicorn does with preload: what each worker sends is written."""
        code = """
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        children, (reading, writing) = [], os.pipe()
        for worker in range(1, 3):
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
                place(20, start=100 * worker)
                os.write(writing, b"r")
                time.sleep(60)
                sys.exit(1)
            children.append(pid)
        for pid in children:
            assert os.read(reading, 1) == b"r"
        for pid in children:
            os.kill(pid, signal.SIGTERM)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        """
        programs.run(code, **LATE)
        assert programs.numbers() == [*range(100, 120), *range(200, 220)]

    def test_what_the_parent_lost(self, programs: Programs) -> None:
        """A gap of the parent's is written by the parent alone."""
        code = """
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        from signal_inspector.audit.models import GapReason
        process.get().lose(GapReason.OVERFLOW, 5)
        if os.fork() == 0:
            place(1)
            sys.exit(0)
        os.wait()
        place(1, start=1)
        """
        programs.run(code, **LATE)
        assert programs.numbers() == [0, 1]
        assert programs.gaps() == [(GapReason.OVERFLOW, 5)]


class TestMultiprocessing:
    @pytest.mark.parametrize(
        "method",
        ["spawn", *([] if sys.platform == "win32" else ["fork", "forkserver"])],
    )
    def test_a_child_writes_what_it_sent(self, programs: Programs, method: str) -> None:
        """Children of multiprocessing, which run no atexit, write their queue all the same."""
        code = f"""
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        import multiprocessing

        def work(start):
            place(10, start)

        if __name__ == "__main__":
            place(5, start=500)
            context = multiprocessing.get_context("{method}")
            children = [context.Process(target=work, args=(start,)) for start in (0, 10)]
            for child in children: child.start()
            for child in children: child.join(); assert child.exitcode == 0
        """
        programs.run(code, **LATE)
        assert programs.numbers() == [*range(20), *range(500, 505)]


class TestThreads:
    def test_many_senders(self, programs: Programs) -> None:
        """What many threads send at once is written, each once, and nothing else is."""
        code = """
        threads = [threading.Thread(target=place, args=(200, 200 * i)) for i in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
        programs.run(code, DELIVERY="buffered", BATCH_SIZE=50)
        assert programs.numbers() == list(range(1600))
        assert programs.gaps() == []


class TestAsgi:
    def test_a_server_that_is_told_to_end(self, programs: Programs) -> None:
        """Under uvicorn, which ends by a signal and without lifespan, nothing is lost unseen."""
        pytest.importorskip("uvicorn")
        code = """
        import socket
        import uvicorn

        async def app(scope, receive, send):
            assert scope["type"] == "http"
            await placed.asend(None, n=int(scope["path"][1:]))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(app, lifespan="off", log_level="critical")
        uvicorn.Server(config).run(sockets=[listening])
        """
        server = programs.start(code, DELIVERY="buffered")
        assert server.stdout is not None
        port = int(server.stdout.readline())
        for number in range(20):
            with urlopen(f"http://127.0.0.1:{port}/{number}", timeout=60) as answer:
                assert answer.read() == b"done"
        server.terminate()
        _, err = server.communicate(timeout=60)
        assert server.returncode in {0, -signal.SIGTERM}, err
        programs.run("place(1, start=900)", DELIVERY="buffered")
        there = programs.numbers()
        assert set(there) <= {*range(20), 900}
        assert len(there) == len(set(there))
        assert len(there) == 21 or programs.gaps() == [(GapReason.DEAD_WRITER, 10_000)]
