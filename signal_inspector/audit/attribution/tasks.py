"""Tasks say what they are: Django's own and Celery's, where they are there, without an import.

For jobs of RQ and others there is ``audit_circumstances``.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any, Final

from signal_inspector.audit.attribution.circumstances import (
    Circumstances,
    Surroundings,
    current,
    surroundings,
)
from signal_inspector.audit.models import Origin
from signal_inspector.audit.sanitize import clean
from signal_inspector.core import internal_errors

_NAME_LENGTH: Final = 500
_ID_LENGTH: Final = 200
_UID: Final = "signal_inspector.audit"

hears_celery = False


class _TaskSurroundings(Surroundings):
    """Those of a task, and what was there before it: a task may run inside a request."""

    __slots__ = ("outer", "task_id")

    def __init__(self, circumstances: Circumstances, task_id: str) -> None:
        super().__init__(circumstances)
        self.outer = surroundings.get()
        self.task_id = task_id


def task_started(name: str, task_id: str) -> None:
    """Let what follows in this context be the work of a task, until ``task_ended`` is called."""
    around = current()
    made = Circumstances(
        origin=around.within(Origin.TASK),
        origin_name=clean(name, _NAME_LENGTH),
        request_id=clean(task_id, _ID_LENGTH),
        client=around.client,
        actor=around.actor,
        actor_label=around.actor_label,
    )
    surroundings.set(_TaskSurroundings(made, task_id))


def task_ended(task_id: str) -> None:
    """Take back what ``task_started`` did; harmless if that was never called here."""
    around = surroundings.get()
    if isinstance(around, _TaskSurroundings) and around.task_id == task_id:
        surroundings.set(around.outer)


def connect_task_signals() -> None:
    """Hear of the tasks of Django (6.0 and later), and of Celery's where it is imported by now.

    Connecting twice is harmless. Who records a dispatch and finds ``hears_celery`` False calls
    ``hear_celery`` once more: a project may import Celery whenever it likes.
    """
    if find_spec("django.tasks") is not None:
        from django.tasks import signals as django_signals  # noqa: PLC0415 - not in Django 5.2

        django_signals.task_started.connect(_django_started, dispatch_uid=_UID)
        django_signals.task_finished.connect(_django_finished, dispatch_uid=_UID)
    hear_celery()


def hear_celery() -> None:
    """Hear of Celery's tasks from now on, if it is imported; one may run already. Never raises."""
    global hears_celery
    signals: Any = sys.modules.get("celery.signals")
    if getattr(signals, "task_postrun", None) is None:  # or another thread is importing it
        return
    hears_celery = True
    try:
        signals.task_prerun.connect(_celery_started, dispatch_uid=_UID)
        signals.task_postrun.connect(_celery_ended, dispatch_uid=_UID)
        task: Any = getattr(sys.modules.get("celery"), "current_task", None)
        # A task that is called like a function is none: it has no id, and no end that is told.
        if task and task.request.id and not task.request.called_directly:
            _celery_started(task.request.id, task)
    except Exception as error:
        internal_errors.report("listening to the tasks of Celery", error)


def _django_started(task_result: Any, **kwargs: Any) -> None:
    try:
        task_started(task_result.task.module_path, str(task_result.id))
    except Exception as error:
        internal_errors.report("noting the start of a task", error)


def _django_finished(task_result: Any, **kwargs: Any) -> None:
    task_ended(str(task_result.id))


def _celery_started(task_id: Any = None, task: Any = None, **kwargs: Any) -> None:
    try:
        task_started(str(getattr(task, "name", "")), str(task_id))
    except Exception as error:
        internal_errors.report("noting the start of a task", error)


def _celery_ended(task_id: Any = None, **kwargs: Any) -> None:
    task_ended(str(task_id))
