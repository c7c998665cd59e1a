"""Summaries of Django's objects, of code, and of everything that only its class describes."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from django.core.files.base import File
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.manager import BaseManager
from django.db.models.options import Options
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, Promise, empty

from signal_inspector.core.record.values import Summary
from signal_inspector.names.safe import (
    MISSING,
    class_attribute,
    class_mro,
    derives,
    instance_dict_of,
    is_class,
    plain_text,
    stored_attribute,
)
from signal_inspector.payload.collection_values import learn_fields
from signal_inspector.payload.summaries import (
    Build,
    Kinds,
    Known,
    Learn,
    Work,
    describe,
    other,
    redacted,
    short_name,
    type_name,
)
from signal_inspector.payload.text import MARK, one_line

_LABEL_LENGTH = 200


def _model(work: Work, value: Model, known: Known, _depth: int) -> Summary:
    label, only_name, names = known.facts
    held = _model_dict(value)
    key = dict.get(held, only_name)
    if type(key) is int and key.bit_length() < 64:
        text = f"{label}:{key}"
        if len(text) <= work.length:
            return Summary("model", known.name, text, _other_database(held))
    else:
        key_text = _key_text(work, held, label, names)
        text = f"{label}:{key_text}" if key_text else f"{label} ({_keyless(held)})"
    shown = one_line(text, work.length)
    truncated = shown != text or MARK in text
    return Summary("model", known.name, shown, _other_database(held), truncated=truncated)


def _other_database(held: dict[str, Any]) -> str | None:
    """The alias of the database that an instance is from, unless that is the default one."""
    state = dict.get(held, "_state")
    if type(state) is not ModelState:
        return None
    alias = state.__dict__.get("db")
    return alias if type(alias) is str and alias != DEFAULT_DB_ALIAS else None


def _key_text(work: Work, held: dict[str, Any], label: str, names: tuple[str, ...]) -> str | None:
    """The primary key as text, as used in an index of objects; None if there is none."""
    parts = [dict.get(held, name) for name in names]
    if not parts or any(part is None for part in parts):
        return None
    texts = [
        _part_text(work, part, f"{label}_{name}") for name, part in zip(names, parts, strict=True)
    ]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _part_text(work: Work, part: object, name: str) -> str:
    if work.strict:  # a number or a UUID names the object but says nothing about it
        return str(part) if type(part) in (int, uuid.UUID) else MARK
    if type(part) is str:  # the key of a session or a token gives access
        secret = work.redactor.matches_key(name) is not None
        return MARK if secret else work.safe(part, work.length)
    shown = describe(work, part, work.depth)
    if shown.kind == "redacted":
        return MARK
    return str(shown.value) if shown.kind == "plain" and shown.value is not None else shown.text


def _keyless(held: dict[str, Any]) -> str:
    state = dict.get(held, "_state")
    stored = type(state) is ModelState and stored_attribute(state, "adding") is False
    return "no key" if stored else "unsaved"


def _learn_model(cls: type) -> tuple[Build, Any]:
    options = class_attribute(cls, "_meta", MISSING)
    if type(options) is not Options:
        return _object, short_name(cls)
    names = tuple(field.attname for field in options.pk_fields)
    only_name = names[0] if len(names) == 1 else None
    # A row is one object, no matter through which proxy model it is read; that is only its type.
    concrete = options.concrete_model
    label = options.label if concrete is None else concrete._meta.label
    return _model, (one_line(label, _LABEL_LENGTH), only_name, names)


_model_dict = cast("Callable[[object], dict[str, Any]]", instance_dict_of(Model))


def _queryset(work: Work, value: QuerySet[Any], known: Known, _depth: int) -> Summary:
    rows = stored_attribute(value, "_result_cache")
    count = f"{list.__len__(rows)} rows" if type(rows) is list else "not evaluated"
    return other(work, known, f"{known.facts} of {_model_label(value)}, {count}")


def _manager(work: Work, value: object, known: Known, _depth: int) -> Summary:
    return other(work, known, f"{known.facts} of {_model_label(value)}")


def _model_label(value: object) -> str:
    model = stored_attribute(value, "model")
    options = class_attribute(model, "_meta", MISSING) if is_class(model) else MISSING
    return options.label if type(options) is Options else "no model"


def _lazy(work: Work, value: object, known: Known, depth: int) -> Summary:
    """The summary of what it wraps, if that exists already; a chain of proxies ends at a depth."""
    wrapped = stored_attribute(value, "_wrapped")
    if wrapped is MISSING or wrapped is None or wrapped is empty or depth > work.depth:
        return other(work, known, "lazy object")
    return describe(work, wrapped, depth + 1)


def _promise(work: Work, _value: object, known: Known, _depth: int) -> Summary:
    return other(work, known, "lazy object")


def _request(work: Work, value: HttpRequest, known: Known, _depth: int) -> Summary:
    """Method and path: the query string, headers and body are the user's own."""
    words = [stored_attribute(value, "method"), stored_attribute(value, "path")]
    text = " ".join(word for word in words if type(word) is str)
    return other(work, known, work.safe(text, work.length) or str(known.facts))


