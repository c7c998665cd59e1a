"""Run Django's own tests on bare Django, then with the wrapper in each of its ways.

What fails on bare Django (a sandbox without IPv6, say) is Django's affair; whatever differs
from the bare run is ours, and makes this script fail. Django's source distribution is fetched
once for the Django that runs here and kept under ``.ci/cache``; nothing of it is committed.

Usage: python tests/django_suites/run.py [--short] [--mode recorded] [--parallel 2] [SUITE ...]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import django

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".ci" / "cache" / "django-source"

# Sharp: they look at the dispatcher, at lifetimes, at queries, at threads and event loops, or
# they send the most signals per second. Left out although they would pass: auth_tests and cache
# (40 and 60 s, of hashing and of waiting), admin and forms (slow, and few signals).
SUITES = [
    "dispatch",  # the dispatcher itself: order, weak references, robust, async
    "signals",  # model signals, lazy senders, senders that are collected
    "m2m_signals",
    "migrate_signals",
    "save_delete_hooks",
    "asgi",  # request signals under cancellation and disconnects
    "async",
    "handlers",
    "servers",
    "settings_tests",  # setting_changed, with the stack level of its warnings
    "test_utils",  # assertNumQueries, captureOnCommitCallbacks
    "test_client",
    "test_runner",  # processes of its own
    "transactions",
    "transaction_hooks",
    "backends",  # execute_wrappers, connection_created
    "multiple_database",
    "model_inheritance",
    "model_inheritance_regress",
    "proxy_models",
    "contenttypes_tests",
    "bulk_create",
    "delete",
    "delete_regress",
    "force_insert_update",
    "prefetch_related",
    "queryset_pickle",
    "db_utils",
    "file_storage",
    "tasks",  # since Django 6.0
]

# Those of them that say the most of the wrapper, in a fraction of the time.
SHORT = [
    "dispatch",
    "signals",
    "m2m_signals",
    "save_delete_hooks",
    "asgi",
    "async",
    "handlers",
    "test_utils",
    "transactions",
    "transaction_hooks",
]

#: Nobody listens; every signal is recorded in full; and so it is while an observer hears of each
#: receiver; and so again as on a Django whose methods our own loop does not know.
MODES = ["idle", "recorded", "live", "unknown"]

#: What the wrapper is known to change, by test: in which modes, and why it stays so. An entry that
#: no longer differs makes this script fail, so that the list cannot grow stale.
ACCEPTED = {
    "backends.base.test_base.ExecuteWrapperTests.test_wrapper_connection_specific": (
        set(MODES),
        "compares the whole list execute_wrappers, where the query counter has its place",
    ),
    "settings_tests.tests.TestComplexSettingOverride.test_complex_override_warning": (
        {"unknown"},
        "counts stack frames; around a receiver that Django itself calls there is one of ours",
    ),
}

_TROUBLE = re.compile(r"^(?:FAIL|ERROR|UNEXPECTED SUCCESS): .+$", re.MULTILINE)
_RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)


@dataclass
class Result:
    """What one run of Django's tests came to."""

    mode: str
    output: str
    returncode: int
    seconds: float
    recorded: int = 0  # dispatches that the sink read
    internal_errors: str = ""  # what the inspector logged about itself
    ran: int = 0
    unhappy: set[str] = field(default_factory=set)  # "FAIL: test_x (signals.tests.Y)"

    def __post_init__(self) -> None:
        match = _RAN.search(self.output)
        self.ran = int(match[1]) if match else 0
        self.unhappy = set(_TROUBLE.findall(self.output))

    def __str__(self) -> str:
        line = f"{self.mode}: {self.ran} tests, {len(self.unhappy)} failed"
        if self.recorded:
            line += f", {self.recorded} dispatches recorded and read"
        return f"{line} ({self.seconds:.0f} s)"


