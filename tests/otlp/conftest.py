"""A collector, a shop that exports to it, and what arrived."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path

import pytest

from tests.otlp.collector import Collector, find_rotel
from tests.otlp.running import Run, Way, migrate, run

Start = Callable[[Way], Run]

WAYS = {
    "grpc": Way(protocol="grpc"),
    "http": Way(protocol="http/protobuf"),
    "asgi": Way(protocol="http/protobuf", asgi=True),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.otlp)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the shop and the collector wrote, where a test fails on what arrived."""
    report = yield
    found = getattr(item, "funcargs", {}).get("ran")
    if report.failed and isinstance(found, Run):
        report.sections.append(("The shop and the collector", found.output))
    return report


@pytest.fixture(scope="package")
def rotel() -> Path:
    """The program of the collector. Without it the test is skipped; with CI=true it fails."""
    program = find_rotel()
    if program is None:
        missing = "no collector found: `make rotel` installs it, or ROTEL names one"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return program


@pytest.fixture(scope="package")
def start(rotel: Path, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Runs the shop in a way, with a collector and a database of its own."""
    directory = tmp_path_factory.mktemp("otlp")
    migrate(directory / "empty.sqlite3")
    numbers = count(1)

    def begin(way: Way) -> Run:
        home = directory / str(next(numbers))
        home.mkdir()
        database = Path(shutil.copy(directory / "empty.sqlite3", home))
        collector = Collector(rotel, home)
        try:
            return run(way, database, collector, home / "shop.log")
        finally:
            collector.kill()

    return begin


@pytest.fixture(scope="package", params=WAYS.values(), ids=WAYS.keys())
def ran(request: pytest.FixtureRequest, start: Start) -> Run:
    """A shop that exports by hand, with our sink in its settings."""
    return start(request.param)
