"""The parts of a dispatch, ready to print by the templates in ``signal_inspector/display``.

Texts are plain: the templates escape them. The room knows which pages there are to link to, and
passes in the functions that make the URLs.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from signal_inspector.core.record.values import WITHHELD, ReceiverCall, Summary
from signal_inspector.display import outcomes
from signal_inspector.display.outcomes import Glyph
from signal_inspector.display.text import exception_name, short_path

# The CSS class ``si-<tone>``; "" has no class.
Tone = outcomes.Tone | Literal["", "zero"]


#: Returns the URL that opens a line of a file; "" for no link.
Href = Callable[[str, int], str]

_DEEPEST = 4  # the most levels of indentation
_FRAME = re.compile(r'^\s*File "(?P<path>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a sentence."""

    text: str
    style: Literal["", "strong", "mono", "quiet"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a source file."""

    text: str  # "shop/services.py:88"
    title: str  # the whole path and the line
    href: str = ""  # opens it in the editor; "" when no editor is configured: plain text


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A word in a box beside a name."""

    text: str  # "in transaction", "async", "slow in a transaction"
    tone: Tone = ""
    glyph: Glyph = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """An exception, shown in the row itself."""

    name: str  # last part of the class name, bold: "CouponAbuse"
    message: str  # may be ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame of a call stack or a traceback."""

    directory: str  # ends with a separator: "shop/"; may be ""
    file: str  # "services.py"
    function: str
    line: str  # "131"
    code: str  # the source line, stripped; "" when it cannot be read
    href: str = ""  # opens it in the editor
    kind: Literal["frame"] = "frame"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line of a traceback between its frames or after them."""

    text: str
    strong: bool = False  # the line that names the exception
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A row of the payload table, or a returned value and its items."""

    name: str  # "order"; for an item, its key or index
    value: str  # "shop.Order:42"
    type: str  # dotted type, for the title
    depth: int  # 0 for an argument, 1 for its items, ...
    redacted: bool = False  # shows the lock
    withheld: bool = False  # only the type was kept
    url: str = ""  # the page of the object
    note: str = ""  # shown inconspicuously after the value: "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLink:
    """The trace in which a dispatch was sent."""

    id: str
    href: str  # where it is shown; "" without TRACE_URL, or if it was not sampled
    note: str = ""  # "not sampled": its id is in logs, but no viewer has it


def trace_link(form: str, trace_id: str, *, is_sampled: bool) -> TraceLink | None:
    """The link to a trace, made from the template in ``TRACE_URL``; None without a trace."""
    if not trace_id:
        return None
    if not is_sampled:
        return TraceLink(id=trace_id, href="", note="not sampled")
    return TraceLink(id=trace_id, href=form.replace("{trace_id}", trace_id))


def arguments(
    pairs: Iterable[tuple[str, Summary]],
    object_url: Callable[[str], str] | None = None,
    depth: int = 0,
) -> Iterator[Argument]:
    """Values, each followed by its items; ``object_url`` finds the page of "shop.Order:42"."""
    for key, summary in pairs:
        is_linked = object_url is not None and summary.kind == "model"
        yield Argument(
            name=str(key),
            value=str(summary.text) or ("redacted" if summary.kind == "redacted" else ""),
            type=str(summary.type),
            depth=min(depth, _DEEPEST),
            redacted=summary.kind == "redacted",
            withheld=summary.kind == WITHHELD,
            url=object_url(summary.text) if object_url and is_linked else "",
            note="cut" if summary.truncated else "",
        )
        yield from arguments(summary.items, object_url, depth + 1)


def error_line(call: ReceiverCall) -> ErrorLine | None:
    """The exception that a receiver raised, in one line; None if it did not raise."""
    if call.failure is None:
        return None
    message = " ".join(call.failure.message.split())
    return ErrorLine(name=exception_name(call.failure.exception_class), message=message)


def no_href(path: str, line: int) -> str:
    """The ``href`` function that links to nothing."""
    return ""


def frame(
    path: str, line: int, function: str, href: Href = no_href, code: str | None = None
) -> Frame:
    """A frame; ``code`` is its line of source, which is read from the file if None."""
    directory, separator, file = short_path(path).rpartition("/")
    return Frame(
        directory=directory + separator,
        file=file,
        function=function,
        line=str(line),
        code=linecache.getline(path, line).strip() if code is None else code,
        href=href(path, line),
    )


def traceback_lines(text: str, href: Href = no_href) -> tuple[Frame | TextLine, ...]:
    """The text of a traceback as frames, with the lines between them unchanged."""
    lines: list[Frame | TextLine] = []
    inside: Frame | None = None  # the frame whose source lines follow
    for line in text.splitlines():
        match = _FRAME.match(line)
        if match:
            inside = frame(match["path"], int(match["line"]), match["function"] or "", href, "")
            lines.append(inside)
        elif inside is not None and line.startswith("    "):
            if not inside.code and line.strip(" ~^"):
                # The source at the time of the exception; the file may have changed since.
                inside = lines[-1] = replace(inside, code=line.strip())
        elif line.strip() and line != "Traceback (most recent call last):":
            inside = None
            lines.append(TextLine(text=line.strip(), strong=_names_exception(line)))
    return tuple(lines)


def _names_exception(line: str) -> bool:
    # Only the last line of a traceback starts with a dotted class name, without indentation.
    return re.match(r"[\w.<>]+(:|$)", line) is not None