def fetch_source() -> Path:
    """The folder of Django's tests, of the very version that is installed."""
    version = django.get_version()
    folder = CACHE / f"django-{version}"
    if not (folder / "tests" / "runtests.py").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            # Not `--no-binary :all:`: it would have the build tools built from source too.
            options = ["--quiet", "--quiet", "--disable-pip-version-check", "--no-deps"]
            options += ["--no-binary", "django", "--dest", scratch]
            subprocess.run([*_pip(), "download", *options, f"Django=={version}"], check=True)
            (archive,) = Path(scratch).glob("*.tar.gz")
            with tarfile.open(archive) as opened:
                opened.extractall(scratch, filter="data")
            (unpacked,) = (path for path in Path(scratch).iterdir() if path.is_dir())
            shutil.rmtree(folder, ignore_errors=True)
            unpacked.rename(folder)
    return folder / "tests"


def _pip() -> list[str]:
    """pip for this Python: its own, or another's where it was installed without one."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    return ["pip", "--python", sys.executable]


def run(mode: str, tests: Path, suites: list[str], parallel: int) -> Result:
    """Run the suites once and read what came of it."""
    with tempfile.TemporaryDirectory(prefix="signal-inspector-suites-") as scratch:
        count, internal_errors = Path(scratch, "count"), Path(scratch, "internal_errors")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
            "SUITES_MODE": mode,
            "SUITES_COUNT": str(count),
            "SUITES_INTERNAL_ERRORS": str(internal_errors),
        }
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        settings = "test_sqlite" if mode == "bare" else "suites_settings"
        options = [f"--settings={settings}", f"--parallel={parallel}"]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "runtests.py", "--noinput", *options, *suites],
            cwd=tests,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        return Result(
            mode=mode,
            output=done.stdout,
            returncode=done.returncode,
            seconds=time.monotonic() - started,
            recorded=count.stat().st_size if count.exists() else 0,
            internal_errors=internal_errors.read_text() if internal_errors.exists() else "",
        )


def _accepted(mode: str, suites: list[str]) -> dict[str, str]:
    """The accepted tests of these suites, each with its reason."""
    return {
        test: reason
        for test, (modes, reason) in ACCEPTED.items()
        if mode in modes and test.partition(".")[0] in suites
    }


def differences(bare: Result, ours: Result, suites: list[str]) -> list[str]:
    """What a run with the wrapper did that the bare run did not; empty when all is well."""
    news = ours.unhappy - bare.unhappy
    accepted = _accepted(ours.mode, suites)
    found = sorted(line for line in news if not any(f"({test})" in line for test in accepted))
    for test in accepted:
        if not any(f"({test})" in line for line in news):
            found.append(f"{test} no longer differs: take it off the list ACCEPTED")
    if ours.ran != bare.ran:
        found.append(f"{ours.ran} tests ran; {bare.ran} ran on bare Django")
    if ours.returncode != bare.returncode and not ours.unhappy:
        found.append(f"exit status {ours.returncode}; {bare.returncode} on bare Django")
    if ours.mode != "idle" and ours.recorded < ours.ran:
        found.append(f"only {ours.recorded} dispatches were recorded: is the wrapper installed?")
    if ours.internal_errors:
        found.append(f"the inspector itself failed:\n{ours.internal_errors}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="default: all that are sharp")
    parser.add_argument("--short", action="store_true", help="the sharpest, for a gate")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--parallel", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    tests = fetch_source()
    asked = options.suites or (SHORT if options.short else SUITES)
    suites = [suite for suite in asked if (tests / suite).is_dir()]
    print(f"Django {django.get_version()}: {len(suites)} of its test suites", flush=True)
    bare = run("bare", tests, suites, options.parallel)
    print(bare, flush=True)
    if not bare.ran:
        print(bare.output)
        return 1
    for known in sorted(bare.unhappy):
        print(f"  fails on bare Django: {known}")
    failed = False
    for mode in options.mode or MODES:
        ours = run(mode, tests, suites, options.parallel)
        print(ours, flush=True)
        for test, reason in _accepted(mode, suites).items():
            print(f"  differs, and is accepted: {test}: {reason}")
        found = differences(bare, ours, suites)
        if found:
            failed = True
            print(ours.output)
            print("\n".join(f"  DIFFERS from bare Django, {mode}: {each}" for each in found))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
