"""The spool: what has been acknowledged survives the death of its process, and is there once."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from signal_inspector.audit.delivery import spool_files
from signal_inspector.audit.delivery.spool_files import OwnFile, Segment, decoded, encoded, orphans
from signal_inspector.audit.models import GapReason, TransactionOutcome
from signal_inspector.core import internal_errors
from tests.audit.programs import Programs, real

pytestmark = [real, pytest.mark.programs]

#: Says which numbers it has sent, one per line, as soon as it has.
ENDLESS = """
for number in range(int({start}), 10**9):
    place(1, start=number)
    sys.stdout.write(f"{{number}}\\n")
    sys.stdout.flush()
"""

SHIP = """
from pathlib import Path
from signal_inspector.audit.delivery.spooled import ship
print(ship(Path({directory!r}), "audit"))
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spooling(programs: Programs, directory: Path) -> Programs:
    """Programs that spool."""
    programs.audit = {"DELIVERY": "spooled", "SPOOL_DIR": str(directory)}
    return programs


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*"))


def ship(programs: Programs, directory: Path, *, ours_fails: bool = False) -> int:
    out = programs.run(SHIP.format(directory=str(directory)), ours_fails=ours_fails)
    return int(out.split()[0])


class TestAKill:
    def test_again_and_again(self, spooling: Programs, directory: Path) -> None:
        """Under repeated kill -9 nothing acknowledged is lost and nothing is there twice."""
        acknowledged: set[int] = set()
        for round_ in range(4):
            pair = [
                spooling.start(ENDLESS.format(start=(2 * round_ + which) * 10**6))
                for which in range(2)
            ]
            for process, enough in zip(pair, (150, 400 * (round_ % 2) + 1), strict=True):
                assert process.stdout is not None
                for _ in range(enough):
                    acknowledged.add(int(process.stdout.readline()))
            for process in pair:
                process.kill()
                assert process.stdout is not None
                out = process.stdout.read()
                process.communicate()
                whole = out[: out.rfind("\n") + 1]
                acknowledged.update(map(int, whole.split()))
        ship(spooling, directory)
        numbers = spooling.numbers()
        assert acknowledged <= set(numbers)
        assert len(numbers) == len(set(numbers))
        # One that was sent and could not be acknowledged any more may be there as well.
        assert len(set(numbers) - acknowledged) <= 8
        assert files(directory) == []
        assert spooling.gaps() == []

    def test_the_next_process_takes_over(self, spooling: Programs, directory: Path) -> None:
        """What a killed process left is written by the next that uses the directory."""
        code = "process.get()._writer.wake = lambda: None; place(10); os._exit(7)"
        spooling.run(code, 7)
        assert spooling.count() == 0
        spooling.run("place(1, start=10)")
        assert spooling.numbers() == list(range(11))
        assert files(directory) == []

    def test_a_living_process_keeps_its_file(self, spooling: Programs, directory: Path) -> None:
        """The file of a process that lives is not taken over."""
        code = """
        process.get()._writer.wake = lambda: None
        place(10)
        print("ready", flush=True)
        time.sleep(60)
        """
        living = spooling.start(code)
        assert living.stdout is not None
        assert living.stdout.readline() == "ready\n"
        assert ship(spooling, directory) == 0
        assert len(files(directory)) == 1
        living.kill()
        living.communicate()
        assert ship(spooling, directory) == 10
        assert spooling.count() == 10

    def test_several_who_ship(self, spooling: Programs, directory: Path) -> None:
        """However many take over at once, each file is shipped by one of them."""
        quiet = "process.get()._writer.wake = lambda: None;"
        for start in range(0, 90, 30):
            spooling.run(f"{quiet} place(30, start={start}); os._exit(7)", 7)
        shippers = [spooling.start(SHIP.format(directory=str(directory))) for _ in range(3)]
        counts = [int(each.communicate()[0]) for each in shippers]
        assert sum(counts) == 90
        assert spooling.numbers() == list(range(90))

    def test_after_some_was_written(self, spooling: Programs, directory: Path) -> None:
        """What is in the database when the process is killed is not written twice."""
        spooling.run("place(10); assert flush(60); place(10, start=10); os._exit(7)", 7)
        ship(spooling, directory)
        assert spooling.numbers() == list(range(20))

    def test_leaves_no_gap(self, spooling: Programs) -> None:
        """A killed process is no gap: its file holds what it had taken."""
        spooling.run(
            "place(1); assert flush(60); place(10, start=1); announced(); os._exit(7)",
            7,
            FLUSH_SECONDS=600,
        )
        spooling.run("place(1, start=11)")
        assert spooling.gaps() == []
        assert spooling.numbers() == list(range(12))


