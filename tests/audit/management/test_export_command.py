"""``signal_audit export``: files, pipes and the command line."""

from __future__ import annotations

import gzip
import json
import signal
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from signal_inspector.audit.models import Operation
from signal_inspector.audit.operations.export import whole_file
from tests.audit.management.made import fill, finish, made, put, refused, run, start, told
from tests.audit.programs import Programs, eventually, real


@pytest.mark.django_db
class TestFile:
    def test_whole_and_private(self, tmp_path: Path) -> None:
        """The file is its owner's alone, and nothing else is left beside it."""
        put(made(), made())
        path = tmp_path / "log.jsonl"
        assert "2 dispatches" in told("export", "-o", str(path))
        assert len(path.read_text().splitlines()) == 2
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [path]

    def test_compressed(self, tmp_path: Path) -> None:
        """A name that ends in .gz is compressed; the format is that of the name before it."""
        put(made())
        path = tmp_path / "log.csv.gz"
        run("export", "-o", str(path))
        assert gzip.decompress(path.read_bytes()).startswith(b"id,started_at,")

    def test_there_already(self, tmp_path: Path) -> None:
        """A file that is there is replaced only if that is asked for."""
        put(made())
        path = tmp_path / "log.jsonl"
        path.write_text("old")
        assert "already exists" in refused(1, "export", "-o", str(path))
        assert path.read_text() == "old"
        run("export", "-o", str(path), "--force")
        assert json.loads(path.read_text())["dispatch"]["signal"] == "shop.order_placed"

    def test_not_writable(self, tmp_path: Path) -> None:
        """Where no file can be made, the command says so."""
        assert "Cannot write" in refused(1, "export", "-o", str(tmp_path / "no/log.jsonl"))

    def test_failure_leaves_nothing(self, tmp_path: Path) -> None:
        """Code that fails meanwhile leaves no part of a file, and the old one as it was."""
        path = tmp_path / "log.csv"
        path.write_text("old")

        def fail() -> None:
            with whole_file(path, replace=True) as write:
                write(b"half")
                assert len(list(tmp_path.glob("*.part"))) == 1
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
            ("log.csv", "old")
        ]


@pytest.mark.django_db
class TestCommandLine:
    def test_note(self) -> None:
        """The operation says format, payloads, filters, and who ran it."""
        put(made(actor="auth.User:7"))
        run("export", "--actor", "auth.User:7", "--format", "csv", "--no-payloads")
        operation = Operation.objects.get()
        assert operation.detail == "csv, without payloads: actor=auth.User:7"
        assert (operation.rows, operation.actor) == (1, "")
        assert " on " in operation.actor_label

    def test_last_part_of_a_name(self) -> None:
        """A signal may be named by its last part, where just one has it."""
        put(made(signal="shop.orders.placed"), made(signal="crm.changed"))
        found = json.loads(run("export", "--signal", "placed"))
        assert found["dispatch"]["signal"] == "shop.orders.placed"

    def test_search(self) -> None:
        """--search takes what the admin's search takes."""
        put(made(objects=["shop.Order:42"]), made())
        assert json.loads(run("export", "--search", "shop.Order:42"))["context"]["objects"]
        assert "has no match" in refused(1, "export", "--search", "shop.Order:43")

    def test_last(self) -> None:
        """--last 36h is that time up to now."""
        put(made(timedelta(hours=40)), made(timedelta(hours=30)))
        assert len(run("export", "--last", "36h").splitlines()) == 1

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--id", "42"], "--id"),
            (["--from", "yesterday"], "--from"),
            (["--day", "2026-13-01"], "--day"),
            (["--last", "1d", "--day", "2026-01-01"], "--last"),
            (["--failed", "--outcome", "returned"], "--failed"),
            (["-o", "log.txt"], "--format"),
            (["--bom"], "--bom"),
            (["--last", "999999999w"], "too long"),
        ],
    )
    def test_usage(self, options: list[str], said: str) -> None:
        """What cannot be read is an error of usage, never a filter less."""
        try:
            assert said in refused(2, "export", *options)
        except AssertionError:
            # argparse's own errors have no status where the command is called by code.
            assert said in refused(1, "export", *options)

    def test_ambiguous(self) -> None:
        """A last part that several names have is an error that names them."""
        put(made(signal="shop.a.placed"), made(signal="shop.b.placed"))
        said = refused(2, "export", "--signal", "placed")
        assert "shop.a.placed, shop.b.placed" in said


@real
@pytest.mark.programs
class TestProgram:
    def test_pipe_that_closes(self, programs: Programs) -> None:
        """``export | head -1`` ends quietly, and the operation says that it is not complete."""
        fill(programs, "put(*[made(timedelta(seconds=n), note='x' * 150) for n in range(600)])")
        process = start(programs, "export")
        assert process.stdout.readline().startswith("{")
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == ""
        process.stderr.close()
        ((detail, ended),) = programs.query("SELECT detail, ended_at FROM signal_audit_operation")
        assert "Incomplete" in detail
        assert ended is not None

    def test_sigterm(self, programs: Programs, tmp_path: Path) -> None:
        """SIGTERM leaves no part of a file, and the operation has its end."""
        fill(programs, "put(*[made(timedelta(seconds=n)) for n in range(600)])")
        slow = "from signal_inspector.audit.operations import export\n"
        slow += "lines = export.JsonLines.lines\n"
        slow += "export.JsonLines.lines = lambda *a: (time.sleep(0.5), lines(*a))[1]\n"
        path = tmp_path / "out" / "log.jsonl"
        path.parent.mkdir()
        process = start(programs, "export", "-o", str(path), before=slow)
        eventually(lambda: programs.query("SELECT id FROM signal_audit_operation"))
        assert len(list(path.parent.glob("*.part"))) == 1
        process.send_signal(signal.SIGTERM)
        finish(process, 128 + signal.SIGTERM)
        assert list(path.parent.iterdir()) == []
        ((detail,),) = programs.query("SELECT detail FROM signal_audit_operation")
        assert "Incomplete" in detail

    def test_stdout_is_the_export_alone(self, programs: Programs) -> None:
        """What is told to a person goes to stderr; a text of any script goes through."""
        fill(programs, "put(made(note='Grüße, 注文'))")
        process: subprocess.Popen[str] = start(programs, "export")
        out, err = finish(process)
        assert json.loads(out)["dispatch"]["payload"]["note"]["value"] == "Grüße, 注文"
        assert err == "1 dispatch\n"
