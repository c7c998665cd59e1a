"""``manage.py signals snapshot``."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command

from signal_inspector.catalog.snapshots import Scope, Snapshot
from tests.catalog.made import Project
from tests.test_example_project import manage

SHOP = Path("example_project") / "signals.txt"

WHOLE = """\
# signal snapshot, format 1: who receives which signal, in the order of calls.
# Update: manage.py signals snapshot --output FILE

django.db.models.signals.post_save
    shop.receivers.saved | sender shop.models.Order

early.apps.opened
    early.apps.greet | sender early.apps.Desk | uid "greet"
    early.apps.greet
    early.apps.agreet | async | strong

shop.signals.Cart.emptied

shop.signals.order_placed
    shop.receivers.thank
    shop.receivers.wrap | sender shop.models.Gift
    shop.receivers.thank | uid "again"
    shop.views.show
    shop.receivers.index | async

shop.signals.paid
"""


@pytest.mark.parametrize(
    "environment",
    [{}, {"DEBUG": "1"}, {"PYTHONHASHSEED": "1", "PLACE": "4"}],
    ids=["as it is", "with DEBUG", "listed last, with another hash seed"],
)
def test_it_is_the_same_everywhere(project: Project, environment: dict[str, str]) -> None:
    """The snapshot is this text, on each Django and Python, whatever the circumstances."""
    assert project.run("snapshot", **environment) == WHOLE


def test_bare_is_another_one_and_remembered(project: Project, tmp_path: Path) -> None:
    """Without the views their receivers are missing; the file knows how it was made."""
    file = tmp_path / "signals.txt"
    project.run("snapshot", "--bare", "--output", str(file))
    assert "shop.views.show" not in file.read_text()
    assert "snapshot --bare --output FILE" in file.read_text()
    assert "nothing has changed" in project.run("snapshot", "--check", str(file))


def test_equal_is_one_line(project: Project, tmp_path: Path) -> None:
    """--check of what --output has just written ends well."""
    file = tmp_path / "signals.txt"
    assert project.run("snapshot", "--output", str(file)) == f"Written to {file}.\n"
    assert file.read_bytes() == WHOLE.encode()
    printed = project.run("snapshot", "--check", str(file))
    assert printed == f"{file} is up to date: 5 signals, nothing has changed.\n"


def test_what_changed_is_told(project: Project, tmp_path: Path) -> None:
    """--check ends with status 1, says what changed, and how to update."""
    file = tmp_path / "signals.txt"
    file.write_text(
        WHOLE.replace("    shop.views.show\n", "")
        .replace("shop.receivers.index | async", "shop.receivers.index")
        .replace("    early.apps.greet\n", "")
        .replace("shop.signals.paid", "shop.signals.repaid")
    )
    printed = project.run("snapshot", "--check", str(file), status=1)
    assert printed == (
        f"{file} is out of date: 4 signals changed.\n"
        "\n"
        "early.apps.opened\n"
        "  - early.apps.greet is new: it runs after early.apps.greet\n"
        "\n"
        "shop.signals.order_placed\n"
        "  - shop.views.show is new: it runs after shop.receivers.thank\n"
        "  - shop.receivers.index has become async\n"
        "\n"
        "shop.signals.paid\n"
        "  - the signal is new\n"
        "\n"
        "shop.signals.repaid\n"
        "  - the signal is gone\n"
        "\n"
        "If this is intended, update the file and commit it: "
        f"manage.py signals snapshot --output {file}\n"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "There is no file .* Create it: manage.py signals snapshot --output"),
        (b"hello\n", "is not a valid snapshot: the first line does not say"),
        (b"\xff\xfe", "is not a snapshot: it is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, why: str) -> None:
    """A file that is missing or broken is a clear error."""
    file = tmp_path / "signals.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError, match=why):
        call_command("signals", "snapshot", "--check", str(file))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """Neither to read nor to write."""
    with pytest.raises(CommandError, match=r"Cannot read .*: Is a directory"):
        call_command("signals", "snapshot", "--check", str(tmp_path))
    with pytest.raises(CommandError, match=r"Cannot write .*: Is a directory"):
        call_command("signals", "snapshot", "--output", str(tmp_path))


def test_an_app_that_is_not_installed() -> None:
    """--app suggests one that is."""
    with pytest.raises(CommandError, match=r"called 'atuh'\. Did you mean auth"):
        call_command("signals", "snapshot", "--app", "atuh")


def test_nothing_of_ones_own_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A snapshot of nothing is probably not what was meant."""
    with patch("signal_inspector.management.signals.snapshot.take") as take:
        take.return_value = Snapshot(scope=Scope())
        call_command("signals", "snapshot")
    out, err = capsys.readouterr()
    assert "name its apps with --app" in err
    assert len(out.splitlines()) == 2


def test_check_takes_no_other_options(tmp_path: Path) -> None:
    """What is compared is what the file says it holds."""
    with pytest.raises(CommandError, match="uses the options in the file") as raised:
        call_command("signals", "snapshot", "--check", str(tmp_path / "x"), "--bare")
    assert raised.value.returncode == 2


def test_the_shop_has_a_snapshot_that_holds(tmp_path: Path) -> None:
    """The snapshot that is committed with the example shop is what its signals are."""
    printed = manage(tmp_path, "signals", "snapshot", "--check", str(SHOP))
    assert "nothing has changed" in printed
