"""The small pieces of what the panel shows. Everything here is ready to print.

Texts are plain: the template escapes them. Numbers come formatted, and where the script filters
or sorts by one, raw as well, as a string that no locale changes (``"18.3"``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# The symbol ``#si-i-<glyph>``; "" shows none.
Glyph = Literal[
    "",
    "ok",
    "raised",
    "swallowed",
    "skipped",
    "cancelled",
    "running",
    "orphan",
    "notcalled",
    "rollback",
    "warn",
    "note",
    "lock",
]

# The class ``si-<tone>``; "" has none. A colour never says anything that the words do not.
Tone = Literal["", "ok", "bad", "warn", "skip", "orphan", "zero", "note"]

# What a bar stands for. The dispatch's own bar is thin with ends, the others are thick.
BarKind = Literal["ok", "raised", "swallowed", "cancelled", "running", "nested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a sentence."""

    text: str
    style: Literal["", "strong", "mono", "quiet"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A dotted name: ``parts`` may break after each, ``last`` is bold."""

    parts: tuple[str, ...]  # with their dots: ("shop.", "signals.")
    last: str  # "order_placed"
    full: str  # "shop.signals.order_placed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a source file."""

    text: str  # "shop/services.py:88"
    title: str  # the whole path and the line
    href: str = ""  # opens it in the editor; "" when no editor is configured: plain text


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A word beside a name, in a frame."""

    text: str  # "in transaction", "async", "slow in a transaction"
    tone: Tone = ""
    glyph: Glyph = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCell:
    """How something ended: the last column."""

    glyph: Glyph
    tone: Tone
    text: str  # "returned", "raised to the sender", "3 of 4,960 calls failed"
    value: str = ""  # what was returned, monospaced after the text: "shop.Order:42"
    note: str = ""  # small, below: "swallowed by send_robust"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """An exception in the row itself."""

    name: str  # last part of the class, bold: "CouponAbuse"
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
    """A line between the frames of a traceback, or its end."""

    text: str
    strong: bool = False  # the line that names the exception
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A thick bar of a lane; ``x`` and ``width`` are percentages ("11.63%")."""

    kind: BarKind
    x: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The thin bar with ends: a dispatch."""

    x: str  # "11.63%": the left end
    width: str  # "2.79%"
    end: str  # "14.42%": the right end
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One of up to 120 columns of a group's lane, as high as that stretch of time was busy."""

    x: str
    width: str
    y: str  # px from the top of a lane 26 px high: columns stand on y = 19
    height: str  # px, at most 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The timeline cell of a row. Draw whatever is not empty, in the order of the fields."""

    label: str  # for a screen reader: "check_velocity, raised, from 72.2 to 84.2 ms"
    span: Span | None = None  # a dispatch
    spans: tuple[Span, ...] = ()  # the dispatches of a group of up to 40, each a block
    columns: tuple[Column, ...] = ()  # a larger group, or a receiver with many calls
    bars: tuple[Bar, ...] = ()  # receiver calls, then the nested time inside them
    marks: tuple[str, ...] = ()  # x of a failure mark above the columns, at most 40
    ring: str = ""  # x of the orphan's dashed ring
    stop: str = ""  # x of the dotted line of a receiver that never ran, with the words


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark of the time axis."""

    x: str  # "17.11%"
    text: str  # "100"; the first has the unit: "0 ms"
    odd: bool  # may be left out where there is little room
    anchor: str  # of the text at x: "start", "middle", or "end", so that both edges keep theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The time axis. The grid lines stand where the ticks are."""

    label: str  # "0 to 584.6 milliseconds of the request"
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A row of the payload table, or a returned value and its items."""

    name: str  # "order"; of an item its key or index
    value: str  # "shop.Order:42"
    type: str  # dotted type, for the title
    depth: int  # 0 for an argument, 1 for its items, ...
    redacted: bool = False  # shows the lock
    note: str = ""  # quiet, after the value: "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementGroup:
    """Equal statements of one receiver call."""

    times: str  # "28" and the sign of multiplication, or "1"
    sql: str
    time: str  # "7.6 ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTable:
    """The queries of a receiver call on one database."""

    title: str  # "31 queries in 8.7 ms on default"
    statements: tuple[StatementGroup, ...]
    note: str = ""  # "12 more statements were not kept."
