"""The arguments of a recorded dispatch, restored to call its receiver again.

Model instances are read as they are now, by the keys that the log holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from itertools import islice
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string

from signal_inspector.audit.operations.retry_receivers import loaded_class
from signal_inspector.audit.payloads import read_payload
from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record.values import WITHHELD, Summary
from signal_inspector.display.numbers import more_arguments
from signal_inspector.names import class_path
from signal_inspector.names.safe import class_attribute, derives
from signal_inspector.payload import Redactor, clean_text, summarize

_AT_ONCE: Final = 200  # keys in one query
_LIMITS: Final = Limits(payload_length=100_000)
_REDACTOR: Final = Redactor()

_LONGEST: Final = 5_000  # characters of a number, a date or a similar value
_INTEGER: Final = re.compile(r"-?[0-9]{1,700}")
_NOT_FINITE: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

_MOST_VALUES: Final = 5_000
_DEEPEST: Final = 40
_LONGEST_WHY: Final = 300
_TAKEN: Final = ("signal", "sender")  # arguments that Django itself passes
_WHY_NOT: Final = {
    "redacted": "it was redacted, so its value is not in the log",
    WITHHELD: "the rule for its signal keeps model instances only",
    "unreadable": "it could not be read when it was recorded",
}

_COLLECTIONS: Final[Mapping[str, Any]] = {
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
}


class Reference(NamedTuple):
    """A model instance in the log: ``shop.Order:42`` and its database."""

    text: str
    alias: str
    type: str  # dotted name of its class, which may be a proxy of the model

    @property
    def label(self) -> str:
        return self.text.partition(":")[0]

    @property
    def key(self) -> str:
        return self.text.partition(":")[2]


#: Each reference with its instance, or with a text that says why there is none.
Found = dict[Reference, Model | str]


def reference(summary: Summary) -> Reference:
    """The instance that a summary refers to."""
    alias = summary.value
    return Reference(summary.text, alias if type(alias) is str else DEFAULT_DB_ALIAS, summary.type)


def fetch(references: Iterable[Reference]) -> Found:
    """The instances, or why there is none; up to 200 by one query per model and database.

    They are read through ``_base_manager``, as when Django follows a relation, so a default
    manager that hides rows does not matter. What this sends is not recorded. Never raises.
    """
    found: Found = {}
    groups: dict[tuple[type[Model], str], dict[Reference, Any]] = {}
    for each in dict.fromkeys(references):
        if not each.key:
            found[each] = f"{each.text} has no key"
            continue
        try:
            model = _model(each)
            key = _key(model, each.key)
        except (LookupError, ValueError):
            found[each] = f"no model {each.label} is installed"
        except _NoKeyError:
            found[each] = f"{each.text} is not a valid key"
        else:
            groups.setdefault((model, each.alias), {})[each] = key
    with suppress():
        for (model, alias), keys in groups.items():
            found |= _fetch(model, alias, keys)
    return found


def _fetch(model: type[Model], alias: str, keys: Mapping[Reference, Any]) -> Found:
    if alias not in connections.settings:
        return dict.fromkeys(keys, f"the database {alias!r} is no longer configured")
    found: Found = {each: f"{each.text} is not in the database {alias!r}" for each in keys}
    try:
        for chunk in _chunks(keys.values()):
            with transaction.atomic(using=alias):
                rows = list(model._base_manager.using(alias).filter(pk__in=chunk).order_by())
            for instance in rows:
                # Compare texts, not keys: "042" and 42, "a" and "A" may be equal to a database.
                text = summarize(instance, _LIMITS, _REDACTOR).text
                found |= dict.fromkeys((each for each in keys if each.text == text), instance)
    except Exception as error:  # raised by the database, or by the model's own code
        internal_errors.let_through(error)
        why = f"reading {model._meta.label} from {alias!r} failed: {type(error).__name__}"
        return dict.fromkeys(keys, why)
    return found


class _NoKeyError(Exception):
    pass


def _model(of: Reference) -> type[Model]:
    """The model, or its proxy if the instance was of that; raises ``LookupError`` if unknown."""
    model = apps.get_model(of.label)
    proxies = (each for each in apps.get_models() if each._meta.concrete_model is model)
    return next((each for each in proxies if class_path(each) == of.type), model)


def _key(model: type[Model], text: str) -> Any:
    """The primary key to look for; raises ``_NoKeyError`` if the text is no key of the model."""
    fields = model._meta.pk_fields
    parts = [text]
    if len(fields) > 1:
        parts = text[1:-1].split(", ") if text[:1] + text[-1:] == "()" else []
    if len(parts) != len(fields):
        raise _NoKeyError
    try:
        values = tuple(field.to_python(part) for field, part in zip(fields, parts, strict=True))
    except (ValidationError, ValueError, TypeError, OverflowError) as error:
        raise _NoKeyError from error
    return values if len(values) > 1 else values[0]


def _chunks(keys: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(keys)
    while chunk := list(islice(waiting, _AT_ONCE)):
        yield chunk


class CannotRestoreError(Exception):
    """A value in the log cannot be restored; the message tells a person why."""


def plain_value(summary: Summary) -> Any:
    """The value of a "plain" summary; ``CannotRestoreError`` if it cannot be restored exactly."""
    read = _READERS.get(summary.type)
    if read is not None:
        return read(summary)
    if type(summary.value) is not str:
        raise _unknown(summary)
    return _member(summary.type, summary.value)


def _none(summary: Summary) -> None:
    if summary.value is not None:
        raise _unknown(summary)


def _bool(summary: Summary) -> bool:
    if type(summary.value) is not bool:
        raise _unknown(summary)
    return summary.value


def _int(summary: Summary) -> int:
    """Read an integer; a large one is kept as text."""
    value = summary.value
    if type(value) is int:
        return value
    if type(value) is not str or _INTEGER.fullmatch(value) is None:
        raise _unknown(summary)
    return int(value)


def _float(summary: Summary) -> float:
    """Read a float; those that JSON cannot hold are kept as text, such as "nan"."""
    value = summary.value
    if value is None and summary.text in _NOT_FINITE:
        return _NOT_FINITE[summary.text]
    if type(value) is not float or not math.isfinite(value):
        raise _unknown(summary)
    return value


def _str(summary: Summary) -> str:
    if type(summary.value) is not str:
        raise _unknown(summary)
    return summary.value


def _by_text(parse: Callable[[str], Any], write: Callable[[Any], str]) -> Callable[..., Any]:
    """Make a reader of values kept as text; writing the value must give the same text again."""

    def read(summary: Summary) -> Any:
        text = summary.value
        if type(text) is not str or len(text) > _LONGEST:
            raise _unknown(summary)
        try:
            value = parse(text)
            if write(value) == text:
                return value
        except (ValueError, TypeError, OverflowError, InvalidOperation, AttributeError):
            pass
        raise _unknown(summary)

    return read


def _member(path: str, name: str) -> Enum:
    """The member of an Enum whose class is loaded."""
    cls = loaded_class(path)
    if cls is None or not derives(cls, Enum):
        raise CannotRestoreError(f"values of {path} cannot be restored")
    members = class_attribute(cls, "_member_map_")
    member: Any = dict.get(members, name) if type(members) is dict else None
    if type(member) is not cls:
        raise CannotRestoreError(f"{path} no longer has the member {name}")
    return cast("Enum", member)


def _unknown(summary: Summary) -> CannotRestoreError:
    return CannotRestoreError(f"the recorded value is not exact enough for a {summary.type}")


_READERS: Final[Mapping[str, Callable[[Summary], Any]]] = {
    "NoneType": _none,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _str,
    "decimal.Decimal": _by_text(Decimal, str),
    "datetime.date": _by_text(date.fromisoformat, date.isoformat),
    "datetime.datetime": _by_text(datetime.fromisoformat, datetime.isoformat),
    "datetime.time": _by_text(time.fromisoformat, time.isoformat),
    "datetime.timedelta": _by_text(parse_duration, duration_iso_string),
    "uuid.UUID": _by_text(UUID, str),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An argument of the recorded dispatch, and whether it can be passed again."""

    name: str
    text: str  # a short text for the value
    why_not: str = ""  # why it cannot be passed again; "" if it is restored
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
        """The arguments that cannot be restored."""
        return [argument for argument in self.each if argument.why_not]

    @property
    def are_complete(self) -> bool:
        """Whether the receiver can be called with them."""
        return not self.fault and not self.missing

    def values(self) -> dict[str, Any]:
        """The arguments of the call, if they are complete."""
        return {argument.name: argument.value for argument in self.each}


