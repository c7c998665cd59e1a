"""``python -m tests.benchmarks.watched``: what a send costs while a terminal watches.

Beside sends of the same process before the terminal was there: processor time and time on the
clock for each of some thousand sends in a row, and how many of them the terminal did not see.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import django
from django.dispatch import Signal

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SENDS: Final = 3_000
signal_1 = Signal()
signal_5 = Signal()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="si-") as home:
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.watch.server_settings"
        os.environ["WATCH_DIRECTORY"] = home
        django.setup()
        for receivers, signal in ((1, signal_1), (5, signal_5)):
            held = [_receiver() for _ in range(receivers)]
            for receiver in held:
                signal.connect(receiver)
            print(f"{receivers} receivers, nobody watching: {_measured(signal)}")
            print(f"{receivers} receivers, one watching:    {_watched(signal)}")


def _receiver() -> object:
    def receiver(sender: object, **named: object) -> None:
        pass

    return receiver


def _watched(signal: Signal) -> str:
    arguments = [sys.executable, "-m", "django", "signals", "watch", "--json"]
    watcher = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert watcher.stderr is not None
    watcher.stderr.readline()  # it listens now
    time.sleep(1.1)  # after which this process looks for watchers again
    measured = _measured(signal)
    time.sleep(1)
    watcher.send_signal(2)
    _, said = watcher.communicate(timeout=60)
    seen = re.search(r"([\d,]+) dispatches in ", said)
    assert seen is not None, said
    return f"{measured}, {2 * SENDS - int(seen[1].replace(',', ''))} of {2 * SENDS} not seen"


def _measured(signal: Signal) -> str:
    best = 1e9
    for _ in range(2):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(SENDS):
            signal.send(None, number=1, name="an order")
        clock = (time.perf_counter() - began) / SENDS * 1e6
        best = min(best, (time.process_time() - used) / SENDS * 1e6)
    return f"{best:,.1f} µs of processor time, {clock:,.1f} µs on the clock"


if __name__ == "__main__":
    main()
