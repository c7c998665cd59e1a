"""How long the checks take: on the example shop, and on a project of 2,000 files.

``python -m tests.benchmarks.checks`` prints milliseconds of a processor, the median of some runs:
what a command spends on the checks of signals alone, beside what it takes in all.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPS, FILES = 40, 50  # files of an app
ROUNDS = 5

RUN = """
import sys, time, django
started = time.process_time()
django.setup()
from signal_inspector.checks import signals
from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import get_options
ready = time.process_time()
facts = Facts(get_options())
signals.findings(facts, signals.FROM_CONNECTIONS)
quick = time.process_time()
signals.findings(facts, signals.FROM_SOURCE)
print(*(1000 * each for each in (ready - started, quick - ready, time.process_time() - quick)))
"""

SOURCE = '''
from django.dispatch import Signal, receiver
from django.conf import settings

thing_{number}_done = Signal()

class Service{number}:
    """Does things."""

    def __init__(self, name, price=0):
        self.name, self.price = name, price

    def run(self, *args, **kwargs):
        for argument in args:
            if argument in kwargs:
                self.price += kwargs[argument]
        thing_{number}_done.send_robust(sender=type(self), service=self)
        return {{"name": self.name, "price": self.price, "debug": settings.DEBUG}}
''' + "".join(
    f'''

def helper_{each}(first, second, *, third=None):
    """Works out {each}."""
    total = [value * {each} for value in (first, second) if value]
    return dict(zip("abc", total, strict=False), third=third)
'''
    for each in range(12)
)

#: What most files are like: as long, and nothing of signals in it.
PLAIN = "\n".join(
    line for line in SOURCE.splitlines() if "thing_" not in line and "Signal" not in line
)

RECEIVERS = """
from django.dispatch import receiver
from app_{app}.module_0 import thing_0_done

@receiver(thing_0_done)
def store(sender, service, **kwargs):
    return service.price
"""


def make_project(directory: Path, share: int) -> None:
    """40 apps of 50 files, of some 90 lines each; of so many modules one has a signal."""
    names = [f"app_{app}" for app in range(APPS)]
    for app, name in enumerate(names):
        (directory / name).mkdir()
        (directory / name / "__init__.py").touch()
        for number in range(FILES - 3):
            source = PLAIN if number % share else SOURCE
            (directory / name / f"module_{number}.py").write_text(source.format(number=number))
        (directory / name / "receivers.py").write_text(RECEIVERS.format(app=app))
        (directory / name / "apps.py").write_text(
            f"from django.apps import AppConfig\n\nclass C(AppConfig):\n    name = '{name}'\n"
            f"    def ready(self):\n        import {name}.receivers\n"
        )
    (directory / "big_settings.py").write_text(
        f"INSTALLED_APPS = ['signal_inspector', *{names!r}]\n"
    )


def measure(directory: Path, settings: str) -> list[float]:
    """Milliseconds: django.setup(), the checks of connections, those of the source."""
    path = os.pathsep.join([str(directory), str(ROOT)])
    with tempfile.TemporaryDirectory() as data:
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "DJANGO_SETTINGS_MODULE": settings,
            "SHOP_DATA_DIR": data,
        }
        rounds = [
            subprocess.run(
                [sys.executable, "-c", RUN],
                cwd=directory,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for _ in range(ROUNDS)
        ]
    figures = [[float(figure) for figure in each.split()[-3:]] for each in rounds]
    return [statistics.median(column) for column in zip(*figures, strict=True)]


def main() -> None:
    row = "{:<30} {:>14} {:>14} {:>14}"
    print(row.format("milliseconds", "django.setup()", "connections", "source"))
    with tempfile.TemporaryDirectory() as usual, tempfile.TemporaryDirectory() as full:
        make_project(Path(usual), 10)
        make_project(Path(full), 1)
        for title, where, settings in (
            ("the example shop", ROOT / "example_project", "config.settings"),
            ("2,000 files, 240 with signals", Path(usual), "big_settings"),
            ("2,000 files, all with signals", Path(full), "big_settings"),
        ):
            print(row.format(title, *(f"{each:,.0f}" for each in measure(where, settings))))


if __name__ == "__main__":
    main()
