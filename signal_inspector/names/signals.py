"""The name of a signal. Signals have no names, so the modules that hold them are searched."""

from __future__ import annotations

import re
import sys
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from django.dispatch import Signal

from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.record.ids import monotonic
from signal_inspector.names.safe import IdentityMap, class_path, instance_attribute, line_at
from signal_inspector.names.scan import Index, Place, by_name, places_in_module, walk

_LOCK_TIMEOUT = 1.0  # seconds; then the name is looked up again later
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 64.0  # seconds between searches for an anonymous signal's name
_MOST_FRAMES = 10  # from a signal's creation to the module that assigns it
_MAX_SOURCE = 1_000_000  # bytes of a module that are read to see whether it assigns a name


class _Creation(NamedTuple):
    code: CodeType  # the code that created it
    instruction: int  # the place in it; kept instead of the line, which is slow to compute
    module: str  # "" when the code ran in no module
    #: Code and instruction in the body of the module or class that called a function that makes
    #: signals.
    caller: tuple[CodeType, int] | None

    @property
    def place(self) -> tuple[str, int]:
        """File and line."""
        return self.code.co_filename, line_at(self.code, self.instruction)

    @property
    def called_from(self) -> tuple[str, int] | None:
        """File and line of ``caller``."""
        if self.caller is None:
            return None
        return self.caller[0].co_filename, line_at(*self.caller)


class _Anonymous(NamedTuple):
    name: str
    modules: int  # how many were loaded when it was not found
    pause: float  # seconds
    until: float  # monotonic()

    def is_due(self) -> bool:
        """Whether it is time to look for the signal again."""
        return len(sys.modules) != self.modules or monotonic() >= self.until


#: Final names: of signals that were found in a module.
signal_names: IdentityMap[str] = IdentityMap()
_items: IdentityMap[bool] = IdentityMap()
_creations: IdentityMap[_Creation] = IdentityMap()
_anonymous: IdentityMap[_Anonymous] = IdentityMap()
_index = Index()
_lock = process_state.lock()
_scanning = False


@process_state.in_child
def _after_fork() -> None:
    global _index, _scanning
    _index, _scanning = Index(), False


def note_creation(signal: Signal, frame: FrameType) -> None:
    """Remember the file, line and module of the code that created this signal."""
    code = frame.f_code
    caller = _called_from(frame) if code.co_flags & CO_OPTIMIZED else None
    name = dict.get(frame.f_globals, "__name__")
    module = name if type(name) is str else ""
    _creations.set(signal, _Creation(code, frame.f_lasti, module, caller))


def _called_from(frame: FrameType) -> tuple[CodeType, int] | None:
    """The nearest line of a module's or a class's body that led here."""
    outer: FrameType | None = frame
    for _ in range(_MOST_FRAMES):
        outer = None if outer is None else outer.f_back
        if outer is not None and not outer.f_code.co_flags & CO_OPTIMIZED:
            return outer.f_code, outer.f_lasti
    return None


def signal_name(signal: Signal) -> str:
    """The dotted name of a signal: "shop.signals.order_placed". Never raises.

    It is the name of the module attribute or class attribute that holds the signal, in the
    module that created it. A signal that no loaded module holds is named after the place of its
    creation, "shop.services:41 (anonymous)", or, if that was not seen, after its class,
    "anonymous shop.signals.ShopSignal". Such a name is not final, because the module may still be
    importing. It is looked up again when modules have been loaded, and at growing intervals.
    """
    name = signal_names.by_id.get(id(signal))
    if name is not None:
        return name
    waiting = _anonymous.get(signal)
    if waiting is not None and not waiting.is_due():
        return waiting.name
    try:
        place = _find(signal)
    except Exception as error:  # naming must not fail a dispatch
        internal_errors.report("the name of a signal", error)
        place = None
    if place is None:
        return _stay_anonymous(signal, waiting)
    name = f"{place.module}.{place.path}"
    _items.set(signal, place.is_inside)
    if place.is_inside and _is_importing(place.module):
        return name  # not remembered: the signal may get a name of its own
    signal_names.set(signal, name)
    _anonymous.pop(signal)
    return name


def _is_importing(module: str) -> bool:
    spec = instance_attribute(sys.modules.get(module), "__spec__")
    return instance_attribute(spec, "_initializing") is True


def creation_place(signal: Signal, name: str) -> tuple[str, int]:
    """The file and line that made the signal with this name.

    If a function made it, this is the line that called the function, in the module that holds
    the signal, because it is assigned there. For a signal made before the wrapper was installed,
    it is the file of the module that holds it, and 0; ("", 0) if that module has no file.
    """
    creation = _creations.get(signal)
    if creation is not None and creation.caller is None:
        return creation.place
    module = name
    while module and module not in sys.modules:
        module = module.rpartition(".")[0]
    file = instance_attribute(sys.modules.get(module), "__file__")
    if creation is not None:
        called_from = creation.called_from
        return called_from if called_from and called_from[0] == file else creation.place
    return (file, 0) if type(file) is str else ("", 0)


