"""Model instances as they are now, found by the keys that the log holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record.values import Summary
from signal_inspector.names import class_path
from signal_inspector.payload import Redactor, summarize

_AT_ONCE: Final = 200  # keys in one query
_LIMITS: Final = Limits(payload_length=100_000)
_REDACTOR: Final = Redactor()


class Reference(NamedTuple):
    """An instance in the log: ``shop.Order:42`` of one database."""

    text: str
    alias: str
    type: str  # dotted name of its class, which may be a proxy of that model

    @property
    def label(self) -> str:
        return self.text.partition(":")[0]

    @property
    def key(self) -> str:
        return self.text.partition(":")[2]


#: Each reference with its instance, or with why there is none.
Found = dict[Reference, Model | str]


def reference(summary: Summary) -> Reference:
    """What a summary of an instance refers to."""
    alias = summary.value
    return Reference(summary.text, alias if type(alias) is str else DEFAULT_DB_ALIAS, summary.type)


def fetch(references: Iterable[Reference]) -> Found:
    """The instances, by one query for each model and database, or why there is none.

    They are read through ``_base_manager``, as Django itself follows a relation, so a default
    manager that hides rows does not matter. Nothing of it is recorded. Never raises.
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
            found[each] = f"{each.text} is no key that can be looked for"
        else:
            groups.setdefault((model, each.alias), {})[each] = key
    with suppress():
        for (model, alias), keys in groups.items():
            found |= _fetch(model, alias, keys)
    return found


def _fetch(model: type[Model], alias: str, keys: Mapping[Reference, Any]) -> Found:
    if alias not in connections.settings:
        return dict.fromkeys(keys, f"there is no database {alias!r} now")
    found: Found = {each: f"{each.text} is not in the database {alias!r} now" for each in keys}
    try:
        for chunk in _chunks(keys.values()):
            with transaction.atomic(using=alias):
                rows = list(model._base_manager.using(alias).filter(pk__in=chunk).order_by())
            for instance in rows:
                # By the text, not by the key: "042" and 42, "a" and "A" may be one to a database.
                text = summarize(instance, _LIMITS, _REDACTOR).text
                found |= dict.fromkeys((each for each in keys if each.text == text), instance)
    except Exception as error:  # of the database, or of the model's own code
        internal_errors.let_through(error)
        why = f"reading {model._meta.label} from {alias!r} failed: {type(error).__name__}"
        return dict.fromkeys(keys, why)
    return found


class _NoKeyError(Exception):
    pass


def _model(of: Reference) -> type[Model]:
    """The model, or the proxy of it that the instance was of; ``LookupError`` of none."""
    model = apps.get_model(of.label)
    proxies = (each for each in apps.get_models() if each._meta.concrete_model is model)
    return next((each for each in proxies if class_path(each) == of.type), model)


def _key(model: type[Model], text: str) -> Any:
    """What to look for; ``_NoKeyError`` if the text is no key of the model."""
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
