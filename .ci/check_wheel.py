"""Look into the built distributions: is everything in them, and do they work on Django alone?

Usage: check_wheel.py DIST_FOLDER. Compares the wheel with the package's folder, installs it into a
fresh virtual environment beside nothing but Django, imports it there and loads a template.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "signal_inspector"

# Run outside the checkout, so that what is imported is the wheel. Optional libraries must stay
# unneeded: they are not installed there.
PROBE = """
import importlib.util, sys
for absent in ("debug_toolbar", "opentelemetry", "igraph", "pytest"):
    assert importlib.util.find_spec(absent) is None, absent + " is installed"
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["signal_inspector"])
django.setup()
import signal_inspector
assert {environment!r} in signal_inspector.__file__, signal_inspector.__file__
from django.core.management import call_command
call_command("check", fail_level="WARNING", verbosity=0)
from django.dispatch import Signal
ping = Signal()
def pong(**named): return "pong"
ping.connect(pong)
with signal_inspector.capture() as dispatches:
    ping.send("check_wheel")
assert [call.outcome for call in dispatches[0].calls] == ["returned"], list(dispatches)
print("signal_inspector", signal_inspector.__version__, "works on Django", django.__version__)
"""


def package_files() -> set[str]:
    """What the package's folder holds and a user must get."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    missing = package_files() - names
    foreign = {name for name in names if not name.startswith("signal_inspector/")}
    foreign = {name for name in foreign if ".dist-info/" not in name}
    for must in ("/py.typed", "/dispatch.schema.json", "/templates/", "/static/", "/LICENSE"):
        if not any(must in name for name in names):
            missing.add(must)
    if missing or foreign:
        sys.exit(f"{wheel.name}: missing {sorted(missing)}, foreign {sorted(foreign)}")
    print(f"{wheel.name}: {len(names)} files, none missing, none foreign")


def check_source(archive: Path) -> None:
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    missing = (package_files() | {"LICENSE", "CHANGELOG.md", "pyproject.toml"}) - names
    if missing:
        sys.exit(f"{archive.name}: missing {sorted(missing)}")
    print(f"{archive.name}: {len(names)} files, none missing")


def check_install(wheel: Path) -> None:
    django = f"--requirement={ROOT / 'requirements' / 'django52.txt'}"
    with tempfile.TemporaryDirectory(prefix="signal-inspector-wheel-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        subprocess.run([*pip, django, wheel], check=True, cwd=folder)
        probe = PROBE.format(environment=str(Path(folder).resolve()))
        subprocess.run([python, "-W", "error", "-c", probe], check=True, cwd=folder)


def main() -> None:
    dist = Path(sys.argv[1])
    (wheel,) = dist.glob("*.whl")
    (archive,) = dist.glob("*.tar.gz")
    check_contents(wheel)
    check_source(archive)
    check_install(wheel.resolve())


if __name__ == "__main__":
    main()
