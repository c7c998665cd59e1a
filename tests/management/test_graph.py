"""``manage.py signals graph``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.management import CommandError, call_command
from django.dispatch import Signal

from signal_inspector.core import registry
from signal_inspector.core.registry import SentOn
from signal_inspector.graph import as_json
from signal_inspector.management.signals import graph as command
from tests.graph.graphs_made import hostile

ROOT = Path(__file__).resolve().parent.parent.parent
graph_drawn = Signal()


def on_drawn(**kwargs: Any) -> None: ...


graph_drawn.connect(on_drawn)
NAME = f"{__name__}.graph_drawn"


def written(*arguments: str) -> str:
    """What the command writes."""
    out = StringIO()
    call_command("signals", "graph", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def shop(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on the example shop."""
    environment = {key: it for key, it in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "manage.py", "signals", "graph", *arguments],
        cwd=ROOT / "example_project",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestFormats:
    def test_mermaid_is_what_it_is_without_an_option(self) -> None:
        """A flowchart goes to the standard output."""
        text = written("--signal", NAME)
        assert text.startswith("flowchart LR\n")
        assert "graph_drawn" in text
        assert "on_drawn" in text

    @pytest.mark.parametrize(
        ("form", "start"),
        [
            ("mermaid", "flowchart LR\n"),
            ("dot", "digraph signals {"),
            ("svg", "<svg "),
            ("html", "<!DOCTYPE html>"),
            ("json", "{\n"),
        ],
    )
    def test_each_format(self, tmp_path: Path, form: str, start: str) -> None:
        """Each goes to the output or into a file, whose name tells the format as well."""
        text = written("--signal", NAME, "--format", form)
        assert text.startswith(start)
        path = tmp_path / f"graph.{form}"
        assert written("--signal", NAME, "--output", str(path)) == ""
        assert path.read_text(encoding="utf-8") == text

    def test_a_file_s_name_gives_way_to_the_option(self, tmp_path: Path) -> None:
        """Whoever says a format gets it."""
        path = tmp_path / "graph.txt"
        written("--signal", NAME, "--format", "dot", "--output", str(path))
        assert path.read_text().startswith("digraph")

    def test_hostile_names_can_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Names that no encoding holds still make a file that reads back."""
        monkeypatch.setattr(command, "project_graph", lambda **_: hostile())
        for form in command.FORMATS:
            written("--output", str(tmp_path / f"g.{form}"))
            assert written("--format", form).encode() == (tmp_path / f"g.{form}").read_bytes()
        data = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))
        assert data == json.loads(json.dumps(as_json(hostile())))
        ET.parse(tmp_path / "g.svg")

    def test_without_igraph(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pictures say what to install; the other formats need nothing."""
        monkeypatch.setitem(sys.modules, "igraph", None)
        for form in ("svg", "html"):
            with pytest.raises(CommandError, match=r'pip install "django-signal-inspector\[graph'):
                written("--signal", NAME, "--format", form)
        for form in ("mermaid", "dot", "json"):
            assert written("--signal", NAME, "--format", form)


class TestOptions:
    def test_a_signal_that_is_not_there(self) -> None:
        """The mistake is told, with what was perhaps meant."""
        with pytest.raises(
            CommandError, match=r"no inspected signal .* Did you mean .*graph_drawn"
        ):
            written("--signal", "graph_drawm")

    def test_an_app_that_is_not_there(self) -> None:
        """So is a wrong app."""
        with pytest.raises(CommandError, match=r"no installed app .*'aut'.*Did you mean auth"):
            written("--app", "aut")

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        """The system's reason is told."""
        with pytest.raises(CommandError, match=r"Cannot write .*: No such file"):
            written("--signal", NAME, "--output", str(tmp_path / "no" / "g.svg"))

    def test_what_was_recorded_can_be_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Recordings are in the graph unless they are not wanted."""
        seen = [SentOn(receiver=f"{__name__}.on_drawn", signal=NAME, count=5)]
        monkeypatch.setattr(registry, "_sent_on", {"test": lambda: seen})
        chosen = ("--signal", NAME, "--format", "json")
        assert json.loads(written(*chosen))["sends_on"][0]["count"] == 5
        assert json.loads(written(*chosen))["cycles"] == [[NAME, f"{__name__}.on_drawn"]]
        assert json.loads(written(*chosen, "--no-recorded"))["sends_on"] == []


class TestExampleShop:
    def test_its_graph(self) -> None:
        """The shop's senders, receivers and what they send on are found; all is quiet."""
        done = shop("--format", "json", "--no-recorded")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        data = json.loads(done.stdout)
        sends = {(each["function"], each["signal"]) for each in data["sends"]}
        assert ("shop.services.Checkout.place", "shop.signals.order_placed") in sends
        assert ("shipping.views.track", "shipping.signals.parcel_tracked") in sends
        assert {(each["receiver"], each["signal"]) for each in data["sends_on"]} == {
            ("inventory.receivers.sync_warehouse", "inventory.signals.stock_low"),
            ("inventory.receivers.sync_warehouse", "inventory.signals.warehouse_synced"),
        }
        orders = [
            each["receiver"]
            for each in data["receives"]
            if each["signal"] == "coupons.signals.coupon_redeemed"
        ]
        assert orders == [
            "coupons.receivers.mark_used",
            "coupons.receivers.check_velocity",
            "analytics.receivers.count_redemption",
            "notifications.receivers.confirm_coupon",
        ]
        paths = {each["path"] for key in ("signals", "functions") for each in data[key]}
        assert not any(path.startswith("/") for path in paths)

    def test_one_app_s(self) -> None:
        """``--app`` keeps what the app sends or receives."""
        data = json.loads(shop("--format", "json", "--app", "loyalty").stdout)
        receivers = {each["receiver"] for each in data["receives"]}
        assert receivers == {
            "loyalty.receivers.award_points",
            "loyalty.receivers.award_points_for_patience",
            "loyalty.receivers.open_account",
        }

    def test_it_is_the_same_each_time(self) -> None:
        """Two runs write the same page, to the byte."""
        arguments = ("--format", "html", "--no-recorded")
        assert shop(*arguments).stdout == shop(*arguments).stdout != ""
