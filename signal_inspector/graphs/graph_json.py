"""The graph as JSON, for programs; docs/graph.md says what the fields mean."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import signal_inspector
from signal_inspector.catalog.graph_records import Graph
from signal_inspector.graphs.wording import shown_path

#: Changes when a field is taken away or means something else, not when one is added.
VERSION: Final = 1


def as_json(graph: Graph) -> dict[str, Any]:
    """Plain data: nodes by name, edges by the names of their ends."""
    orphans = graph.orphans()
    steps = graph.cyclic_steps()
    return {
        "version": VERSION,
        "generator": f"django-signal-inspector {signal_inspector.__version__}",
        "signals": [
            _located(asdict(signal)) | {"is_orphan": signal.name in orphans}
            for signal in graph.signals
        ],
        "functions": [_located(asdict(function)) for function in graph.functions],
        "sends": [_located(asdict(sending)) for sending in graph.sendings],
        "receives": [
            asdict(each) | {"is_cyclic": (each.signal, each.receiver) in steps}
            for each in graph.receivings
        ],
        "sends_on": [
            asdict(each)
            | {
                "known": [known.value for known in each.known],
                "through": list(each.through),
                "sends": [_located(asdict(sending)) for sending in each.sends],
                "is_cyclic": (each.receiver, each.signal) in steps,
            }
            for each in graph.sendings_on
        ],
        "cycles": [list(cycle) for cycle in graph.cycles],
    }


def _located(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"path": shown_path(fields["path"])}
