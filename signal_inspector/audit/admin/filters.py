"""What the changelist is narrowed by: presets of time, fields of the form, and what is set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from signal_inspector.audit.lookups import OFFERED, offered
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.reading.periods import PARAMETERS, PRESETS, Period
from signal_inspector.audit.reading.selection import (
    ENDINGS,
    METHODS,
    ORIGINS,
    OUTCOMES,
    Selection,
)
from signal_inspector.audit.wording import local

_FEW: Final = 40  # names that a list to choose from may have
_LABELS: Final = {
    "id": "id",
    "signal": "signal",
    "receiver": "receiver",
    "exception": "exception",
    "line": "line of code",
    "object": "carried",
    "actor": "actor",
    "label": "actor's label",
    "request": "request",
    "trace": "trace",
    "parent": "sent in a receiver of",
    "in_transaction": "transaction",
    "outcome": "outcome",
    "method": "method",
    "transaction": "transaction",
    "origin": "origin",
}
_FIELDS: Final = ("signal", "receiver", "outcome", "transaction", "method", "origin")


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the form: a list to choose from, or a text that is completed."""

    name: str
    label: str
    value: str
    options: list[Option]
    is_list: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A link with its text; the current one of several is marked."""

    text: str
    url: str
    is_current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """All of it, for the template."""

    presets: list[Link]
    fields: list[Field]
    day: str
    start: str
    end: str
    hidden: list[tuple[str, str]]  # set, and without a field of its own
    chips: list[Link]  # what is set; each link takes it away

    @property
    def is_open(self) -> bool:
        """Whether a field of the form that is folded away is set."""
        return bool(self.day or self.start or self.end) or any(each.value for each in self.fields)


def filters_for(selection: Selection) -> Filters:
    """The filters with what is chosen in them, by one query for the names."""
    period = selection.period
    asked = dict(period.params)
    kept = {*_FIELDS, "from", "to", "day"}
    return Filters(
        presets=_presets(selection),
        fields=[*_names(selection), *_choices(selection)],
        day=asked.get("day", ""),
        start=f"{local(period.start):%Y-%m-%dT%H:%M}" if "from" in asked and period.start else "",
        end=_shown_end(asked),
        hidden=[(key, text) for key, text in selection.params().items() if key not in kept],
        chips=list(_chips(selection)),
    )


def _presets(selection: Selection) -> list[Link]:
    chosen = selection.period.preset
    rest = selection.but(period=Period())
    links = [Link("Any time", rest.query(), not selection.period.is_bounded)]
    return links + [
        Link(words, rest.query(when=key), key == chosen) for key, (words, _) in PRESETS.items()
    ]


def _shown_end(asked: Mapping[str, str]) -> str:
    text = asked.get("to", "")
    return f"{text}T23:59" if text and ":" not in text else text[:16].replace(" ", "T")


def _names(selection: Selection) -> Iterable[Field]:
    names = offered(NameKind.SIGNAL, NameKind.RECEIVER)
    for kind, texts in names.items():
        value = getattr(selection, kind.label)
        shown = sorted({*texts, value} - {""})
        yield Field(
            name=kind.label,
            label=kind.label.capitalize(),
            value=value,
            options=[Option(text, text) for text in shown],
            is_list=len(shown) <= _FEW,
            note=f"{OFFERED} of them are offered" if len(texts) >= OFFERED else "",
        )


def _choices(selection: Selection) -> Iterable[Field]:
    words = {key: key.replace("-", " ") for key in ENDINGS} | {"none": "no transaction"}
    known: dict[str, Mapping[str, str]] = {
        "outcome": OUTCOMES,
        "transaction": words,
        "method": {key: key for key in METHODS},
        "origin": {key: key for key in ORIGINS},
    }
    for name, texts in known.items():
        yield Field(
            name=name,
            label=name.capitalize(),
            value=getattr(selection, name),
            options=[Option(key, text) for key, text in texts.items()],
        )


def _chips(selection: Selection) -> Iterable[Link]:
    params = selection.params()
    for key, label in _LABELS.items():
        if key in params:
            text = OUTCOMES[params[key]] if key == "outcome" else params[key]
            without = selection.but(**{key: None if key in ("id", "parent") else ""})
            if key == "in_transaction":
                without = selection.but(in_transaction=None)
            yield Link(f"{label}: {text}", without.query())
    if any(key in params for key in PARAMETERS):
        yield Link(selection.period.words, selection.but(period=Period()).query())
