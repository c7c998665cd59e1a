"""What stands in the cells of the panel: outcomes, files and lines, and the eight figures.

Outcomes are in the words of ``display``. Places are links to the editor; frames include their
source.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from urllib.parse import quote

from debug_toolbar import settings as toolbar_settings
from django.utils.safestring import SafeString, mark_safe

from signal_inspector.conf import get_config
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import (
    Busy,
    Caller,
    Outcome,
    ReceiverCall,
    Summary,
    Unseen,
)
from signal_inspector.display import outcomes
from signal_inspector.display import text as shown
from signal_inspector.display.numbers import duration, integer, percent, plural, queries_in
from signal_inspector.display.outcomes import (
    ORPHAN,
    PUT_OFF,
    Ended,
    Glyph,
    OutcomeWords,
    all_returned,
    is_swallowed,
    part_of,
)
from signal_inspector.display.parts import Frame, Place, Tone, frame
from signal_inspector.display.text import arguments
from signal_inspector.toolbar.grouping import Tree

_ONE_LINE = 160  # the most characters of a payload's line
_ORPHANS = "nobody received them"

_OWN = ("signal_inspector",)
_REFUSED = ("javascript:", "data:", "vbscript:")

#: Controls and noncharacters, as parsers of HTML report them (HTML Standard, 13.2.3.5).
_NOT_ALLOWED = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")


def printable(page: str) -> SafeString:
    """A rendered page without characters that cannot be encoded or are not allowed in HTML.

    Names and messages may hold any text: a single lone surrogate in one of them would make the
    encoding of the whole response fail.
    """
    encodable = page.encode("utf-8", "replace").decode("utf-8")
    return mark_safe(_NOT_ALLOWED.sub("\N{REPLACEMENT CHARACTER}", encodable))  # noqa: S308


def raw_ms(nanoseconds: int) -> str:
    """Milliseconds for a script: "18.312"."""
    return f"{nanoseconds / 1e6:.3f}"


def payload_line(payload: dict[str, Summary]) -> str:
    """All arguments in one line, shortened if it is too long."""
    line = arguments(payload)
    return line if len(line) <= _ONE_LINE else f"{line[: _ONE_LINE - 1]}…"


def about(payload: dict[str, Summary] | None) -> str:
    """What distinguishes a dispatch from its siblings: its model instances, or plain values."""
    if not payload:
        return ""
    for kind in ("model", "plain"):
        found = {k: v for k, v in payload.items() if v.kind == kind}
        if kind == "model" and found:
            return ", ".join(summary.text for summary in list(found.values())[:3])
        if found:
            return payload_line(dict(list(found.items())[:3]))
    return payload_line(payload)


def call_outcome(dispatch: Dispatch, call: ReceiverCall) -> OutcomeWords:
    """The words for a receiver call."""
    words = outcomes.recorded_call_outcome(dispatch, call)
    return _at_response(words) if call.outcome is Outcome.RUNNING else words


def dispatch_outcome(dispatch: Dispatch) -> OutcomeWords:
    """The words for a dispatch."""
    words = outcomes.dispatch_outcome(Ended.of(dispatch))
    return _at_response(words) if dispatch.outcome is Outcome.RUNNING else words


def _at_response(words: OutcomeWords) -> OutcomeWords:
    return replace(words, note="when the response was made")


def group_outcome(members: Sequence[Dispatch]) -> OutcomeWords:
    """The words for a group of dispatches."""
    number = len(members)
    raised = sum(member.outcome is Outcome.RAISED for member in members)
    if raised:
        text = f"{part_of(raised, number)} {outcomes.RAISED_TO_SENDER}"
        return OutcomeWords(glyph="raised", tone="bad", text=text)
    calls = [call for member in members for call in member.calls]
    failed = sum(call.outcome is Outcome.RAISED for call in calls)
    if failed:
        text = f"{integer(failed)} of {plural(len(calls), 'call')} {outcomes.SWALLOWED}"
        return OutcomeWords(glyph="swallowed", tone="bad", text=text)
    orphans = sum(member.is_orphan for member in members)
    if orphans:
        some = f"{part_of(orphans, number)} received by nobody"
        text = _ORPHANS if orphans == number else some
        return OutcomeWords(glyph="orphan", tone="warn", text=text)
    put_off = sum(member.unseen is Unseen.PUT_OFF for member in members)
    if put_off:
        text = PUT_OFF if put_off == number else f"{part_of(put_off, number)} {PUT_OFF}"
        return OutcomeWords(glyph="running", tone="none", text=text)
    ended = sum(member.outcome is Outcome.RETURNED for member in members)
    if ended < number or any(call.outcome is not Outcome.RETURNED for call in calls):
        return OutcomeWords("warn", "cancelled", f"{part_of(ended, number)} ended")
    sizes = {len(member.calls) for member in members}
    note = f"{plural(sizes.pop(), 'receiver')} each" if len(sizes) == 1 else ""
    return all_returned(number, note)


def place(path: str, line: int) -> Place | None:
    """A line of a file; None if the file is not known."""
    if not path:
        return None
    return Place(
        text=shown.place(path, line),
        title=f"{path}:{line}" if line else path,
        href=editor_href(path, line),
    )


def editor_href(path: str, line: int) -> str:
    """The URL that opens a line in the configured editor; "" without an editor."""
    form = get_config().toolbar.editor_url
    if not form or not Path(path).is_absolute() or form.lstrip().lower().startswith(_REFUSED):
        return ""
    quoted = quote(path.replace("\\", "/"), safe="/:")
    if "/{path}" in form and "//{path}" not in form:
        quoted = quoted.removeprefix("/")  # the template already has the slash
    return form.replace("{path}", quoted).replace("{line}", str(max(line, 1)))


def stack_frames(stack: Iterable[Caller]) -> tuple[Frame, ...]:
    """A call stack without the modules that the toolbar is configured to hide."""
    config = toolbar_settings.get_config()
    if not config["ENABLE_STACKTRACES"]:
        return ()
    hidden = (*config["HIDE_IN_STACKTRACES"], *_OWN)
    modules = _modules(len(sys.modules))
    return tuple(
        frame(*caller, editor_href)
        for caller in stack
        if not _is_in(modules.get(caller.path, ""), hidden)
    )


@lru_cache(maxsize=1)
def _modules(number: int) -> dict[str, str]:
    """The module of each source file that is loaded; ``number`` is how many modules there are."""
    found: dict[str, str] = {}
    for module, loaded in list(sys.modules.items()):
        path = getattr(loaded, "__file__", None)
        if isinstance(path, str):
            found.setdefault(path, module)
    return found


def _is_in(module: str, packages: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def covered_ns(intervals: Iterable[tuple[int, int]]) -> int:
    """The nanoseconds that are covered by at least one of these (start, end) intervals."""
    busy = Busy()
    for start, end in sorted(intervals, key=itemgetter(1)):
        busy.add(start, end)
    return busy.total


@dataclass(frozen=True, slots=True)
class _Counts:
    tree: Tree
    dropped: int
    limit: int
    request_ns: int

    @property
    def dispatches(self) -> Sequence[Dispatch]:
        return self.tree.dispatches

    def outcomes(self, outcome: Outcome) -> int:
        return sum(call.outcome is outcome for d in self.dispatches for call in d.calls)


def figures(tree: Tree, dropped: int, limit: int, request_ns: int) -> tuple[Figure, ...]:
    """The cells of the summary table."""
    counts = _Counts(tree, dropped, limit, request_ns)
    return (
        _dispatches(counts),
        _calls(counts),
        _time(counts),
        _sql(counts),
        _failed(counts),
        _skipped(counts),
        _orphans(counts),
        _dropped(counts),
    )


def _dispatches(counts: _Counts) -> Figure:
    kept, tops = len(counts.dispatches), len(counts.tree.tops)
    if counts.dropped:
        note = f"{integer(kept)} kept"
    elif tops == kept:
        note = "none nested"
    else:
        note = f"{integer(tops)} top-level, {integer(kept - tops)} nested"
    return Figure(label="Dispatches", value=integer(kept + counts.dropped), note=note)


def _calls(counts: _Counts) -> Figure:
    ran = [c for d in counts.dispatches for c in d.calls if c.outcome is not Outcome.SKIPPED]
    is_async = sum(call.is_async for call in ran)
    note = f"{integer(len(ran) - is_async)} sync, {integer(is_async)} async"
    if is_async in (0, len(ran)):
        note = ("all async" if is_async else "all sync") if ran else ""
    return Figure(label="Receiver calls", value=integer(len(ran)), note=note)


def _time(counts: _Counts) -> Figure:
    took = covered_ns((d.start_ns, d.end_ns) for d in counts.tree.tops)
    share = percent(took, counts.request_ns)
    return Figure(label="In dispatches", value=duration(took), note=f"{share} of the request")


def _sql(counts: _Counts) -> Figure:
    calls = [call for dispatch in counts.dispatches for call in dispatch.calls]
    number = sum(call.query_count for call in calls)
    took = queries_in(number, sum(call.query_ns for call in calls))
    return _or_zero("SQL in receivers", number, took.partition(" ")[2], "", "")


def _failed(counts: _Counts) -> Figure:
    raised = swallowed = 0
    for dispatch in counts.dispatches:
        number = sum(call.outcome is Outcome.RAISED for call in dispatch.calls)
        if is_swallowed(dispatch.method, dispatch.outcome):
            swallowed += number
        else:
            raised += number
    parts = [f"{integer(raised)} raised"] * bool(raised)
    parts += [f"{integer(swallowed)} swallowed"] * bool(swallowed)
    glyph: Glyph = "raised" if raised else "swallowed"
    return _or_zero("Failed", raised + swallowed, ", ".join(parts), glyph, "bad")


def _skipped(counts: _Counts) -> Figure:
    skipped, cancelled = counts.outcomes(Outcome.SKIPPED), counts.outcomes(Outcome.CANCELLED)
    stops = sum(any(c.outcome is Outcome.SKIPPED for c in d.calls) for d in counts.dispatches)
    parts = [f"after {plural(stops, 'failure')}"] * bool(skipped)
    parts += [f"{integer(cancelled)} cancelled"] * bool(cancelled)
    return _or_zero("Skipped", skipped + cancelled, ", ".join(parts), "skipped", "bad")


def _orphans(counts: _Counts) -> Figure:
    number = sum(dispatch.is_orphan for dispatch in counts.dispatches)
    note = ORPHAN if number == 1 else _ORPHANS
    return _or_zero("Orphans", number, note, "orphan", "")


def _dropped(counts: _Counts) -> Figure:
    limit = f"limit {integer(counts.limit)}"
    zero = Figure(label="Dropped", value="0", note=limit, tone="zero")
    dropped = _or_zero("Dropped", counts.dropped, "only counted", "warn", "warn")
    return dropped if counts.dropped else zero


def _or_zero(label: str, number: int, note: str, glyph: Glyph, tone: Tone) -> Figure:
    if not number:
        return Figure(label=label, value="0", note="", tone="zero")
    return Figure(label=label, value=integer(number), note=note, glyph=glyph, tone=tone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A cell of the summary table."""

    label: str  # "Failed"
    value: str  # "2"
    note: str  # "1 raised, 1 swallowed"
    glyph: Glyph = ""
    tone: Tone = ""
