"""Who sends, and from where: one ``Circumstances`` per request, command, task or shell.

The dispatches of a request share one object. So what becomes known later, such as the user when
the application asks for it, applies to all of them that are not written yet. An actor is kept as
text, ``auth.User:7``, which is read without running a query or the user's code.

Django's own tasks and those of Celery are recognized by their signals; Celery is not imported for
this. For jobs of RQ and others, there is ``audit_circumstances``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, cast
from uuid import UUID

from django.db.models import Model
from django.db.models.options import Options
from django.utils.functional import LazyObject

from signal_inspector.audit.attribution.processes import process_origin
from signal_inspector.audit.models import ACTOR_LABEL_LENGTH, ACTOR_LENGTH, Origin
from signal_inspector.audit.sanitize import clean
from signal_inspector.audit.settings import get_settings
from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.record.details import redactor
from signal_inspector.payload.text import MARK

_ORIGIN_NAME_LENGTH: Final = 500
_LOOKED_THROUGH: Final = 2_000  # characters of a name, or an actor's text, searched for secrets

_ID_LENGTH: Final = 200
_UID: Final = "signal_inspector.audit"

hears_celery = False


def actor_of(actor: object) -> tuple[str, str]:
    """Key and label of a user or another saved instance, or of a text; ("", "") for nobody.

    An instance of a proxy model has the key of the concrete model: both are the same person. A
    user who is not logged in is nobody, and so is a lazy user that has not been evaluated. The
    label is the user's name if ``AUDIT["ACTOR_LABELS"]`` allows it; strict mode keeps no names.
    Strict mode also keeps no texts, and only keys that are numbers or UUIDs. Never raises.
    """
    try:
        # By the class: isinstance() would evaluate a lazy object.
        if issubclass(type(actor), LazyObject):
            actor = vars(actor).get("_wrapped")
        if issubclass(type(actor), str):
            text = str.__str__(cast("str", actor))[:_LOOKED_THROUGH]
            text = clean(redactor(get_config()).redact_text(text), ACTOR_LENGTH)
            return text, text[:ACTOR_LABEL_LENGTH]
        return _of_instance(cast("Model", actor)) if issubclass(type(actor), Model) else ("", "")
    except Exception as error:  # the key may be of any type, and str() of it may raise
        internal_errors.report("naming an actor", error)
        return "", ""


def _of_instance(actor: Model) -> tuple[str, str]:
    cls: Any = type(actor)
    options: Options[Any] = cls._meta
    held: dict[str, Any] = vars(actor)
    parts = [held.get(field.attname) for field in options.pk_fields]
    if not parts or any(part is None for part in parts):
        return "", ""
    strict = get_config().strict
    texts = [MARK if strict and type(part) not in (int, UUID) else str(part) for part in parts]
    key = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
    label = held.get(getattr(cls, "USERNAME_FIELD", ""))
    keeps_labels = get_settings().actor_labels and not strict
    if not isinstance(label, str) or not keeps_labels:
        label = ""
    model = options.concrete_model or cls
    key = f"{model._meta.label}:{key}"
    return clean(key, ACTOR_LENGTH), clean(label, ACTOR_LABEL_LENGTH)


def origin_name(text: str) -> str:
    """A text that names the code that sends, with secrets in it redacted."""
    found = redactor(get_config()).redact_text(text[:_LOOKED_THROUGH])
    return clean(found, _ORIGIN_NAME_LENGTH)


class Circumstances:
    """Plain values that dispatches of one request, command or task have in common."""

    __slots__ = ("actor", "actor_label", "client", "origin", "origin_name", "request_id")

    def __init__(
        self,
        *,
        origin: Origin = Origin.OTHER,
        origin_name: str = "",
        request_id: str = "",
        client: str | None = None,
        actor: str = "",
        actor_label: str = "",
    ) -> None:
        self.origin = origin
        self.origin_name = origin_name  # "POST /checkout/<int:pk>/", "manage.py send_reminders"
        self.request_id = request_id
        self.client = client  # a valid address, or None
        self.actor = actor  # "auth.User:7"; "" while nobody is known
        self.actor_label = actor_label

    def within(self, origin: Origin) -> Origin:
        """The origin of code that runs inside: everything that a retry runs belongs to it."""
        return Origin.RETRY if self.origin is Origin.RETRY else origin

    def take_actor(self, actor: object) -> None:
        """Note the actor: a model instance, or a text such as "billing". Runs no query."""
        self.actor, self.actor_label = actor_of(actor)


class Surroundings:
    """The circumstances of a context, and functions that may learn more about them meanwhile."""

    __slots__ = ("circumstances", "find_actor", "find_name")

    def __init__(
        self,
        circumstances: Circumstances,
        find_actor: Callable[[], object] | None = None,
        find_name: Callable[[], str] | None = None,
    ) -> None:
        self.circumstances = circumstances
        #: Returns the user if the application knows it by now. Set to None at the end.
        self.find_actor = find_actor
        #: Returns the name of the origin, or "" if it is not known yet. Set to None once known.
        self.find_name = find_name

    def look(self) -> None:
        """Take the name and the actor if they are known by now. Raises no internal error."""
        found = self.circumstances
        try:
            name = "" if self.find_name is None else self.find_name()
            if name:
                found.origin_name = name
                self.find_name = None
            actor = None if found.actor or self.find_actor is None else self.find_actor()
            if actor is not None:
                found.take_actor(actor)
        except Exception as error:
            internal_errors.report("looking for the actor of a request", error)

    def finish(self) -> None:
        """Look for the last time, and drop the references to the functions."""
        try:
            self.look()
        finally:  # a signal handler of the process may raise in look()
            self.find_actor = self.find_name = None


surroundings: Final[ContextVar[Surroundings | None]] = ContextVar(
    "signal_inspector_audit", default=None
)


def current() -> Circumstances:
    """The circumstances of the code that runs now; by default, those of the process."""
    around = surroundings.get()
    if around is None:
        return process_circumstances()
    found = around.circumstances
    if around.find_name is not None or (not found.actor and around.find_actor is not None):
        around.look()
    return found


@cache
def process_circumstances() -> Circumstances:
    """The circumstances of code outside of requests and tasks: how its process was started."""
    origin, name = process_origin()
    return Circumstances(origin=origin, origin_name=name)


class audit_circumstances:  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Name the code inside: ``with audit_circumstances(origin="task", name="nightly"): …``

    For code that the audit cannot recognize by itself: jobs of RQ, consumers, scripts. ``origin``
    is "request", "command", "task", "shell" or "other"; ``actor`` is a user (or any saved model
    instance) or a text; ``request_id`` is the id of the job. What is left out is taken from the
    outer circumstances. It works in sync and async code; threads started inside do not inherit it.
    """

    def __init__(
        self,
        *,
        origin: str | None = None,
        name: str | None = None,
        actor: object = None,
        request_id: object = None,
    ) -> None:
        self._origin = None if origin is None else Origin[origin.upper()]
        self._name = None if name is None else origin_name(str(name))
        self._actor = actor
        self._request_id = None if request_id is None else str(request_id)
        self._outer: list[Surroundings | None] = []

    def __enter__(self) -> Circumstances:
        around = current()
        made = Circumstances(
            origin=around.within(around.origin if self._origin is None else self._origin),
            origin_name=around.origin_name if self._name is None else self._name,
            request_id=around.request_id if self._request_id is None else self._request_id,
            client=around.client,
            actor=around.actor,
            actor_label=around.actor_label,
        )
        outer = surroundings.get()
        find_actor = None if outer is None else outer.find_actor
        find_name = None if outer is None or self._name is not None else outer.find_name
        if self._actor is not None:
            made.take_actor(self._actor)
            find_actor = None
        self._outer.append(outer)
        surroundings.set(Surroundings(made, find_actor, find_name))
        return made

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        around, outer = surroundings.get(), self._outer.pop()
        try:
            if around is not None:
                around.finish()
        finally:
            surroundings.set(outer)


