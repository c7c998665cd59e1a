"""What the source says about signals: where they are made, sent and connected.

Files are read, never imported, so this also works for code that cannot be imported, and without
``django.setup()``. Names are followed through imports, attributes of classes, items of containers
and arguments of calls. A ``Mention`` shows where a signal is passed on and cannot be followed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from django.apps import apps
from django.conf import settings

from signal_inspector.core.record.callers import is_third_party
from signal_inspector.source_code.files import (
    files_below,
    forget_readings,
    has_words,
    names_signals,
    reading_of,
)
from signal_inspector.source_code.names import Given, Names
from signal_inspector.source_code.records import (
    Connect,
    Creation,
    Mention,
    ModuleSource,
    ReadConnect,
    ReadCreation,
    Reading,
    ReadSend,
    Send,
)

__all__ = [
    "forget_readings",
    "project_readings",
    "project_sources",
    "read_directory",
    "read_module",
    "settle",
]


def read_module(module: str, path: str) -> ModuleSource:
    """What one file says. Signals of other modules are only known if those are loaded."""
    return settle([reading_of(module, path)])[0]


def project_sources(
    third_party: bool = False, tests: bool = False, brief: bool = False
) -> list[ModuleSource]:
    """What the files of the project say, by module; needs the app registry.

    This reads the packages of the installed apps and of the settings, without migrations.
    ``third_party`` adds installed packages, ``tests`` the project's tests. ``brief`` skips the
    files without any word about signals, which are most of them, and is many times as fast.
    """
    return settle(project_readings(third_party=third_party, tests=tests, brief=brief))


def read_directory(root: str, *, tests: bool = True) -> list[ModuleSource]:
    """What every file below a directory says, with module names relative to it.

    This does not need ``django.setup()``.
    """
    root = os.path.abspath(root)  # noqa: PTH100 - symbolic links stay
    package = _package_of(Path(root))
    files = files_below(root, package, tests=tests, migrations=True)
    return settle([reading_of(module, path) for module, path in files])


def project_readings(
    *,
    third_party: bool = False,
    tests: bool = False,
    brief: bool = False,
    about: frozenset[str] = frozenset(),
) -> list[Reading]:
    """The readings that ``project_sources`` settles, which also have calls and functions.

    ``brief`` with ``about`` also reads the files that have one of these words.
    """
    found: dict[str, str] = {}  # module by path
    for root, package in _roots(third_party):
        for module, path in files_below(root, package, tests=tests, migrations=False):
            if third_party or not is_third_party(path):
                found.setdefault(path, module)
    return [
        reading_of(module, path)
        for path, module in sorted(found.items())
        if not brief or names_signals(path, about)
    ]


def package_readings(module: str, about: frozenset[str]) -> list[Reading]:
    """The readings of the installed package that a module is in, without its tests.

    Files without any word about signals are skipped; in Django, all files without a word of
    ``about``.
    """
    package = module.partition(".")[0]
    path = getattr(sys.modules.get(package), "__file__", None)
    if not isinstance(path, str) or not path.endswith(".py"):
        return []
    file = Path(path)
    files: Iterable[tuple[str, str]] = [(package, path)]
    if file.name == "__init__.py":
        files = files_below(str(file.parent), package, tests=False, migrations=False)
    is_django = package == "django"
    return [
        reading_of(module, path)
        for module, path in files
        if (has_words(path, about) if is_django else names_signals(path, about))
    ]


def settle(readings: Iterable[Reading], names: Names | None = None) -> list[ModuleSource]:
    """Turn readings into records: with only the signals, and each of these under one name."""
    readings = sorted(readings, key=lambda reading: (reading.module, reading.path))
    names = names or Names(readings)
    return [
        ModuleSource(
            module=reading.module,
            path=reading.path,
            creations=tuple(_creations(reading, names)),
            sends=tuple(_sends(reading, names)),
            connects=tuple(_connects(reading, names)),
            mentions=tuple(_mentions(reading, names)),
            problem=reading.problem,
        )
        for reading in readings
    ]


def _creations(reading: Reading, names: Names) -> list[Creation]:
    return [
        Creation(
            signal=names.signal(read.signal) or read.signal,
            path=reading.path,
            line=read.line,
            providing_args=_providing_args(read, names),
            instead=read.instead,
            is_at_import=read.is_at_import,
            is_guarded=read.is_guarded,
        )
        for read in reading.creations
        if any(names.is_signal_class(each) for each in read.classes)
    ]


def _providing_args(read: ReadCreation, names: Names) -> tuple[str, ...] | None:
    if read.providing_args is None or not names.takes_providing_args(read.classes):
        return None
    return read.providing_args


def _sends(reading: Reading, names: Names) -> list[Send]:
    return [
        _send(read, signal, by, reading, names)
        for read in reading.sends
        for signal, by in names.given(read.signals, read.function)
    ]


def _send(read: ReadSend, signal: str, by: Given | None, reading: Reading, names: Names) -> Send:
    """A send; for a function that sends its argument, the call that passes the signal to it."""
    arguments, given = read.arguments, dict.fromkeys(read.arguments.names)
    if by is None:
        return Send(
            signal=signal,
            method=read.method,
            function=read.function,
            path=reading.path,
            line=read.line,
            sender=read.sender,
            arguments=tuple(given),
            is_open=arguments.is_open or bool(arguments.forwards),
        )
    parameters = names.parameters(by.function)
    is_open = arguments.is_open or by.steps > 1
    sender = read.sender
    if arguments.forwards:
        its = by.call.arguments
        given.update(dict.fromkeys(name for name in its.names if name not in parameters))
        is_open = is_open or its.is_open or bool(its.forwards)
    if sender in parameters or (not sender and arguments.forwards):
        sender = by.call.sender if sender in ("", "sender") else ""
    return Send(
        signal=signal,
        method=read.method,
        function=by.call.function,
        path=by.path,
        line=by.call.line,
        sender=sender,
        arguments=tuple(given),
        is_open=is_open,
        through=by.function,
    )


def _mentions(reading: Reading, names: Names) -> list[Mention]:
    return [
        Mention(signal=signal, path=reading.path, line=read.line, label=read.label)
        for dotted, every in reading.mentions.items()
        for signal in names.mentioned(dotted)
        for read in every
    ]


def _connects(reading: Reading, names: Names) -> list[Connect]:
    return [
        _connect(read, signal, reading, names)
        for read in reading.connects
        if not read.decorators or names.is_receiver_decorator(read.decorators)
        for signal in names.signals(read.signals)
    ]


def _connect(read: ReadConnect, signal: str, reading: Reading, names: Names) -> Connect:
    receivers = names.functions(read.receivers)
    return Connect(
        signal=signal,
        receiver=receivers[0] if receivers else "",
        function=read.function,
        path=reading.path,
        line=read.line,
        sender=read.sender,
        is_decorator=read.is_decorator,
    )


def _roots(third_party: bool) -> list[tuple[str, str]]:
    """The directories to read, and the names of their packages; outermost first."""
    roots = {(str(config.path), config.name) for config in apps.get_app_configs()}
    settings_module = getattr(settings, "SETTINGS_MODULE", None) or ""
    module = sys.modules.get(settings_module.partition(".")[0])
    if "." in settings_module and getattr(module, "__file__", None):
        roots.add((str(Path(str(module.__file__)).parent), module.__name__))  # type: ignore[union-attr]
    kept = (root for root in roots if third_party or not is_third_party(f"{root[0]}/__init__.py"))
    return sorted({_outermost(*root) for root in kept}, key=lambda root: (len(root[0]), root))


def _outermost(directory: str, package: str) -> tuple[str, str]:
    """The regular package that an app's package is in, if any."""
    path = Path(directory)
    while "." in package and path.name == package.rpartition(".")[2]:
        if not (path.parent / "__init__.py").exists():
            break
        path, package = path.parent, package.rpartition(".")[0]
    return str(path), package


def _package_of(root: Path) -> str:
    """The dotted name of the package in a directory; "" if the directory is not a package."""
    names: list[str] = []
    while (root / "__init__.py").exists() and root.name.isidentifier():
        names.append(root.name)
        root = root.parent
    return ".".join(reversed(names))
