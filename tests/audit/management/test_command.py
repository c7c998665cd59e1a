"""``manage.py signal_audit`` as a whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from signal_inspector.audit.management.commands.signal_audit import Command
from tests.audit.management.made import finish, refused, start
from tests.audit.programs import Programs, eventually, real


@pytest.mark.django_db
def test_unknown_database() -> None:
    """A database that is not in DATABASES is named."""
    with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "nowhere"}}):
        assert "'nowhere'" in refused(1, "stats")


@real
@pytest.mark.programs
class TestProgram:
    @pytest.mark.parametrize("part", ["", *(each.name for each in Command.subcommands)])
    def test_help(self, programs: Programs, part: str) -> None:
        """The command and each part of it have a help."""
        out, _ = finish(start(programs, *filter(None, [part]), "--help"))
        assert f"signal_audit {part}".strip() in " ".join(out.split())

    def test_usage(self, programs: Programs) -> None:
        """A wrong command line ends with 2, a problem with 1."""
        for arguments in ([], ["prune", "--older-than", "soon"], ["export", "--id", "x"]):
            finish(start(programs, *arguments), 2)
        finish(start(programs, "export", "--search", "nothing.of:this"), 1)

    def test_options_of_django(self, programs: Programs) -> None:
        """Django's own options may stand behind the part."""
        out, err = finish(start(programs, "export", "-v", "0", "--no-color", "--traceback"))
        assert (out, err) == ("", "")

    def test_sigterm_writes_what_waits(self, programs: Programs) -> None:
        """What the command's own process had to write is written when SIGTERM ends it."""
        delivery = "buffered" if "sqlite" in programs.database["ENGINE"] else "auto"
        before = "place(5)\n"
        process = start(
            programs, "tail", "--json", "-n", "1",
            before=before, DELIVERY=delivery, FLUSH_SECONDS=3600.0, BATCH_SIZE=500,
        )  # fmt: skip
        eventually(lambda: _is_following(process))
        process.send_signal(signal.SIGTERM)
        finish(process, 128 + signal.SIGTERM)
        assert programs.numbers() == [0, 1, 2, 3, 4]


def _is_following(process: object) -> bool:
    """Whether its own handler of SIGTERM is set, which is told by what the kernel says."""
    text = Path(f"/proc/{process.pid}/status").read_text()  # type: ignore[attr-defined]
    caught = next(line for line in text.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Programs]:
    return Programs(
        tmp_path, {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "empty.sqlite3")}
    )


@pytest.mark.parametrize("part", ["stats", "prune"])
def test_no_tables(empty: Programs, part: str) -> None:
    """Without tables it says what to run, and ends with 1."""
    _, err = finish(start(empty, part), 1)
    assert "migrate signal_audit --database audit" in err
    assert "Traceback" not in err
