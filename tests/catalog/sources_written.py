"""Small projects, written for one test each."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from signal_inspector.source_code.project import read_directory
from signal_inspector.source_code.records import Connect, Creation, ModuleSource, Send


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read of some files."""

    modules: list[ModuleSource]

    @property
    def creations(self) -> list[Creation]:
        return [each for module in self.modules for each in module.creations]

    @property
    def sends(self) -> list[Send]:
        return [each for module in self.modules for each in module.sends]

    @property
    def connects(self) -> list[Connect]:
        return [each for module in self.modules for each in module.connects]

    @property
    def sent(self) -> list[tuple[str, str]]:
        """``(function, signal)`` of each send."""
        return [(each.function, each.signal) for each in self.sends]

    @property
    def connected(self) -> list[tuple[str, str]]:
        """``(signal, receiver)`` of each connection."""
        return [(each.signal, each.receiver) for each in self.connects]

    @property
    def problems(self) -> list[str]:
        return [module.problem for module in self.modules if module.problem]


SIGNALS = """
    from django.dispatch import Signal
    order_placed = Signal()
    order_paid = Signal()
"""


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a directory, with ``__init__.py`` in each directory of them."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(root).parents:
            if parent.name:
                (root / parent / "__init__.py").touch()
        content = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        path.write_bytes(content)
    return root


def read(root: Path, files: dict[str, str | bytes]) -> Sources:
    """What the source of these files says of signals."""
    return Sources(read_directory(str(write(root, files))))
