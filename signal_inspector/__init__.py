"""See what Django's custom signals do: receivers, order, times, queries, failures.

Add ``"signal_inspector"`` as the first of ``INSTALLED_APPS``; see the README for the panel.

PYTEST_DONT_REWRITE: pytest would warn if this is imported before it, as by ``manage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signal_inspector.core import lazy_names

if TYPE_CHECKING:
    from signal_inspector.core.listening.context import capture, suppress
    from signal_inspector.core.listening.sinks import Observer, Sink
    from signal_inspector.core.record.dispatch import Dispatch
    from signal_inspector.core.record.values import Details, Failure, Outcome, ReceiverCall
    from signal_inspector.core.wrapper.instrument import install, uninstall
    from signal_inspector.payload import Redactor

__all__ = [
    "Details",
    "Dispatch",
    "Failure",
    "Observer",
    "Outcome",
    "ReceiverCall",
    "Redactor",
    "Sink",
    "capture",
    "install",
    "suppress",
    "uninstall",
]

__version__ = "0.1.0"

# Imported on demand: the pytest plugin is loaded in every test run of an environment, and would
# import Django with it, which all of this depends on.
_HOMES = {
    "Details": "core.record.values",
    "Dispatch": "core.record.dispatch",
    "Failure": "core.record.values",
    "Observer": "core.listening.sinks",
    "Outcome": "core.record.values",
    "ReceiverCall": "core.record.values",
    "Redactor": "payload",
    "Sink": "core.listening.sinks",
    "capture": "core.listening.context",
    "install": "core.wrapper.instrument",
    "suppress": "core.listening.context",
    "uninstall": "core.wrapper.instrument",
}


if not TYPE_CHECKING:  # a type checker would accept every name
    __getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
