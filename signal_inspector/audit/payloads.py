"""Arguments and responses as canonical text, and back: equal payloads have equal text.

The text is JSON with sorted keys and without blanks. It holds all of a ``Summary`` that cannot be
worked out from the rest, so that a retry can tell what it may restore: ``kind`` and ``type`` of
every value, its exact ``value`` where there is one, and whether something was cut or redacted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from signal_inspector.audit.cleaning import storable
from signal_inspector.records import Summary

#: The kind of a value that the policy of its signal keeps out of the log.
WITHHELD: Final = "withheld"

_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
_LARGEST_LABEL: Final = 200


def payload_text(payload: Mapping[str, Summary], keep: str = "full") -> str:
    """The arguments as text; ``keep`` is "full", "objects" (model instances alone) or "none"."""
    if keep == "none":
        return ""
    only_objects = keep == "objects"
    data = {name: _data(summary, only_objects) for name, summary in payload.items()}
    return _encoded(data)


def response_text(response: Summary | None) -> str:
    """One value as text; "" for None."""
    return "" if response is None else _encoded(_data(response, False))


def read_payload(text: str) -> dict[str, Summary]:
    """What ``payload_text`` was given. ValueError if the text is none of ours."""
    data = _decoded(text)
    return {name: _summary(value) for name, value in data.items()}


def read_response(text: str) -> Summary | None:
    """What ``response_text`` was given. ValueError if the text is none of ours."""
    return _summary(_decoded(text)) if text else None


def carried_objects(payload: Mapping[str, Summary]) -> Iterator[tuple[str, str]]:
    """Label and key of each saved instance in it, in collections too: ("shop.Order", "42").

    Keys that were cut or redacted are left out: they are not the key of anything.
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


def _data(summary: Summary, only_objects: bool) -> dict[str, Any]:
    kind = summary.kind
    if only_objects and kind not in ("model", "collection", "redacted"):
        return {"kind": WITHHELD, "type": summary.type}
    data: dict[str, Any] = {"kind": kind, "type": summary.type}
    value = _exact(summary.value)
    if value is not None:
        data["value"] = value
    if summary.text != _usual_text(kind, value):
        data["text"] = summary.text
    if summary.items:
        data["items"] = [[key, _data(item, only_objects)] for key, item in summary.items]
    if summary.truncated:
        data["truncated"] = True
    return data


def _exact(value: Any) -> Any:
    """A value that JSON holds exactly: NaN and the infinities are told by the text alone."""
    if type(value) is float and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def _usual_text(kind: str, value: Any) -> str | None:
    """The text that need not be stored, as the value says it."""
    if kind == WITHHELD or kind == "redacted":
        return kind
    return None if kind != "plain" or value is None else repr(value)


def _summary(data: Any) -> Summary:
    try:
        value = data.get("value")
        text = data.get("text")
        return Summary(
            kind=data["kind"],
            type=data["type"],
            text=_usual_text(data["kind"], value) or "" if text is None else text,
            value=value,
            items=tuple((key, _summary(item)) for key, item in data.get("items", ())),
            truncated=data.get("truncated", False),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("This is not a payload of the audit.") from error


def _encoded(data: dict[str, Any]) -> str:
    # NUL is escaped by JSON already; an escaped surrogate is valid JSON too.
    return storable(_encode(data))


def _decoded(text: str) -> Any:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("This is not a payload of the audit.")  # noqa: TRY004
    return data
