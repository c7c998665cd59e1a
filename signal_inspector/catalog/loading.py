"""What a server imports beyond ``django.setup()``: there, too, receivers are connected."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.utils.module_loading import import_string

from signal_inspector import payload
from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.display.text import exception_line


def load_as_server() -> list[str]:
    """Import the URLconf with its views, and the middleware; what could not be imported, in words.

    A process that runs a command or a task has not done so, and may know fewer receivers.
    """
    problems = []
    urlconf = getattr(settings, "ROOT_URLCONF", None)
    if isinstance(urlconf, str):
        try:
            import_module(urlconf)
        except Exception as error:
            internal_errors.let_through(error)
            problems.append(_problem(urlconf, error))
    for path in getattr(settings, "MIDDLEWARE", None) or ():
        try:
            import_string(path)
        except Exception as error:
            internal_errors.let_through(error)
            problems.append(_problem(path, error))
    return problems


def _problem(name: str, error: Exception) -> str:
    failure = payload.summarize_exception(error, get_config().limits, with_traceback=False)
    why = exception_line(failure.exception_class, failure.message)
    return (
        f"{name} cannot be imported ({why}), so what is connected there, "
        "and in what it imports, is missing here."
    )