def restore(text: str, dropped: int) -> Arguments:
    """The arguments in a payload as ``payloads.payload_text`` wrote it.

    ``dropped`` is the number of arguments that were not kept. Model instances are read from their
    databases now; one that occurs several times is a single object.
    """
    if not text:
        return Arguments(fault="its arguments were not kept")
    try:
        return _restore(read_payload(text), dropped)
    except Exception as error:  # the text may be anything, such as nested too deep
        internal_errors.let_through(error)
        return Arguments(fault="its recorded arguments cannot be read")


def _restore(payload: Mapping[str, Summary], dropped: int) -> Arguments:
    values = list(_walk(payload))
    if len(values) > _MOST_VALUES:
        return Arguments(fault="it has too many values")
    references = {_reference_of(each) for each in values if each.kind == "model"}
    found = fetch(references)
    return Arguments(
        each=tuple(_argument(name, summary, found) for name, summary in payload.items()),
        fault=more_arguments(dropped) if dropped else "",
        aliases=frozenset(each.alias for each in references),
        objects=sum(1 for each in found.values() if isinstance(each, Model)),
        plain=sum(1 for each in values if each.kind == "plain"),
    )


def _walk(payload: Mapping[str, Summary]) -> Iterator[Summary]:
    """Every value, including those in collections; stops at one more than is allowed."""
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
        return Argument(name=name, text=text, why_not="this is not a valid argument name")
    try:
        return Argument(name=name, text=text, value=_value(summary, found, 0))
    except CannotRestoreError as error:
        return Argument(name=name, text=text, why_not=clean_text(str(error), _LONGEST_WHY))