def _response(work: Work, value: HttpResponseBase, known: Known, _depth: int) -> Summary:
    status = stored_attribute(value, "status_code")
    if status is MISSING:
        status = class_attribute(type(value), "status_code", MISSING)
    known_status = type(status) is int and status.bit_length() < 64
    return other(work, known, f"{known.facts} {status}" if known_status else str(known.facts))


def _file(work: Work, value: object, known: Known, _depth: int) -> Summary:
    name = stored_attribute(value, "_name")
    name = stored_attribute(value, "name") if name is MISSING else name
    size = stored_attribute(value, "size")
    text = str(known.facts)
    if type(name) is str:
        text += f" {work.safe(name, work.length)!r}"
    if type(size) is int and size.bit_length() < 64:
        text += f", {size} bytes"
    return other(work, known, text)


def _exception(work: Work, value: BaseException, known: Known, _depth: int) -> Summary:
    """Its class, and its message if the class is Python's own and the message is plain text."""
    text = str(known.facts)
    if "." not in known.name:
        args = _exception_args(value)
        if type(args) is tuple and len(args) == 1 and type(args[0]) is str:
            text += f": {work.safe(args[0], work.length)}"
    return other(work, known, text)


_exception_args: Callable[[BaseException], object] = BaseException.__dict__["args"].__get__


def _class(work: Work, value: type, known: Known, _depth: int) -> Summary:
    options = class_attribute(value, "_meta", MISSING)
    if type(options) is Options and derives(value, Model):
        return other(work, known, f"model {options.label}")
    return other(work, known, f"class {type_name(value)}")


def _code(work: Work, value: Any, known: Known, _depth: int) -> Summary:
    return other(work, known, f"{known.facts} {_dotted(value)}")


def _dotted(code: object) -> str:
    """The dotted name of a function, or of the function that a method or a partial calls."""
    for _ in range(5):
        if type(code) is MethodType:
            code = code.__func__
        elif derives(type(code), functools.partial):
            code = _partial_func(code)
    if type(code) is FunctionType:
        module, name = code.__module__, plain_text(code.__qualname__)
        return f"{module}.{name}" if type(module) is str else name
    if type(code) is BuiltinFunctionType:
        return code.__name__
    if is_class(code):
        return type_name(code)
    return f"a {type_name(type(code))}"


_partial_func: Callable[[Any], object] = functools.partial.__dict__["func"].__get__


def _object(work: Work, _value: object, known: Known, _depth: int) -> Summary:
    return other(work, known, f"{known.facts} object")


def _learn_object(cls: type) -> tuple[Build, Any]:
    if any(type_name(ancestor) in _SECRETS for ancestor in class_mro(cls)):
        return _secret, None
    return learn_fields(cls) or (_object, short_name(cls))


def _secret(_work: Work, _value: object, known: Known, _depth: int) -> Summary:
    return redacted(known.name)


def _module(work: Work, value: ModuleType, known: Known, _depth: int) -> Summary:
    name = _module_dict(value).get("__name__")
    return other(work, known, f"module {name}" if type(name) is str else "module")


_module_slots: Mapping[str, Any] = vars(ModuleType)
_module_dict: Callable[[ModuleType], dict[str, Any]] = _module_slots["__dict__"].__get__
# Types whose instances always hold a secret.
_SECRETS = frozenset(
    f"{module}.{name}"
    for module in ("pydantic.types", "pydantic.v1.types")
    for name in ("_SecretBase", "_SecretField", "SecretField", "SecretStr", "SecretBytes")
)


def _as(build: Build, word: str | None = None) -> Learn:
    return lambda cls: (build, word or short_name(cls))


KINDS: Kinds = (
    (Model, _learn_model),
    (QuerySet, _as(_queryset)),
    (BaseManager, _as(_manager)),
    (LazyObject, _as(_lazy)),
    (Promise, _as(_promise)),
    (HttpRequest, _as(_request)),
    (HttpResponseBase, _as(_response)),
    (File, _as(_file)),
    (BaseException, _as(_exception)),
    (type, _as(_class)),
    (ModuleType, _as(_module)),
    (FunctionType, _as(_code, "function")),
    (BuiltinFunctionType, _as(_code, "function")),
    (MethodType, _as(_code, "method")),
    (functools.partial, _as(_code, "partial of")),
    (object, _learn_object),
)
