"""The JSON of a dispatch is what the schema in the package says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.dispatch import Signal

import signal_inspector
from signal_inspector import Details, capture
from signal_inspector.core.record.dispatch import document, read_document
from signal_inspector.core.record.values import NotCalledReason, Outcome, Unseen

SCHEMA: Final = json.loads(
    Path(signal_inspector.__file__).with_name("dispatch.schema.json").read_text()
)
TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def is_type(value: object, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def wrong(value: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """What of the value the schema does not allow, or does not describe."""
    if "$ref" in schema:
        return wrong(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    if not is_allowed(value, schema):
        return [f"{at}: {value!r}"]
    found = []
    if isinstance(value, dict):
        inside = {key: schema.get("additionalProperties") for key in value}
        inside |= schema.get("properties", {})
        found += [f"{at}.{key} is missing" for key in {*schema.get("required", ())} - {*value}]
        found += [f"{at}.{key} is not described" for key in value if inside[key] is None]
        for key, each in value.items():
            if isinstance(inside[key], dict):
                found += wrong(each, inside[key], f"{at}.{key}")
    if isinstance(value, list):
        parts = schema.get("prefixItems") or [schema["items"]] * len(value)
        for index, each in enumerate(value):
            found += wrong(each, parts[index], f"{at}[{index}]")
    return found


def is_allowed(value: Any, schema: dict[str, Any]) -> bool:
    """Whether the value itself is, whatever is in it."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    return (
        (not types or any(is_type(value, name) for name in types))
        and value == schema.get("const", value)
        and value in schema.get("enum", [value])
        and re.search(schema.get("pattern", ""), str(value)) is not None
        and ("minimum" not in schema or value >= schema["minimum"])
        and ("prefixItems" not in schema or len(schema["prefixItems"]) == len(value))
    )


def fails(sender: object, **named: object) -> None:
    list(Group.objects.filter(name="staff"))
    raise ValueError("no stock")


def returns(sender: object, **named: object) -> list[int]:
    return [1, 2]


def send_everything() -> list[dict[str, Any]]:
    """Dispatches that failed, were skipped, nested, rolled back, had no receiver and no sender."""
    signal, inner = Signal(), Signal()

    def sends_on(sender: object, **named: object) -> None:
        inner.send(sender, pk=1)

    for receiver in (returns, sends_on, fails, returns):
        signal.connect(receiver, weak=False, dispatch_uid=object())
    signal.connect(returns, sender=Group)
    values = {"group": Group(pk=3), "many": {"password": "x", "a": [1, 1.5, None, True]}}
    with capture(details=Details.ALL) as dispatches:
        signal.send_robust(None, **values)
        with pytest.raises(ValueError, match="no stock"), transaction.atomic():
            signal.send("me", text="x" * 5_000)
    return [dispatch.as_dict() for dispatch in dispatches]


@pytest.mark.django_db
def test_real_dispatches_are_as_it_says() -> None:
    """Every key is described and every value allowed, through JSON."""
    dispatches = send_everything()
    assert len(dispatches) == 4
    for each in dispatches:
        assert wrong(json.loads(json.dumps(document(each, process="7 shell"))), SCHEMA) == []


@pytest.mark.django_db
def test_every_optional_part_is_met() -> None:
    """So little is described that no dispatch has."""
    dispatches = send_everything()
    calls = [call for each in dispatches for call in each["calls"]]
    described = SCHEMA["$defs"]
    rest = {"trace_id", "span_id", "trace_sampled", "unseen"}
    assert set(described["dispatch"]["properties"]) - set().union(*dispatches) == rest
    assert set(described["call"]["properties"]) == set().union(*calls)


@pytest.mark.parametrize(
    ("where", "key", "words"),
    [
        ("dispatch", "outcome", Outcome),
        ("call", "outcome", Outcome),
        ("dispatch", "unseen", Unseen),
        ("not_called", "reason", NotCalledReason),
    ],
)
def test_words_are_those_of_the_code(where: str, key: str, words: type[Outcome]) -> None:
    """No word is missing, and none is left over."""
    assert sorted(SCHEMA["$defs"][where]["properties"][key]["enum"]) == sorted(words)


@pytest.mark.parametrize(
    "change", [{"id": "7"}, {"signal": None}, {"new": 1}, {"duration_ns": True}, {"calls": [{}]}]
)
def test_what_is_wrong_is_found(change: dict[str, Any]) -> None:
    """The check above would notice."""
    signal = Signal()
    with capture() as dispatches:
        signal.send(None)
    assert wrong(document({**dispatches[0].as_dict(), **change}), SCHEMA) != []


def test_is_taken_apart_again() -> None:
    """The dispatch and its context come back; what is no such JSON is a ValueError."""
    signal = Signal()
    with capture() as dispatches:
        signal.send(None)
    data = json.loads(json.dumps(document(dispatches[0].as_dict(), process="7 shell")))
    dispatch, context = read_document(data)
    assert (dispatch.as_dict(), context) == (data["dispatch"], {"process": "7 shell"})
    for change in ({"version": 2}, {"version": True}, {"dispatch": []}, {"context": None}):
        with pytest.raises(ValueError, match=r"^Not a dispatch: "):
            read_document({**data, **change})
    for key in data:
        with pytest.raises(ValueError, match=r"^Not a dispatch: "):
            read_document({each: data[each] for each in data if each != key})