def _value(summary: Summary, found: Found, depth: int) -> Any:
    if summary.kind in _WHY_NOT:
        raise CannotRestoreError(_WHY_NOT[summary.kind])
    if summary.truncated:
        raise CannotRestoreError("it was shortened when it was recorded")
    if summary.kind == "model":
        return _instance(summary, found)
    if summary.kind == "plain":
        return plain_value(summary)
    if summary.kind == "collection":
        return _collection(summary, found, depth)
    raise CannotRestoreError(f"objects of {summary.type} cannot be restored")


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
        raise CannotRestoreError(f"values of {summary.type} cannot be restored")
    if make is dict and summary.value is False:
        raise CannotRestoreError("its keys are in the log only as descriptions")
    if depth > _DEEPEST:
        raise CannotRestoreError("it is nested too deep")
    members = []
    for key, item in summary.items:
        try:
            members.append((key, _value(item, found, depth + 1)))
        except CannotRestoreError as error:
            raise CannotRestoreError(f"item {key}: {error}") from None
    try:
        made = make(members) if make is dict else make(member for _, member in members)
    except TypeError:  # an item that is not hashable cannot be in a set
        raise CannotRestoreError(f"a {summary.type} cannot contain these items") from None
    if len(made) != len(members):
        raise CannotRestoreError("some of its items are equal now that were not before")
    return made