class TestAFork:
    def test_the_file_is_the_parents(self, spooling: Programs, directory: Path) -> None:
        """A forked child has a file of its own, and does not keep the parent's locked."""
        code = """
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        process.get()._writer.wake = lambda: None
        place(10)
        pid = os.fork()
        if pid == 0:
            place(5, start=10)
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        os._exit(7)
        """
        spooling.run(code, 7)
        ship(spooling, directory)
        assert spooling.numbers() == list(range(15))


class TestTransactions:
    OUTCOMES = "SELECT payload, transaction_outcome FROM signal_audit_dispatch ORDER BY id"

    def outcomes(self, programs: Programs) -> list[int]:
        return [outcome for _, outcome in programs.query(self.OUTCOMES)]

    def test_how_it_ended(self, spooling: Programs) -> None:
        """A dispatch waits for the end of its transaction, and is written with it."""
        code = """
        place(1)
        with transaction.atomic("audit"): place(1, start=1)
        try:
            with transaction.atomic("audit"):
                place(1, start=2)
                raise ValueError
        except ValueError: pass
        """
        spooling.run(code)
        assert self.outcomes(spooling) == [
            TransactionOutcome.NONE,
            TransactionOutcome.COMMITTED,
            TransactionOutcome.ROLLED_BACK,
        ]

    def test_a_kill_in_a_transaction(self, spooling: Programs, directory: Path) -> None:
        """How a transaction ended that was open when the process was killed is unknown."""
        spooling.run('transaction.atomic("audit").__enter__(); place(3); os._exit(7)', 7)
        ship(spooling, directory)
        assert self.outcomes(spooling) == [TransactionOutcome.UNKNOWN] * 3

    def test_an_end_after_it_was_written(self, spooling: Programs) -> None:
        """One that is written as unknown, as it takes too long, is corrected at its end."""
        code = """
        from signal_inspector.audit.delivery import spooled
        spooled.TRANSACTION_SECONDS = 0.0
        from signal_inspector.audit.models import AuditedDispatch
        rows = AuditedDispatch.objects.using("audit")
        with transaction.atomic():
            place(1)
            assert flush(60)
            wait_for(lambda: flush(60) and rows.filter(transaction_outcome=0).exists())
        wait_for(lambda: flush(60) and rows.filter(transaction_outcome=2).exists())
        """
        spooling.run(code, FLUSH_SECONDS=0.05)
        assert self.outcomes(spooling) == [TransactionOutcome.COMMITTED]


class TestAFullDisk:
    def test_is_counted(self, spooling: Programs, directory: Path) -> None:
        """What does not fit is counted in a gap; what came before and after is kept."""
        code = """
        import resource
        place(5)
        assert flush(60)
        kept = resource.getrlimit(resource.RLIMIT_FSIZE)
        # A SQLite log would not fit either: its writer waits meanwhile.
        with process.get()._writer._turn:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, kept[1]))
            place(7, start=100)
            resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        time.sleep(0.6)  # until a file is tried again
        place(3, start=5)
        """
        spooling.run(code, ours_fails=True)
        assert spooling.numbers() == list(range(8))
        assert spooling.gaps() == [(GapReason.SPOOL, 7)]
        assert files(directory) == []

    def test_a_line_that_fits_in_part(self, tmp_path: Path, monkeypatch: Any) -> None:
        """Of a line that did not fit as a whole nothing stays."""
        file = OwnFile(tmp_path)
        file.append(encoded(["d", "first"]))
        real = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:5]))
        with pytest.raises(OSError, match="space") as caught:
            file.append(encoded(["d", "second"]))
        assert caught.value.errno == errno.ENOSPC
        monkeypatch.undo()
        file.append(encoded(["d", "third"]))
        segment = Segment(file.path, own=file)
        records = [line.record for line in segment.lines()]
        assert records[1:] == [["d", "first"], ["d", "third"]]
        segment.remove()


