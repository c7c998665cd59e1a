"""docs/audit.md and the AUDIT part of docs/settings.md: examples run, tables are complete."""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import urlopen

import pytest
from django.core.management import load_command_class
from django.dispatch import Signal

from signal_inspector.audit import audit_lost, audited, checks
from signal_inspector.audit.delivery import base, spooled
from signal_inspector.audit.delivery.current import BUILT_IN
from signal_inspector.audit.delivery.gaps import Loss, losses, tell
from signal_inspector.audit.destinations.database import writing
from signal_inspector.audit.management.commands.signal_audit import Command
from signal_inspector.audit.models import AuditedDispatch, Gap, GapReason, Operation, Retry
from signal_inspector.audit.settings import Audit, Rule
from signal_inspector.conf import config_problems
from signal_inspector.setting_rules import keys
from tests.audit import document
from tests.audit.document import Project
from tests.tracing.processes import PATIENCE, running, serving

INSTALL, _RULES, OWN_DATABASE = range(3)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("defined", document.settings())
def test_the_settings_examples_are_right(defined: dict[str, Any]) -> None:
    """No system check finds anything wrong in an example of settings."""
    assert config_problems(defined.get("SIGNAL_INSPECTOR", {})) == []


def test_the_default_settings_are_those_of_the_code() -> None:
    """The dict in settings.md has every key of AUDIT, with its default."""
    [source] = re.findall(
        r"^```python\n(SIGNAL_INSPECTOR = .*?)^```", document.SETTINGS, re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(source, names)
    told = names["SIGNAL_INSPECTOR"]["AUDIT"]
    assert config_problems(names["SIGNAL_INSPECTOR"]) == []
    defaults = {key: getattr(Audit(), each.name) for key, each in keys(Audit).items()}
    defaults |= {"INCLUDE": ["*"], "EXCLUDE": [], "RULES": {}}
    assert told == defaults
    assert document.first_cells("## AUDIT", document.SETTINGS) == list(told)


def test_the_rules_are_those_of_the_code() -> None:
    """The table of a rule has each of its keys."""
    told = document.first_cells("### Which signals, and how much of them")
    assert told == [each.name.upper() for each in fields(Rule)]


def test_the_deliveries_are_those_of_the_code() -> None:
    """The table of deliveries has each of those that are built in."""
    assert sorted(document.first_cells("## How it gets there")) == sorted(BUILT_IN)


def test_the_commands_are_those_of_the_code() -> None:
    """The table of commands has each part of signal_audit."""
    assert sorted(document.first_cells("## Commands")) == sorted(
        each.name for each in Command.subcommands
    )


def test_the_permissions_are_those_of_the_code() -> None:
    """The table of permissions names such as there are."""
    known = {
        codename
        for model in (AuditedDispatch, Gap, Retry, Operation)
        for codename in [
            f"view_{model._meta.model_name}",
            *(name for name, _ in model._meta.permissions),
        ]
    }
    assert set(document.first_cells("## Who may see what")) <= known


def test_the_troubles_are_those_of_the_code() -> None:
    """The last table has every reason for a gap and every system check."""
    table = document.section("## When something is missing")
    assert set(re.findall(r"a gap \"([^\"]+)\"", table)) == {reason.label for reason in GapReason}
    sources = [Path(str(module.__file__)).read_text() for module in (checks, spooled)]
    ids = set(re.findall(r"signal_audit\.([EW]\d+)", "".join(sources)))
    assert {each for each in ids if f"`signal_audit.{each}`" not in table} <= {"E002", "W003"}
    assert set(re.findall(r"\b[EW]00\d\b", table)) == ids


@pytest.mark.parametrize("arguments", document.commands("signal_audit"), ids=" ".join)
def test_the_commands_can_be_typed(arguments: list[str]) -> None:
    """Each command of the document has the options that it is given there."""
    parser = load_command_class("signal_inspector.audit", "signal_audit").create_parser(
        "manage.py", "signal_audit"
    )
    if "--help" in arguments:
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(arguments)
        assert ended.value.code == 0
    else:
        assert parser.parse_args(arguments).subcommand == arguments[0]


def test_a_database_of_its_own(project: Project) -> None:
    """With the document's settings the log is in a file that the rest of the project is not in."""
    project.write(INSTALL, OWN_DATABASE)
    first, *others = document.commands("migrate")
    assert first == ["signal_audit"]  # of a project whose log is in the default database
    for arguments in others:
        project.run("manage.py", "migrate", *arguments)
    assert "WARNINGS" not in project.run("manage.py", "check", "--fail-level", "WARNING")
    project.run("-c", JOB)

    assert tables(project.directory / "shop.sqlite3") & {"signal_audit_dispatch"} == set()
    kept = tables(project.directory / "audit.sqlite3")
    assert "signal_audit_dispatch" in kept
    assert "auth_user" not in kept
    [dispatch] = project.log()
    told = [dispatch[key] for key in ("origin", "origin_name", "request_id", "actor")]
    assert told == ["task", "close_the_month", "7", "billing"]
    assert dispatch["delivery"] == "buffered"


JOB = """
import django
django.setup()
from shop import jobs
from shop.models import Order, order_placed
jobs.send_statements = lambda: order_placed.send(None, order=Order(pk=42))
jobs.close_the_month(7)
"""


def tables(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    finally:
        connection.close()


def test_the_asgi_example_flushes(project: Project) -> None:
    """Under uvicorn, with the lifespan of the document, the shutdown loses nothing."""
    pytest.importorskip("uvicorn")
    project.write(INSTALL, OWN_DATABASE)
    project.run("manage.py", "migrate", "signal_audit", "--database", "audit")
    arguments = (
        "-m",
        "uvicorn",
        "--fd",
        "{fd}",
        "--log-level",
        "critical",
        "shop.asgi:application",
    )
    numbers = range(1, 9)
    with serving(arguments, project.environment) as url:
        for number in numbers:
            with urlopen(f"{url}/place/{number}/", timeout=60) as answer:
                assert answer.read() == b"done"

    dispatches = project.log()
    assert [each["payload"]["order"]["text"] for each in dispatches] == [
        f"shop.Order:{number}" for number in numbers
    ]
    assert {each["origin_name"] for each in dispatches} == {"GET /place/<int:number>/"}


@pytest.mark.programs
def test_a_pool_of_celery_writes_what_waits(project: Project) -> None:
    """A process of Celery's prefork pool writes its queue when the worker is told to end."""
    pytest.importorskip("celery")
    project.write(INSTALL, OWN_DATABASE)
    settings = project.directory / "shop" / "settings.py"
    late = "Audit.__init__.__kwdefaults__['flush_seconds'] = 60.0"
    settings.write_text(
        f"{settings.read_text()}\nfrom signal_inspector.audit.settings import Audit\n{late}\n"
    )
    project.run("manage.py", "migrate", "signal_audit", "--database", "audit")
    (project.directory / "broker").mkdir()
    (project.directory / "shop" / "worker.py").write_text(WORKER)
    numbers = range(1, 21)
    project.run("-c", f"from shop.worker import place\nfor n in {list(numbers)}: place.delay(n)")
    options = ["--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    arguments = ["-m", "celery", "-A", "shop.worker", "worker", *options]
    with running(arguments, project.environment) as worker:
        deadline = time.monotonic() + PATIENCE
        while len(list(project.directory.glob("*.done"))) < len(numbers):
            assert worker.poll() is None, "the worker has died"
            assert time.monotonic() < deadline, "the worker does not work"
            time.sleep(0.05)

    dispatches = project.log()
    told = {each["payload"]["order"]["text"] for each in dispatches}
    assert told == {f"shop.Order:{number}" for number in numbers}
    assert len(dispatches) == len(numbers)
    assert {(each["origin"], each["origin_name"]) for each in dispatches} == {
        ("task", "shop.worker.place")
    }


WORKER = """
from pathlib import Path
import django
from celery import Celery
from celery.signals import worker_process_shutdown
django.setup()
from signal_inspector.audit import flush
HERE = Path(__file__).parent.parent
BROKER = str(HERE / "broker")
app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": BROKER,
    "data_folder_out": BROKER,
    "control_folder": BROKER,
    "polling_interval": 0.05,
}
app.conf.task_ignore_result = True
@worker_process_shutdown.connect
def write_what_waits(**kwargs):
    flush()
@app.task
def place(number):
    from shop.models import Order, order_placed
    order_placed.send(None, order=Order(pk=number))
    (HERE / f"{number}.done").touch()
"""


def test_the_test_example_passes(project: Project) -> None:
    """The test of the document finds its order in the log."""
    project.write(INSTALL)
    tests = project.directory / "shop" / "tests.py"
    tests.write_text(tests.read_text() + PLACE_ORDER)
    assert "Ran 1 test" in project.run("manage.py", "test", "shop")


PLACE_ORDER = """

def place_order():
    from shop.models import Order, order_placed
    order = Order.objects.create()
    order_placed.send(None, order=order)
    return order
"""


def test_the_audit_lost_example_is_called() -> None:
    """The receiver pages once for a gap, and not again at its end."""
    pages: list[str] = []
    names: dict[str, Any] = {"page_the_people_on_duty": pages.append}
    exec(document.example("shop/receivers.py"), names)
    try:
        loss = Loss(key="k", reason=GapReason.OVERFLOW, from_ns=0, to_ns=1, missing=3)
        tell(loss)
        loss.is_over = True
        tell(loss)
    finally:
        audit_lost.disconnect(names["call_somebody"])
    assert pages == ["Dispatches are missing in the audit: queue full"]


def test_the_delivery_example_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivery of the document publishes each dispatch, and counts what it cannot."""
    module = ModuleType("shop_deliveries")
    published: list[str] = []
    vars(module)["publish"] = lambda topic, text: published.append(text)
    exec(document.example("shop/deliveries.py"), vars(module))
    monkeypatch.setitem(sys.modules, "shop_deliveries", module)
    with audited("shop_deliveries.ToBroker"):
        signal = Signal()
        signal.send(None, number=42)
        assert '"number' in published[0].replace("\\", "")
        vars(module)["publish"] = away
        signal.send(None, number=43)
    assert (len(published), losses.total) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_consumer_example_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half writes what was published, and puts back what cannot be written now."""
    published: list[str] = []
    put_back: list[list[str]] = []
    shop = ModuleType("shop.deliveries")
    vars(shop)["publish"] = lambda topic, text: published.append(text)
    exec(document.example("shop/deliveries.py"), vars(shop))
    vars(shop).update(consume=lambda topic: [published], put_back=put_back.append)
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.deliveries", shop)
    consumer: dict[str, Any] = {}
    exec(document.example("shop/management/commands/write_audit.py"), consumer)
    signal = Signal()
    with audited("shop.deliveries.ToBroker"):
        for number in range(2):
            signal.send(None, number=number)
    consumer["Command"]().handle()
    assert AuditedDispatch.objects.count() == 2

    def away(*args: Any) -> int:
        raise base.Unavailable("away")

    monkeypatch.setattr(writing, "write", away)
    consumer["Command"]().handle()
    assert put_back == [published]


def away(topic: str, text: str) -> None:
    raise ConnectionError("away")
