"""What is written down while a world runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.differential.spec import Method, Step


@dataclass(eq=False)
class Call:
    """One receiver call, as the receiver saw it."""

    send: Sent
    receiver: int
    number: int  # among the calls of its send, in the order in which they began
    outcome: str = "running"
    error: str = ""
    count: int = 0  # of what it sent, for the keys
    probes: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class Sent:
    """One send, as the sender saw it."""

    key: str
    signal: int
    method: Method
    parent: Call | None
    in_task: bool  # whether a task that the parent started has sent it
    recorded: bool  # whether the inspector has a chance to see it
    calls: list[Call] = field(default_factory=list)
    receivers: list[object] | None = None  # of the responses
    error: str = ""

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.send.depth + 1


@dataclass
class Observation:
    """What one top-level step came to."""

    step: Step | str
    outcome: object
    log: list[object]
    loose: list[object]  # what comes about when objects are freed, in no certain order
    variables: object
    signals: object
    alive: object
