"""Outcomes, files and lines as the panel shows them, in the words of ``display``.

Places are links to the editor; frames include their source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from debug_toolbar import settings as toolbar_settings
from django.utils.safestring import SafeString, mark_safe

from signal_inspector.conf import get_config
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Caller, Outcome, ReceiverCall, Summary, Unseen
from signal_inspector.display import outcomes
from signal_inspector.display import text as shown
from signal_inspector.display.numbers import integer, plural
from signal_inspector.display.outcomes import Ended, OutcomeWords
from signal_inspector.display.parts import Frame, Place, frame
from signal_inspector.display.text import arguments

_ONE_LINE = 160  # the most characters of a payload's line

_OWN = ("signal_inspector",)
_REFUSED = ("javascript:", "data:", "vbscript:")


def printable(page: str) -> SafeString:
    """A rendered page without characters that cannot be encoded or are not allowed in HTML.

    Names and messages may hold any text: a single lone surrogate in one of them would make the
    encoding of the whole response fail.
    """
    encodable = page.encode("utf-8", "replace").decode("utf-8")
    return mark_safe(encodable.replace("\0", "\N{REPLACEMENT CHARACTER}"))  # noqa: S308


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
    many = integer(len(members))
    raised = sum(member.outcome is Outcome.RAISED for member in members)
    if raised:
        text = f"{integer(raised)} of {many} {outcomes.RAISED_TO_SENDER}"
        return OutcomeWords(glyph="raised", tone="bad", text=text)
    calls = [call for member in members for call in member.calls]
    failed = sum(call.outcome is Outcome.RAISED for call in calls)
    if failed:
        text = f"{integer(failed)} of {plural(len(calls), 'call')} {outcomes.SWALLOWED}"
        return OutcomeWords(glyph="swallowed", tone="bad", text=text)
    orphans = sum(member.is_orphan for member in members)
    if orphans:
        text = "nobody received them" if orphans == len(members) else ""
        text = text or f"{integer(orphans)} of {many} received by nobody"
        return OutcomeWords(glyph="orphan", tone="warn", text=text)
    put_off = sum(member.unseen is Unseen.PUT_OFF for member in members)
    if put_off:
        text = "put off" if put_off == len(members) else f"{integer(put_off)} of {many} put off"
        return OutcomeWords(glyph="running", tone="none", text=text)
    ended = sum(member.outcome is Outcome.RETURNED for member in members)
    if ended < len(members) or any(call.outcome is not Outcome.RETURNED for call in calls):
        return OutcomeWords("warn", "cancelled", f"{integer(ended)} of {many} ended")
    sizes = {len(member.calls) for member in members}
    note = f"{plural(sizes.pop(), 'receiver')} each" if len(sizes) == 1 else ""
    return OutcomeWords(glyph="ok", tone="ok", text=f"all {many} returned", note=note)


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
    modules = _modules()
    return tuple(
        frame(*caller, editor_href)
        for caller in stack
        if not _is_in(modules.get(caller.path, ""), hidden)
    )


def _modules() -> dict[str, str]:
    """The module of each source file that is loaded."""
    found: dict[str, str] = {}
    for module, loaded in list(sys.modules.items()):
        path = getattr(loaded, "__file__", None)
        if isinstance(path, str):
            found.setdefault(path, module)
    return found


def _is_in(module: str, packages: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)
