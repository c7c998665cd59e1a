"""An explanation as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from django.core.management.color import Style

from signal_inspector.catalog import ExplainedReceiver, Explanation, Standing
from signal_inspector.catalog.explaining import Part
from signal_inspector.catalog.source_records import Send
from signal_inspector.management.signals.base import plural
from signal_inspector.management.signals.listing_text import (
    INDENT,
    WIDTH,
    fact_lines,
    head_lines,
    location,
    name_line,
)
from signal_inspector.watching.terminal import printable


def explanation_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    """The signal, who is called and who is not, and where it is sent."""
    yield from head_lines(explanation.signal, style)
    yield f"  {printable(explanation.inspected)}"
    for line in textwrap.wrap(printable(explanation.remark), WIDTH - 2, break_long_words=False):
        yield f"  {style.WARNING(line)}"
    if explanation.signal.problem:
        yield f"  {style.ERROR(printable(explanation.signal.problem))}"
    yield ""
    others = [each for each in explanation.not_called if _is_choice(each)]
    yield from _called(explanation, bool(others), style)
    missing = [each for each in explanation.not_called if not _is_choice(each)]
    if explanation.sender is None:
        title = "Called if the sender is the one they listen to"
    else:
        title = "Not called: they listen to another sender"
    yield from _group(title, others, style)
    yield from _group("Not called", missing, style)
    yield from _sends(explanation, style)
    for module in explanation.unread:
        text = f"Not read: {location(module.path, 0)} {module.problem}"
        yield style.WARNING(printable(text))


def sender_lines(sender: str, parts: Sequence[Part], style: Style) -> Iterator[str]:
    """All that happens if this sender sends."""
    if not parts:
        yield style.WARNING(f"Nobody is called, whatever {printable(sender)} sends.")
        return
    yield f"Called, in this order, if {printable(sender)} sends:"
    for part in parts:
        yield ""
        yield from head_lines(part.signal, style)
        yield from _receivers(part.called, style)
        yield from _group("Not called", part.not_called, style)


def receiver_lines(name: str, parts: Sequence[Part], style: Style) -> Iterator[str]:
    """The signals that a receiver is connected to, and those that it is not, and why."""
    yield style.MIGRATE_LABEL(printable(name))
    for title, lost in (("Connected to", False), ("Not called", True)):
        of_kind = [part for part in parts if (part.not_called if lost else part.called)]
        if of_kind:
            yield ""
            yield style.MIGRATE_LABEL(f"{title}:")
        for part in of_kind:
            yield f"  {style.MIGRATE_HEADING(printable(part.signal.signal))}"
            yield from _receivers(part.not_called if lost else part.called, style)


def _is_choice(each: ExplainedReceiver) -> bool:
    """Whether nothing is wrong with it: it was connected for another sender."""
    return each.standing is Standing.OTHER_SENDER


def _is_told(each: ExplainedReceiver) -> bool:
    """Whether its detail says no more than which sender it listens to."""
    sender = "another sender" if each.sender == "?" else f"sender {each.sender}"
    return _is_choice(each) and each.detail == f"it listens to {sender} only"


def _called(explanation: Explanation, has_others: bool, style: Style) -> Iterator[str]:
    if explanation.sender is not None:
        sender = printable(explanation.sender)
        title = f"Called, in this order, if {sender} sends it"
        nobody = f"Nobody is called if {sender} sends it."
    else:
        title = "Called, in this order, whoever sends it"
        nobody = "Nobody listens to every sender." if has_others else "Nobody is called."
    if explanation.called:
        yield from _group(title, explanation.called, style)
    else:
        yield style.WARNING(nobody)
        yield ""


def _group(title: str, receivers: Sequence[ExplainedReceiver], style: Style) -> Iterator[str]:
    if not receivers:
        return
    yield style.MIGRATE_LABEL(f"{title}:")
    yield from _receivers(receivers, style)
    yield ""


def _receivers(receivers: Sequence[ExplainedReceiver], style: Style) -> Iterator[str]:
    for each in receivers:
        yield name_line(each.order, each.receiver, style)
        if each.entry is not None:
            yield from fact_lines(each.entry)
        else:
            only = f", sender {printable(each.sender)} only" if each.sender else ""
            yield f"{INDENT}in the source at {location(each.path, each.line)}{only}"
        if each.detail and not _is_told(each):
            for line in wrapped(each.detail):
                yield f"{INDENT}{style.WARNING(line)}"


def _sends(explanation: Explanation, style: Style) -> Iterator[str]:
    sends = explanation.sends
    if not sends:
        read = "Installed packages are not read."
        if explanation.package:
            read = f"Of installed packages {printable(explanation.package)} was read."
        yield f"No send of it is found in the project's source. {read}"
        yield from _handed_on(explanation)
        return
    yield style.MIGRATE_LABEL(f"Sent in {plural(len(sends), 'place')} of the source:")
    for send in sends:
        sender = f", sender {send.sender}" if send.sender else ""
        yield f"  -   {printable(send.function)}"
        yield f"{INDENT}{location(send.path, send.line)}, {send.method.value}(){printable(sender)}"
        for line in wrapped(_given(send)):
            yield f"{INDENT}{line}"
    yield from _handed_on(explanation)


def _given(send: Send) -> str:
    """``arguments order, user``; what is not told stands for nothing."""
    names = ", ".join((*send.arguments, *(["perhaps others"] if send.is_open else [])))
    told = [f"arguments {names}"] if names else []
    if send.through:
        told.append(f"by way of {send.through}")
    return ", ".join(told)


def _handed_on(explanation: Explanation) -> Iterator[str]:
    for each in explanation.handed_on:
        label = f" ({printable(each.label)})" if each.label else ""
        where = location(each.path, each.line)
        yield f"It is handed on in {where}{label}: it may be sent from there."


def wrapped(text: str) -> list[str]:
    """Lines that fit behind the indent; a word that is longer stays whole."""
    return textwrap.wrap(
        printable(text), WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False
    )
