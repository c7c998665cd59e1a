"""Arguments and responses as canonical text, and back: equal payloads have equal text.

The text is JSON with sorted keys and without spaces. A value that JSON can hold exactly (None,
bool, int, float, str) is written as it is. Any other value is an object with the parts of its
``Summary`` that cannot be derived from the others, so that a retry knows what can be restored:
``kind`` and ``type``, the exact ``value`` if there is one, and whether something was cut or
redacted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from signal_inspector.audit.sanitize import storable
from signal_inspector.core.record.values import WITHHELD, Summary, of_type

_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
_LARGEST_LABEL: Final = 200
_DEEP: Final = 50  # nesting; no payload is written as deep as this
_JSON_TYPES: Final = {kind: kind.__name__ for kind in (type(None), bool, int, float, str)}
_NOT_OURS: Final = "This is not a payload of the audit."


def payload_text(payload: Mapping[str, Summary], keep: str = "full") -> str:
    """The arguments as text; ``keep`` is "full", "objects" (only model instances) or "none"."""
    if keep == "none":
        return ""
    only_objects = keep == "objects"
    data = {name: _data(summary, only_objects) for name, summary in payload.items()}
    return _encoded(data)


def response_text(response: Summary | None) -> str:
    """One value as text; "" for None."""
    return "" if response is None else _encoded(_data(response, False))


def read_payload(text: str) -> dict[str, Summary]:
    """The arguments from a text of ``payload_text``. ValueError if the text is of another kind."""
    data = _loaded(text) if text else {}
    if not isinstance(data, dict):
        raise ValueError(_NOT_OURS)  # noqa: TRY004 - as everything else that is wrong with it
    return {name: _summary(value) for name, value in data.items()}


def payload_data(text: str) -> dict[str, Any]:
    """The arguments from such a text, as in ``Dispatch.as_dict``."""
    return {name: summary.as_dict() for name, summary in read_payload(text).items()}


def response_data(text: str) -> dict[str, Any]:
    """The value from a text of ``response_text``, as in ``payload_data``; the text is not ""."""
    return _summary(_loaded(text)).as_dict()


def read_response(text: str) -> Summary | None:
    """The value from a text of ``response_text``. ValueError if the text is of another kind."""
    return _summary(_loaded(text)) if text else None


def carried_objects(payload: Mapping[str, Summary]) -> Iterator[tuple[str, str]]:
    """Label and key of each saved instance, also in collections: ("shop.Order", "42").

    Keys that were cut or redacted are left out, as they identify nothing.
    """
    waiting = list(payload.values())
    while waiting:
        summary = waiting.pop()
        if summary.kind == "model":
            label, colon, key = summary.text.partition(":")
            if colon and key and not summary.truncated and len(label) <= _LARGEST_LABEL:
                yield label, key
        elif summary.items:
            waiting.extend(item for _, item in summary.items)


def _data(summary: Summary, only_objects: bool) -> Any:
    kind = summary.kind
    if only_objects and kind not in ("model", "collection", "redacted"):
        return {"kind": WITHHELD, "type": summary.type}
    value = summary.value
    if kind == "plain" and _stands_for_itself(summary):
        return value
    data: dict[str, Any] = {"kind": kind, "type": summary.type}
    if value is not None and _is_exact(value):
        data["value"] = value
    if summary.text != _usual_text(kind, value):
        data["text"] = summary.text
    if summary.items:
        data["items"] = [[key, _data(item, only_objects)] for key, item in summary.items]
    if summary.truncated:
        data["truncated"] = True
    return data


def _stands_for_itself(summary: Summary) -> bool:
    """Whether ``_plain(summary.value)`` equals the summary."""
    value = summary.value
    return (
        summary.type == _JSON_TYPES.get(type(value))
        and _is_exact(value)
        and summary.text == repr(value)
        and not summary.truncated
        and not summary.items
    )


def _plain(value: Any) -> Summary | None:
    """The summary of a value that is written as it is; None if the value cannot be one."""
    name = _JSON_TYPES.get(type(value))
    if name is None or not _is_exact(value):
        return None
    return Summary(kind="plain", type=name, text=repr(value), value=value)


def _is_exact(value: Any) -> bool:
    """Whether JSON can hold it: NaN and the infinities are kept only as text."""
    return type(value) is not float or math.isfinite(value)


def _usual_text(kind: str, value: Any) -> str | None:
    """The text that need not be stored, as it follows from kind and value."""
    if kind in (WITHHELD, "redacted"):
        return kind
    return value if kind == "plain" and type(value) is str else None


def _summary(data: Any, depth: int = 0) -> Summary:
    if not isinstance(data, dict):
        plain = _plain(data)
        if plain is None:
            raise ValueError(_NOT_OURS)
        return plain
    try:
        kind, name, value = data["kind"], data["type"], data.get("value")
        text = data["text"] if "text" in data else _usual_text(kind, value) or ""
        items, truncated = data.get("items"), data.get("truncated", False)
        is_ours = type(kind) is type(name) is type(text) is str and type(truncated) is bool
        if not is_ours or type(value) not in _JSON_TYPES or not _is_exact(value) or depth > _DEEP:
            raise ValueError(_NOT_OURS)  # noqa: TRY301 - as what is missing
        inside: tuple[tuple[str, Summary], ...] = ()
        if items:
            inside = tuple(
                [(of_type(key, str, "key"), _summary(item, depth + 1)) for key, item in items]
            )
        return Summary(kind, name, text, value, inside, truncated)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(_NOT_OURS) from error


def _loaded(text: str) -> Any:
    """What the text says. ValueError also if it is nested too deep for Python to read it."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(_NOT_OURS) from error


def _encoded(data: Any) -> str:
    # NUL is escaped by JSON already; an escaped surrogate is valid JSON too.
    return storable(_encode(data))
