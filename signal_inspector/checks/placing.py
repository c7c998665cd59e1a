"""Where receivers are defined, and when they are connected."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from django.apps import apps

from signal_inspector.checks.facts import Connected, Facts
from signal_inspector.checks.findings import Finding, Kind, at, concerns
from signal_inspector.core.wrapper.connection_log import Phase
from signal_inspector.names.safe import class_path, instance_attribute
from signal_inspector.source_code.records import Connect

_AT_IMPORT = "<module>"
#: ``class_prepared`` is sent while models load, and ``setting_changed`` is for modules that cache
#: settings: both have to be connected when a module is imported, whenever that is.
_ANYWHERE = ("django.core.signals.setting_changed", "django.db.models.signals.class_prepared")
#: Only ``migrate`` and ``flush`` send these, and they import ``management`` of every app first.
_OF_MIGRATE = ("django.db.models.signals.pre_migrate", "django.db.models.signals.post_migrate")
_TOO_LATE = (
    "It misses everything that is sent before that, and it receives nothing in a process that "
    "never runs this code, such as a command or a worker."
)


def misplaced(facts: Facts) -> Iterator[Finding]:
    """W018: receivers in ``models.py`` or ``views.py``. W016: connected before ``ready()``."""
    for each in facts.own:
        if each.is_dead or each.signal in _ANYWHERE or _phase(each) is Phase.AFTER:
            continue  # after start-up, it is W017
        home = home_of(each.name.name, each.name.path)
        if home and facts.is_own_place(each.name.path):
            yield _among(home, each)
        elif _is_early(each):
            yield _outside_ready(each)


def late(facts: Facts) -> Iterator[Finding]:
    """W017: receivers connected after start-up, or by a module not imported at start-up."""
    for each in facts.own:
        if each.is_dead or each.signal in _ANYWHERE or _phase(each) is not Phase.AFTER:
            continue
        if not _is_for_migrate(each.signal, each.name.name):
            yield _connected_late(each)
    loaded = _loaded_files()
    for source in facts.sources:
        if source.module in sys.modules or source.path in loaded or _is_apart(source.module):
            continue
        for connect in source.connects:
            if connect.function != source.module or connect.signal in _ANYWHERE:
                continue
            if _is_for_migrate(connect.signal, f"{source.module}.it"):
                continue
            if concerns(facts.options, connect.signal):
                yield _never_imported(source.module, connect)


def home_of(dotted: str, path: str) -> str:
    """``models`` or ``views`` if that is a receiver's module or package; otherwise ""."""
    inner = path.replace("\\", "/").removesuffix(".py").split("/")[-2:]
    inside = set(inner).intersection(dotted.split("."))
    return next((name for name in ("models", "views") if name in inside), "")


def _is_for_migrate(signal: str, receiver: str) -> bool:
    """Whether the only commands that send this signal import the receiver in time."""
    if signal not in _OF_MIGRATE:
        return False
    config = apps.get_containing_app_config(receiver)
    return config is not None and receiver.startswith(f"{config.name}.management.")


def _phase(each: Connected) -> Phase | None:
    return each.connection.phase if each.connection else None


def _is_early(each: Connected) -> bool:
    """Whether a module connected it early, at import; ``contribute_to_class()`` etc. have to."""
    early = _phase(each) in (Phase.APPS, Phase.MODELS)
    at_import = each.connected_at.function == _AT_IMPORT
    return early and at_import


def _among(home: str, each: Connected) -> Finding:
    return Finding(
        kind=Kind.MISPLACED,
        subject=each.name.name,
        message=(
            f"The receiver{at(each.name.path, each.name.line)} of {each.signal} is defined "
            f"among the {home}. It is easily overlooked there, and its imports are imported "
            f"with the {home}."
        ),
        hint=_moved(each.name.name),
        names=(each.name.name, each.signal),
        path=each.name.path,
        line=each.name.line,
    )


def _outside_ready(each: Connected) -> Finding:
    where = each.connected_at
    return Finding(
        kind=Kind.OUTSIDE_READY,
        subject=each.name.name,
        message=(
            f"The receiver{at(each.name.path, each.name.line)} was connected to {each.signal} "
            f"before all models were loaded{at(where.path, where.line)}: its module was "
            "imported together with the models of another module. Whoever cleans up that import "
            "will not know that it connects a receiver."
        ),
        hint=f"Import its module in {_ready(each)}, and not before that.",
        names=(each.name.name, each.signal),
        path=where.path,
        line=where.line,
    )


def _connected_late(each: Connected) -> Finding:
    where = each.connected_at
    at_import = where.function in ("", _AT_IMPORT)
    how = "when its module was imported" if at_import else f"by {where.function}"
    return Finding(
        kind=Kind.LATE,
        subject=each.name.name,
        message=(
            f"The receiver{at(each.name.path, each.name.line)} was connected to {each.signal} "
            f"after start-up, {how}{at(where.path, where.line)}. {_TOO_LATE}"
        ),
        hint=(
            _moved(each.name.name)
            if home_of(each.name.name, each.name.path)
            else f"Connect it in {_ready(each)}, or import its module there."
        ),
        names=(each.name.name, each.signal),
        path=where.path,
        line=where.line,
    )


def _never_imported(module: str, connect: Connect) -> Finding:
    name = connect.receiver or module
    return Finding(
        kind=Kind.LATE,
        subject=name,
        message=(
            f"{module} connects a receiver to {connect.signal}{at(connect.path, connect.line)}, "
            f"but is not imported at start-up. {_TOO_LATE}"
        ),
        hint=(
            _moved(module)  # an import of it would lead to W018
            if home_of(module, connect.path)
            else f"Import {module} in {ready_of(module)}."
        ),
        names=(name, connect.signal),
        path=connect.path,
        line=connect.line,
    )


def _moved(dotted: str) -> str:
    return (
        f"Move it to its own module, such as receivers.py, and import that in {ready_of(dotted)}."
    )


def _ready(each: Connected) -> str:
    return ready_of(each.name.name)


def ready_of(dotted: str) -> str:
    """The ``ready()`` to use: that of the app that contains this module."""
    config = apps.get_containing_app_config(dotted)
    if config is None:
        return "the ready() of an AppConfig"
    kind = type(config)
    if kind.__module__.startswith("django."):  # the app has no AppConfig of its own
        return f"the ready() of an AppConfig of {config.name}"
    return f"{class_path(kind)}.ready()"


def _is_apart(module: str) -> bool:
    """Whether start-up should not import a module: it is a program, or in no installed app."""
    if ".management.commands." in module or module.rpartition(".")[2] == "__main__":
        return True
    return apps.get_containing_app_config(module) is None


def _loaded_files() -> set[object]:
    return {instance_attribute(module, "__file__") for module in dict.copy(sys.modules).values()}