class _TaskSurroundings(Surroundings):
    """The surroundings of a task, and the outer ones: a task may run inside a request."""

    __slots__ = ("outer", "task_id")

    def __init__(self, circumstances: Circumstances, task_id: str) -> None:
        super().__init__(circumstances)
        self.outer = surroundings.get()
        self.task_id = task_id


def task_started(name: str, task_id: str) -> None:
    """Attribute what follows in this context to a task, until ``task_ended`` is called."""
    around = current()
    made = Circumstances(
        origin=around.within(Origin.TASK),
        origin_name=clean(name, _ORIGIN_NAME_LENGTH),
        request_id=clean(task_id, _ID_LENGTH),
        client=around.client,
        actor=around.actor,
        actor_label=around.actor_label,
    )
    surroundings.set(_TaskSurroundings(made, task_id))


def task_ended(task_id: str) -> None:
    """Undo ``task_started``; does nothing if that was not called in this context."""
    around = surroundings.get()
    if isinstance(around, _TaskSurroundings) and around.task_id == task_id:
        surroundings.set(around.outer)


def connect_task_signals() -> None:
    """Listen to Django's task signals (6.0 and later), and to Celery's if it is imported by now.

    Connecting twice is harmless. While ``hears_celery`` is False, ``hear_celery`` is called again
    when a dispatch is recorded: a project may import Celery at any time.
    """
    if find_spec("django.tasks") is not None:
        from django.tasks import signals as django_signals  # noqa: PLC0415 - not in Django 5.2

        django_signals.task_started.connect(_django_started, dispatch_uid=_UID)
        django_signals.task_finished.connect(_django_finished, dispatch_uid=_UID)
    hear_celery()


def hear_celery() -> None:
    """Listen to Celery's task signals if it is imported; a task may run already. Never raises."""
    global hears_celery
    signals: Any = sys.modules.get("celery.signals")
    if getattr(signals, "task_postrun", None) is None:  # not imported, or only in part so far
        return
    hears_celery = True
    try:
        signals.task_prerun.connect(_celery_started, dispatch_uid=_UID)
        signals.task_postrun.connect(_celery_ended, dispatch_uid=_UID)
        task: Any = getattr(sys.modules.get("celery"), "current_task", None)
        # A task that is called like a function does not count: it has no id, and no signal is
        # sent at its end.
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
