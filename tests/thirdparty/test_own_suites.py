"""Packages with signals run their own tests: bare, and with every room on. Nothing may differ.

The tests come with the packages' pinned sdists, which ``make test-thirdparty`` fetches.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from tests.listening import ROOT

SDISTS = Path(os.environ.get("SDISTS", ROOT / ".ci" / "cache" / "sdists"))
INSIDE = ROOT / "tests" / "thirdparty" / "inside"
#: Lines "package: test: why it differs", for what is known and meant.
KNOWN = ROOT / "tests" / "thirdparty" / "differences.txt"


@dataclass(frozen=True)
class Suite:
    """How the tests of a package are run."""

    package: str
    tests: str  # below the root
    settings: str = ""  # a module, or module:name of a dict
    root: str = "."  # below the sdist
    more: dict[str, Any] = field(default_factory=dict)  # settings
    deselected: tuple[str, ...] = ()  # tests that depend on the clock


SUITES = (
    Suite(
        "django-axes",
        "tests",
        "tests.settings",
        deselected=("tests/test_handlers.py::AxesDatabaseHandlerTestCase",),
    ),
    Suite("django-guardian", "guardian/testapp/tests", "guardian.testapp.testsettings"),
    Suite(
        "django-simple-history",
        "simple_history/tests",
        "runtests:DEFAULT_SETTINGS",
        more={"DATABASES": {"default": {}, "other": {}}},
    ),
    Suite("django-reversion", "test_app/tests", "test_project.settings", root="tests"),
    Suite(
        "openedx-events",
        "openedx_events",
        more={
            "INSTALLED_APPS": [
                "django.contrib.admin",
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.messages",
                "django.contrib.sessions",
                "openedx_events",
            ],
            "TEMPLATES": [
                {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
            ],
        },
    ),
    Suite("django-filter", "tests", "tests.settings"),  # a project without the admin
)


@dataclass
class Ended:
    """How a run ended."""

    tests: dict[str, str]
    dispatches: int
    spans: int
    failures: dict[str, int]
    output: str


def start(
    suite: Suite, where: Path, *, inspected: bool, only: Sequence[str]
) -> subprocess.Popen[str]:
    """Start the tests of a package, or some of them, in a process of their own."""
    root = next(where.glob("*/")) / suite.root
    asked = {
        "settings": suite.settings,
        "more": suite.more,
        "inspected": inspected,
        "into": str(where / f"{inspected}.json"),
    }
    (where / "pytest.ini").write_text("[pytest]\npython_files = test_*.py tests.py\n")
    command = [
        *(sys.executable, "-m", "pytest", "-c", str(where / "pytest.ini"), "--rootdir", str(root)),
        *("-p", "suite_plugin", "-p", "no:cacheprovider", "-q", "-W", "ignore"),
        *("--ds", "suite_settings", "--tb=short", *(only or [suite.tests])),
        *(f"--deselect={each}" for each in suite.deselected),
    ]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        "PYTHONPATH": os.pathsep.join((str(root), str(INSIDE), str(ROOT))),
        "SUITE": json.dumps(asked),
    }
    with (where / f"{inspected}.log").open("w") as log:
        return subprocess.Popen(
            command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True
        )


def ended(running: subprocess.Popen[str], where: Path, *, inspected: bool) -> Ended:
    """Wait for them, and read how they ended."""
    running.wait(1_200)
    output = (where / f"{inspected}.log").read_text()[-8_000:]
    written = where / f"{inspected}.json"
    assert written.exists(), output
    found = json.loads(written.read_text())
    return Ended(
        tests=found["tests"],
        dispatches=found.get("dispatches", 0),
        spans=found.get("spans", 0),
        failures=found.get("failures of ours", {}),
        output=output,
    )


def both(suite: Suite, where: Path, only: Sequence[str] = ()) -> tuple[Ended, Ended]:
    """How its tests end without the inspector and with it."""
    bare, inspected = (start(suite, where, inspected=each, only=only) for each in (False, True))
    return ended(bare, where, inspected=False), ended(inspected, where, inspected=True)


def different(bare: Ended, inspected: Ended) -> set[str]:
    """The tests that ended otherwise."""
    tests = bare.tests.keys() | inspected.tests.keys()
    return {test for test in tests if bare.tests.get(test) != inspected.tests.get(test)}


def known(package: str) -> set[str]:
    """The tests of a package that are known to end otherwise when inspected."""
    lines = [line.split(": ", 2) for line in KNOWN.read_text().splitlines() if line[:1] != "#"]
    return {test for name, test, _ in lines if name == package}


def sdist(package: str) -> Path:
    """The pinned sdist; skips where it is not, or fails where it is required."""
    try:
        wanted = f"{package.replace('-', '_')}-{version(package)}.tar.gz"
        found = SDISTS / wanted
        missing = "" if found.exists() else wanted
    except PackageNotFoundError:
        missing = package
    if missing:
        reason = f"not at hand: {missing} (make test-thirdparty fetches it)"
        if os.environ.get("THIRDPARTY") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.thirdparty
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.package)
def test_own_suite(suite: Suite, tmp_path: Path) -> None:
    """Each test of the package ends as it does without the inspector, but for what is known."""
    with tarfile.open(sdist(suite.package)) as packed:
        packed.extractall(tmp_path, filter="data")
    bare, inspected = both(suite, tmp_path)
    passed = [test for test, outcome in bare.tests.items() if outcome == "passed"]
    assert len(passed) > 0.8 * len(bare.tests) > 20, bare.output
    found = different(bare, inspected)
    if unknown := found - known(suite.package):
        # Some of these tests look at the clock: what differs is run again, by itself.
        again = both(suite, tmp_path, only=sorted(unknown))
        found = (found - unknown) | different(*again)
        assert again[1].tests.keys() >= unknown, again[1].output
    assert found == known(suite.package), inspected.output
    assert inspected.dispatches > 100
    assert inspected.spans > 100
    assert inspected.failures == {}