def is_item(signal: Signal) -> bool:
    """Whether a dict, a list or an object holds it, so that code may get it without its name."""
    return _items.get(signal) is True


def loaded_signals() -> dict[str, Signal]:
    """Every signal that a loaded module holds, by its name."""
    loaded = dict.copy(sys.modules)
    return {signal_name(signal): signal for signal, _ in walk(by_name(loaded), set())}


def anonymous_signals() -> list[tuple[str, Signal]]:
    """The signals made since the wrapper was installed that no loaded module holds, with names.

    Signals that the same line of code made share a name.
    """
    signals: list[Any] = _creations.objects()
    found = [(signal_name(signal), signal) for signal in signals]
    left = [(name, signal) for name, signal in found if signal not in signal_names]
    return sorted(left, key=lambda each: each[0])


def forget_signal_names() -> None:
    """Forget the names of all signals, but not where they were created."""
    global _index
    _index = Index()
    signal_names.clear()
    _anonymous.clear()


def _stay_anonymous(signal: Signal, before: _Anonymous | None) -> str:
    modules = len(sys.modules)
    pause = _FIRST_PAUSE
    if before is not None and before.modules == modules:
        pause = min(before.pause * 2, _LAST_PAUSE)
    name = _anonymous_name(signal)
    _anonymous.set(signal, _Anonymous(name, modules, pause, monotonic() + pause))
    return name


def _anonymous_name(signal: Signal) -> str:
    creation = _creations.get(signal)
    if creation is None:
        return f"anonymous {class_path(type(signal))}"
    path, line = creation.place
    return f"{creation.module or Path(path).name}:{line} (anonymous)"


def _find(signal: Signal) -> Place | None:
    creation = _creations.get(signal)
    name = "" if creation is None else creation.module
    if name:
        # One module is quick to walk, and this one may have been importing at the last scan.
        found = places_in_module(name, sys.modules.get(name), set(), [])
        places = [place for held, place in found if held is signal]
        if places:
            return _choose(places)
    places = _places(signal)
    return _choose(places) if places else None


def _places(signal: Signal) -> list[Place]:
    """Ask the index, one thread at a time."""
    global _scanning
    # With a timeout: the user's finalizers may run in here, and wait for other threads.
    if _scanning_here():
        return _usual_places(signal)
    try:
        if not _lock.acquire(timeout=_LOCK_TIMEOUT):
            return _usual_places(signal)
        _scanning = True
        return _index.places(signal)
    finally:
        # A signal handler may raise in here as soon as the lock is taken.
        if _lock._is_owned():  # type: ignore[attr-defined]
            _scanning = False
            _lock.release()


def _usual_places(signal: Signal) -> list[Place]:
    """The places of a signal in modules called "signals".

    These modules are few, so this needs neither index nor lock. Without it, a busy machine could
    inspect Django's own signals while another thread scans.
    """
    loaded = dict.copy(sys.modules)
    usual = {
        name: module
        for name, module in by_name(loaded).items()
        if name.rpartition(".")[2] == "signals"
    }
    return [
        place
        for name, module in usual.items()
        for held, place in places_in_module(name, module, set(), [])
        if held is signal
    ]


def _scanning_here() -> bool:
    """Whether this thread is in the middle of a scan: a finalizer sent a signal."""
    return _scanning and _lock._is_owned()  # type: ignore[attr-defined]


def _choose(places: list[Place]) -> Place:
    """The place that a reader would see as the signal's own."""
    places = [place for place in places if not place.is_inside] or places
    if len({place.module for place in places}) > 1:
        grades = [_assigns(place) for place in places]
        best = max(grades)
        places = [place for place, grade in zip(places, grades, strict=True) if grade == best]
    return min(places, key=_preference)


def _preference(place: Place) -> tuple[bool, bool, bool, int, int, str]:
    """A sort key that puts the best place first; in one module, the first of equals wins."""
    return (
        not place.at_home,
        place.module.rpartition(".")[2] != "signals",
        f".{place.path}".find("._") >= 0,
        place.path.count("."),
        place.module.count("."),
        place.module,
    )


def _assigns(place: Place) -> int:
    """How much a module's source looks as if it made the signal rather than imported it.

    3: it assigns the result of a call with "signal" in the name, 2: the result of another call,
    1: something else, 0: no assignment is found.
    """
    file = instance_attribute(sys.modules.get(place.module), "__file__")
    if type(file) is not str or not file.endswith(".py"):
        return 0
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as source:
            text = source.read(_MAX_SOURCE)
    except OSError as error:
        internal_errors.let_through(error)
        return 0
    name = re.escape(place.path.rpartition(".")[2])
    assignment = re.compile(
        rf"^[ \t]*(?:\w+[ \t]*=[ \t]*)*{name}[ \t]*(?::[^=\n]*)?=(?!=)"
        rf"[ \t]*(?:\w+[ \t]*=[ \t]*)*(?:([\w.]+)[(\[])?",
        re.MULTILINE,
    )
    calls = assignment.findall(text)
    return max(
        (1 if not call else 3 if "signal" in call.lower() else 2 for call in calls), default=0
    )
