"""From the payload in the log to the arguments of a call. Never raises, whatever the text is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Model

from signal_inspector import trouble
from signal_inspector.audit.payloads import WITHHELD, read_payload
from signal_inspector.audit.retrying.instances import Found, Reference, fetch, reference
from signal_inspector.audit.retrying.values import CannotRestoreError, plain_value
from signal_inspector.payload import clean_text
from signal_inspector.records import Summary

_MOST_VALUES: Final = 5_000
_DEEPEST: Final = 40
_LONGEST_WHY: Final = 300
_TAKEN: Final = ("signal", "sender")  # what Django itself passes
_WHY_NOT: Final = {
    "redacted": "it was redacted: its value is not in the log",
    WITHHELD: "the rule of its signal keeps nothing but model instances",
    "unreadable": "it could not be read when it was recorded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An argument of the recorded dispatch, and whether it can be passed again."""

    name: str
    text: str  # in a few words
    why_not: str = ""  # "" where it is restored
    value: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """All arguments of a recorded dispatch."""

    each: tuple[Argument, ...] = ()
    fault: str = ""  # what is wrong with the payload as a whole
    aliases: frozenset[str] = frozenset()  # databases that instances come from
    objects: int = 0
    plain: int = 0

    @property
    def missing(self) -> list[Argument]:
        """Those that cannot be restored."""
        return [argument for argument in self.each if argument.why_not]

    @property
    def are_complete(self) -> bool:
        """Whether a call can be made with them."""
        return not self.fault and not self.missing

    def values(self) -> dict[str, Any]:
        """The arguments of the call, if they are complete."""
        return {argument.name: argument.value for argument in self.each}


def restore(text: str, dropped: int) -> Arguments:
    """The arguments in a payload as ``payloads.payload_text`` wrote it.

    ``dropped`` is how many more there were. Model instances are read from their databases now;
    one that occurs several times is one instance.
    """
    if not text:
        return Arguments(fault="its arguments were not kept")
    try:
        return _restore(read_payload(text), dropped)
    except Exception as error:  # the text may be anything: nested too deep, too long a number
        trouble.let_through(error)
        return Arguments(fault="what the log holds of its arguments cannot be read")


def _restore(payload: Mapping[str, Summary], dropped: int) -> Arguments:
    values = list(_walk(payload))
    if len(values) > _MOST_VALUES:
        return Arguments(fault="it had too many values")
    references = {_reference_of(each) for each in values if each.kind == "model"}
    found = fetch(references)
    plural = "argument was" if dropped == 1 else "arguments were"
    return Arguments(
        each=tuple(_argument(name, summary, found) for name, summary in payload.items()),
        fault=f"{dropped} more {plural} not kept" if dropped else "",
        aliases=frozenset(each.alias for each in references),
        objects=sum(1 for each in found.values() if isinstance(each, Model)),
        plain=sum(1 for each in values if each.kind == "plain"),
    )


def _walk(payload: Mapping[str, Summary]) -> Iterator[Summary]:
    """Every value, those in collections too; one more than are allowed at most."""
    waiting = list(payload.values())
    for _ in range(_MOST_VALUES + 1):
        if not waiting:
            return
        summary = waiting.pop()
        yield summary
        waiting.extend(item for _, item in summary.items)


def _argument(name: str, summary: Summary, found: Found) -> Argument:
    text = clean_text(str(summary.text), _LONGEST_WHY)
    if not name.isidentifier() or name in _TAKEN:
        return Argument(name=name, text=text, why_not="no argument can have this name")
    try:
        return Argument(name=name, text=text, value=_value(summary, found, 0))
    except CannotRestoreError as error:
        return Argument(name=name, text=text, why_not=clean_text(str(error), _LONGEST_WHY))


def _value(summary: Summary, found: Found, depth: int) -> Any:
    if summary.kind in _WHY_NOT:
        raise CannotRestoreError(_WHY_NOT[summary.kind])
    if summary.truncated:
        raise CannotRestoreError("it was cut when it was recorded")
    if summary.kind == "model":
        return _instance(summary, found)
    if summary.kind == "plain":
        return plain_value(summary)
    if summary.kind == "collection":
        return _collection(summary, found, depth)
    raise CannotRestoreError(f"an object of {summary.type} cannot be made again")


def _instance(summary: Summary, found: Found) -> Model:
    instance = found[_reference_of(summary)]
    if isinstance(instance, str):
        raise CannotRestoreError(instance)
    return instance


def _reference_of(summary: Summary) -> Reference:
    return reference(summary)


def _collection(summary: Summary, found: Found, depth: int) -> Any:
    make = _COLLECTIONS.get(summary.type)
    if make is None:
        raise CannotRestoreError(f"a {summary.type} cannot be made again")
    if make is dict and summary.value is False:
        raise CannotRestoreError("its keys are in the log in words alone")
    if depth > _DEEPEST:
        raise CannotRestoreError("it is nested too deep")
    members = []
    for key, item in summary.items:
        try:
            members.append((key, _value(item, found, depth + 1)))
        except CannotRestoreError as error:
            raise CannotRestoreError(f"its item {key}: {error}") from None
    try:
        made = make(members) if make is dict else make(member for _, member in members)
    except TypeError:  # a set of what cannot be in one
        raise CannotRestoreError(f"no {summary.type} can hold these items") from None
    if len(made) != len(members):
        raise CannotRestoreError("items of it are equal that were not")
    return made


_COLLECTIONS: Final[Mapping[str, Any]] = {
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
}