class TestFiles:
    def test_permissions(self, tmp_path: Path) -> None:
        """The file is its owner's alone, and so is the directory."""
        file = OwnFile(tmp_path / "spool")
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
        file.close()

    def test_a_line_and_back(self) -> None:
        """A record comes back from its line, whatever text is in it."""
        record = ["d", ["\n\u2028é\x00", 1, None, True, {"a": [1.5]}]]
        line = encoded(record)
        assert line.count(b"\n") == 1
        assert decoded(line[:-1]) == record

    @pytest.mark.parametrize("position", [0, 8, 9, 20])
    def test_a_changed_line(self, position: int) -> None:
        """A line with one byte changed is none."""
        line = bytearray(encoded(["d", "some text that is long enough"])[:-1])
        line[position] ^= 1
        assert decoded(bytes(line)) is None

    @pytest.mark.parametrize("line", [b"", b"x", b"00000000 ", b"00000000"])
    def test_no_line(self, line: bytes) -> None:
        """What is none of our lines is read as none."""
        assert decoded(line) is None

    def test_a_torn_end(self, tmp_path: Path) -> None:
        """A last line without an end is not read."""
        file = OwnFile(tmp_path)
        file.append(encoded(["d", 1]))
        file.append(encoded(["d", 2])[:-4])
        segment = Segment(file.path, own=file)
        assert [line.record for line in segment.lines()][1:] == [["d", 1]]
        assert segment.is_torn
        segment.remove()

    def test_orphans_are_locked(self, tmp_path: Path) -> None:
        """Who takes over a file has it for itself; the owner of a living one keeps it."""
        living, dead = OwnFile(tmp_path), OwnFile(tmp_path)
        dead.close()
        [taken] = orphans(tmp_path)
        assert taken.path == dead.path
        assert list(orphans(tmp_path)) == []
        taken.remove()
        assert [path.name for path in files(tmp_path)] == [living.path.name]
        living.close()

    def test_one_that_is_not_born_is_no_orphan(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file is not looked at before its owner has locked it; left alone, it is removed."""
        unborn = tmp_path / "abc.new"
        unborn.touch()
        assert list(orphans(tmp_path)) == []
        assert unborn.exists()
        monkeypatch.setattr(spool_files, "_STALE_SECONDS", -1.0)
        assert list(orphans(tmp_path)) == []
        assert not unborn.exists()


class TestDamage:
    def spoil(self, directory: Path, change: bytes, into: bytes) -> None:
        [path] = files(directory)
        data = path.read_bytes()
        assert change in data
        path.write_bytes(data.replace(change, into))

    @pytest.fixture
    def left(self, spooling: Programs, directory: Path) -> Programs:
        """A killed process has left a file with three dispatches."""
        code = "process.get()._writer.wake = lambda: None; place(3); os._exit(7)"
        spooling.run(code, 7)
        return spooling

    def test_a_damaged_line(self, left: Programs, directory: Path) -> None:
        """A damaged line is counted as a gap; those around it are written."""
        self.spoil(directory, b'n\\":1}', b'n\\":8}')
        assert ship(left, directory) == 2
        assert left.numbers() == [0, 2]
        assert left.gaps() == [(GapReason.SPOOL, 1)]

    def test_a_torn_last_line(self, left: Programs, directory: Path) -> None:
        """A torn last line was never acknowledged: it is dropped, and is no gap."""
        [path] = files(directory)
        path.write_bytes(path.read_bytes()[:-20])
        assert ship(left, directory) == 2
        assert left.numbers() == [0, 1]
        assert left.gaps() == []
        assert files(directory) == []

    def test_another_version(self, left: Programs, directory: Path) -> None:
        """A file of a version that is not known is told of, and stays."""
        [path] = files(directory)
        first, rest = path.read_bytes().split(b"\n", 1)
        record = json.loads(first[9:])
        record[1] = 99
        path.write_bytes(encoded(record) + rest)
        assert ship(left, directory, ours_fails=True) == 0
        assert files(directory) == [path]


def test_a_directory_that_cannot_be_written(spooling: Programs, tmp_path: Path) -> None:
    """Without its directory the spool loses and counts; the signal is sent, and nothing raises."""
    (tmp_path / "file").touch()
    out = spooling.run(
        "place(3); from signal_inspector.core import internal_errors as ours; print(ours.drops())",
        ours_fails=True,
        SPOOL_DIR=str(tmp_path / "file" / "spool"),
    )
    assert "'audit: spool file damaged or not writable': 3" in out
    assert internal_errors.counts() == {}
