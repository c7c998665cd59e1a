"""Spans, read from canonical OTLP JSON."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models

TRACE_ID = re.compile(r"[0-9a-f]{32}")
SPAN_ID = re.compile(r"[0-9a-f]{16}")
SERVER = 2  # SpanKind
ERROR = 2  # StatusCode
TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?(\w+)', re.IGNORECASE)


class Kind(models.TextChoices):
    """What a span stands for, as this page tells them apart."""

    REQUEST = "request", "Request"
    SIGNAL = "signal", "Signal"
    RECEIVER = "receiver", "Receiver"
    DATABASE = "database", "Database"
    OTHER = "other", "Other"


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    attributes: dict[str, Any]

    @property
    def exception(self) -> str:
        """Class and message of an exception, without the stack trace."""
        parts = (self.attributes.get(f"exception.{part}") for part in ("type", "message"))
        return ": ".join(str(part) for part in parts if part)

    @property
    def stack_trace(self) -> str:
        return str(self.attributes.get("exception.stacktrace", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str  # "" at the top
    name: str
    server: bool
    start_ns: int
    end_ns: int
    failed: bool
    status_message: str
    attributes: dict[str, Any]
    events: tuple[Event, ...]
    scope: str  # the library that made it

    @property
    def kind(self) -> Kind:
        if self.server:
            return Kind.REQUEST
        if "django.signal.name" in self.attributes:
            # Both have `code.function.name`: what sends, and what receives.
            is_dispatch = "django.signal.method" in self.attributes
            return Kind.SIGNAL if is_dispatch else Kind.RECEIVER
        if "db.system.name" in self.attributes or "db.system" in self.attributes:
            return Kind.DATABASE
        return Kind.OTHER

    @property
    def duration_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6

    @property
    def statement(self) -> str:
        return str(self.attributes.get("db.query.text") or self.attributes.get("db.statement", ""))

    @property
    def action(self) -> str:
        """The first word of the name: a method of Signal, of HTTP, a verb of SQL."""
        first, _, rest = self.name.partition(" ")
        return first if rest or self.kind is Kind.DATABASE else ""

    @property
    def target(self) -> str:
        """What the action is done to; of dotted names the last part."""
        if self.kind is Kind.DATABASE:
            table = TABLE.search(self.statement)
            return table[1] if table else ""
        if self.kind is Kind.REQUEST:
            path = self.attributes.get("url.path") or self.attributes.get("http.target")
            return str(path or self.name.partition(" ")[2] or self.name)
        return (self.name.partition(" ")[2] or self.name).rpartition(".")[2]

    @property
    def failure(self) -> str:
        """What went wrong, in a few words; "" if nothing did."""
        if not self.failed:
            return ""
        kind = str(self.attributes.get("error.type", "")).rpartition(".")[2]
        return kind or self.status_message or "failed"

    @property
    def exception(self) -> str:
        """The first exception that was recorded, with its message."""
        return next((event.exception for event in self.events if event.exception), "")

    @property
    def swallowed(self) -> int:
        """How many receivers failed in a dispatch that went well all the same."""
        count = self.attributes.get("django.signal.receiver.failed_count", 0)
        return 0 if self.failed or not isinstance(count, int) else count

    @property
    def status_code(self) -> str:
        """Of a request, what was answered."""
        code = self.attributes.get("http.response.status_code")
        return str(code or self.attributes.get("http.status_code", ""))


@dataclass(slots=True)
class Recorded:
    traces: dict[str, list[Span]]  # by trace id
    broken: int = 0  # lines that could not be read


def read(lines: Iterable[bytes], only: str = "") -> Recorded:
    """The spans of these lines by trace, or those of one trace. Broken lines are counted."""
    found = Recorded(defaultdict(list))
    for line in lines:
        if only.encode() not in line:
            continue
        try:
            spans = list(_spans(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            found.broken += 1
            continue
        for span in spans:
            if not only or span.trace_id == only:
                found.traces[span.trace_id].append(span)
    return found


def _spans(message: dict[str, Any]) -> Iterator[Span]:
    for resource in message["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            name = scope.get("scope", {}).get("name", "")
            for raw in scope["spans"]:
                yield _span(raw, name)


def _span(raw: dict[str, Any], scope: str) -> Span:
    status = raw.get("status", {})
    return Span(
        trace_id=_id(TRACE_ID, raw["traceId"]),
        span_id=_id(SPAN_ID, raw["spanId"]),
        parent_id=_id(SPAN_ID, raw["parentSpanId"]) if raw.get("parentSpanId") else "",
        name=str(raw["name"]),
        server=raw.get("kind") == SERVER,
        start_ns=int(raw["startTimeUnixNano"]),
        end_ns=int(raw["endTimeUnixNano"]),
        failed=status.get("code") == ERROR,
        status_message=str(status.get("message", "")),
        attributes=_attributes(raw),
        events=tuple(Event(str(e["name"]), _attributes(e)) for e in raw.get("events", [])),
        scope=str(scope),
    )


def _id(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError("not an id")
    return text


def _attributes(raw: dict[str, Any]) -> dict[str, Any]:
    return {str(pair["key"]): _value(pair["value"]) for pair in raw.get("attributes", [])}


def _value(raw: dict[str, Any]) -> Any:
    """Canonical OTLP JSON writes 64-bit integers as strings."""
    if "intValue" in raw:
        return int(raw["intValue"])
    if "arrayValue" in raw:
        return [_value(value) for value in raw["arrayValue"].get("values", [])]
    if "kvlistValue" in raw:
        pairs = raw["kvlistValue"].get("values", [])
        return {str(pair["key"]): _value(pair["value"]) for pair in pairs}
    return next(iter(raw.values()), None)
