"""Summaries of Django's objects, of code, and of everything that is known by its class alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, cast

from django.core.files.base import File
from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.manager import BaseManager
from django.db.models.options import Options
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, Promise, empty

from signal_inspector.payload.anatomy import (
    MISSING,
    attribute,
    class_attribute,
    derives,
    instance_dict_of,
    short_name,
    type_name,
)
from signal_inspector.payload.collection_values import learn_dataclass
from signal_inspector.records import Summary
from signal_inspector.payload.secrets_in_text import MARK
from signal_inspector.payload.summaries import Build, Known, Work, describe, register, summary
from signal_inspector.payload.text import cap, one_line

_EXTRA_DEPTH = 1  # a wrapped object counts as one level, so that proxies of proxies end


def _model(work: Work, value: Model, known: Known, depth: int) -> Summary:
    label, name, names = known.facts
    held = _model_dict(value)
    key = dict.get(held, name)
    if type(key) is int and key.bit_length() < 64:
        return summary("model", known.name, f"{label}:{key}")
    if len(names) > 1:  # a composite key
        texts = [_key_text(work, dict.get(held, part), part) for part in names]
        text = None if None in texts else f"({', '.join(map(str, texts))})"
    else:
        text = _key_text(work, key, f"{label}_{name}")
    if text is None:
        state = dict.get(held, "_state")
        stored = type(state) is ModelState and attribute(state, "adding") is False
        return summary("model", known.name, f"{label} ({'no key' if stored else 'unsaved'})")
    return summary("model", known.name, one_line(f"{label}:{text}", work.length))


def _key_text(work: Work, key: object, name: str) -> str | None:
    """The primary key as it stands in an index of objects; None for none."""
    if key is None or key is MISSING:
        return None
    if type(key) is str:
        secret = work.redactor.matches_key(name) is not None
        return MARK if secret else work.redactor.redact_text(key[: work.length])
    shown = describe(work, key, work.depth)
    if shown.kind == "redacted":
        return MARK
    return str(shown.value) if shown.kind == "plain" and shown.value is not None else shown.text


def _learn_model(cls: type) -> tuple[Build, Any]:
    options = class_attribute(cls, "_meta")
    if type(options) is not Options:
        return _object, short_name(cls)
    label = one_line(options.label, 200)
    pk = options.pk
    if pk is None:
        return _model, (label, "", ())
    return _model, (label, pk.attname, tuple(field.attname for field in options.pk_fields))


_model_dict = cast("Callable[[object], dict[str, Any]]", instance_dict_of(Model))


def _queryset(work: Work, value: QuerySet[Any], known: Known, depth: int) -> Summary:
    rows = attribute(value, "_result_cache")
    count = f"{list.__len__(rows)} rows" if type(rows) is list else "not evaluated"
    text = f"{known.facts} of {_model_label(value)}, {count}"
    return summary("object", known.name, cap(text, work.length))


def _manager(work: Work, value: object, known: Known, depth: int) -> Summary:
    text = f"{known.facts} of {_model_label(value)}"
    return summary("object", known.name, cap(text, work.length))


def _model_label(value: object) -> str:
    model = attribute(value, "model")
    options = class_attribute(model, "_meta") if derives(type(model), type) else MISSING
    return one_line(options.label, 200) if type(options) is Options else "no model"


def _lazy(work: Work, value: LazyObject, known: Known, depth: int) -> Summary:
    wrapped = attribute(value, "_wrapped")
    if wrapped is MISSING or wrapped is None or wrapped is empty or depth > work.depth:
        return summary("object", known.name, "lazy object")
    return describe(work, wrapped, depth + _EXTRA_DEPTH)


def _promise(work: Work, value: object, known: Known, depth: int) -> Summary:
    return summary("object", known.name, "lazy object")


def _request(work: Work, value: HttpRequest, known: Known, depth: int) -> Summary:
    method, path = attribute(value, "method"), attribute(value, "path")
    words = [word for word in (method, path) if type(word) is str and word]
    text = work.redactor.redact_text(" ".join(words)[: work.length]) or known.facts
    return summary("object", known.name, one_line(text, work.length))


def _response(work: Work, value: HttpResponseBase, known: Known, depth: int) -> Summary:
    status = attribute(value, "status_code")
    if status is MISSING:
        status = class_attribute(type(value), "status_code")
    text = f"{known.facts} {status}" if type(status) is int else str(known.facts)
    return summary("object", known.name, cap(text, work.length))


def _file(work: Work, value: object, known: Known, depth: int) -> Summary:
    name = attribute(value, "_name")
    name = attribute(value, "name") if name is MISSING else name
    size = attribute(value, "size")
    text = str(known.facts)
    if type(name) is str:
        text += f" {work.redactor.redact_text(name[: work.length])!r}"
    if type(size) is int and size.bit_length() < 64:
        text += f", {size} bytes"
    return summary("object", known.name, cap(text, work.length))


def _exception(work: Work, value: BaseException, known: Known, depth: int) -> Summary:
    """Its class; its message too if the class is Python's own and the message mere text."""
    text = str(known.facts)
    if "." not in known.name:
        args = _exception_args(value)
        if type(args) is tuple and len(args) == 1 and type(args[0]) is str:
            text += f": {work.redactor.redact_text(args[0][: work.length + 1_024])}"
    return summary("object", known.name, one_line(text, work.length))


_exception_args: Callable[[BaseException], object] = BaseException.__dict__["args"].__get__


def _class(work: Work, value: type, known: Known, depth: int) -> Summary:
    options = class_attribute(value, "_meta")
    if type(options) is Options and derives(value, Model):
        text = f"model {options.label}"
    else:
        text = f"class {type_name(value)}"
    return summary("object", known.name, one_line(text, work.length))


def _code(work: Work, value: Any, known: Known, depth: int) -> Summary:
    text = f"{known.facts} {_dotted(value)}"
    return summary("object", known.name, one_line(text, work.length))


def _dotted(code: object) -> str:
    """The dotted name of a function, or of what a method or a partial calls."""
    for _ in range(5):
        if type(code) is MethodType:
            code = code.__func__
        elif derives(type(code), functools.partial):
            code = _partial_func(code)
    if type(code) is FunctionType:
        module = code.__module__
        return f"{module}.{code.__qualname__}" if type(module) is str else code.__qualname__
    if type(code) is BuiltinFunctionType:
        return code.__name__
    return type_name(code) if derives(type(code), type) else f"a {type_name(type(code))}"  # type: ignore[arg-type]


_partial_func: Callable[[Any], object] = functools.partial.__dict__["func"].__get__


def _object(work: Work, value: object, known: Known, depth: int) -> Summary:
    return summary("object", known.name, cap(f"{known.facts} object", work.length))


def _learn_object(cls: type) -> tuple[Build, Any]:
    return learn_dataclass(cls) or (_object, short_name(cls))


def _as(build: Build, word: str | None = None) -> Callable[[type], tuple[Build, Any]]:
    return lambda cls: (build, word or short_name(cls))


register(Model, _learn_model)
register(QuerySet, _as(_queryset))
register(BaseManager, _as(_manager))
register(LazyObject, _as(_lazy))
register(Promise, _as(_promise))
register(HttpRequest, _as(_request))
register(HttpResponseBase, _as(_response))
register(File, _as(_file))
register(BaseException, _as(_exception))
register(type, _as(_class))
register(FunctionType, _as(_code, "function"))
register(BuiltinFunctionType, _as(_code, "function"))
register(MethodType, _as(_code, "method"))
register(functools.partial, _as(_code, "partial of"))
register(object, _learn_object)
