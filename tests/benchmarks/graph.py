"""How long a large graph takes: ``python -m tests.benchmarks.graph [SIGNALS RECEIVERS]``.

Prints seconds and megabytes for each format, each the median of five.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

from signal_inspector.graph import as_dot, as_html, as_json, as_mermaid, as_svg
from tests.graph.graphs_made import large

_ROUNDS = 5


def main(signals: int, receivers: int) -> None:
    graph = large(signals, receivers)
    print(f"{signals:,} signals, {receivers:,} receivers, {len(graph.sendings_on):,} send on")
    formats: dict[str, Callable[[], str]] = {
        "mermaid": lambda: as_mermaid(graph),
        "dot": lambda: as_dot(graph),
        "json": lambda: json.dumps(as_json(graph)),
        "svg": lambda: as_svg(graph),
        "html": lambda: as_html(graph),
    }
    for name, write in formats.items():
        times = []
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            text = write()
            times.append(time.perf_counter() - started)
        size = len(text.encode()) / 1e6
        print(f"{name:8} {statistics.median(times):6.2f} s {size:6.2f} MB")


if __name__ == "__main__":
    main(*(map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (300, 1000)))
