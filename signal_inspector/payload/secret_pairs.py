"""Finds secrets in running text by their keys: where each secret key's value begins and ends.

This takes one pass over the text. One regular expression, every part of which is bounded or
possessive, finds a bracket, a tag or a key. The value of a secret key is then measured, and the
search continues after it. The value of any other key is searched like the rest, so that it does
not matter how deeply a secret is nested. Quotes may be escaped any number of times: JSON in JSON,
or a ``repr`` of it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Final

IsSecretKey = Callable[[str], str | None]
Span = tuple[int, int]

_QUOTE = r"""\\*+["'`]"""
# What may begin at a position. Whether it is a key depends on what follows. Each branch begins
# with a character or a set of characters, so that the search can skip all others.
_TOKEN = re.compile(
    rf"""
    [(\[{{)\]}}>] | [/?]>
    | <(?P<tag>[A-Za-z_][\w:.-]{{0,80}}+)
    | [iI](?<!\w.)(?P<clause>(?i:dentified)\s{{1,9}}(?:(?i:with)\s{{1,9}}\S{{1,80}}\s{{1,9}})?
        (?i:by|as)(?:\s{{1,9}}(?i:password))?)\s{{0,9}}(?=["'])
    | -(?<![\w-].)-?(?P<option>[A-Za-z][\w.-]{{0,80}}+)
        (?:[ \t]{{1,40}}+|{_QUOTE}[ \t]{{0,50}}+,\s{{0,40}}+|\\[nt])(?=[^\s-])
    | \w(?<!\w.)(?P<key>[\w.-]{{0,80}}+)
        (?:
          (?P<shut>{_QUOTE})?(?P<closers>[)\]]{{0,2}})
          (?=[ \t]{{0,40}}+(?:[=:!<"'`\\(,]|[bBrRuU]["'])) # most words end here
          (?:
            (?:::\w{{1,30}})?[ \t]{{0,40}}+
            (?P<sep>=>|:=|=(?!=)|::(?=[ ])|:(?!:|//))[ \t]{{0,40}}+
          | [ \t]{{0,40}}+(?:===?|!==?|<>)[ \t]{{0,40}}+(?=[bBrRuU]?{_QUOTE}|[(\[])
          | (?P<called>\()(?=[bBrRuU]?{_QUOTE})
          | (?(shut)[ \t]{{0,40}}+(?P<comma>,)\s{{0,40}}+|(?!))
          | [ \t]{{1,40}}+(?=[bBrRuU]?\\{{0,9}}["'])
          )
        | (?P<heading>(?=[ ]{{0,40}}\r?\n[ \t]))
        )
    """,
    re.VERBOSE,
).search
_WORD_BEFORE = re.compile(r"([^\W\d_][\w-]{0,30}) \Z")
# "session id: …" has the secret itself, "session error: …" is about it.
_IS_ITSELF = re.compile(r"id|key|code|hash|value|string|header", re.IGNORECASE).fullmatch

_OPENING = re.compile(
    rf"[bBrRuUfFnNeE]{{0,2}}+(?P<quote>(?P<one>{_QUOTE})(?:(?P=one)){{2}}|{_QUOTE})"
).match
# pprint splits a long text into several, and a description of a change has two.
_GOES_ON = re.compile(
    rf"\s{{1,200}}+(?:(?:->|=>|to|!=|\+)\s{{1,9}})?[bBrRuU]?(?P<quote>{_QUOTE})"
).match
# "password: str = 'x'", and what PHP and Go show: a type, then the value.
_ANNOTATION = re.compile(
    r"(?:[A-Za-z_][\w.]{0,60}+(?:\[[\w., |\[\]]{0,80}\])?+(?:[ ]?\|[ ]?[A-Za-z_][\w.]{0,60}+){0,4}"
    r"[ ]?=[ ]?|\s{0,40}+(?:\((?:len=\d{1,9}|[a-z]\w{0,20}+)\)[ ]|string\(\d{1,9}\)[ ]){1,3})"
    r"(?=[bBrRuUfF]{0,2}\\{0,70}[\"'])"
).match
# YAML's tags and anchors: "password: !!str &pw x".
_TAGGED = re.compile(r"(?:(?:![\w!./-]{0,40}|&\w{1,40})[ ]{1,9}){1,2}(?=\S)").match
# To the next space, ampersand, semicolon or quote; to a comma only if another pair follows.
_PLAIN_END = r"\s,;&\"'`()\[\]{}<>\\"
_UNQUOTED = re.compile(
    rf"[^{_PLAIN_END}](?:[^{_PLAIN_END}]|[\[{{<](?=[^\s/{_PLAIN_END}])"
    r"|\\(?!\\{0,70}[\"'`])(?!r?\\?n)|&(?![\w.-]{1,40}=|(?:amp|quot|apos|lt|gt|\#\w{2,4});)(?=\S)"
    r"|,(?![\s\"'\\]|[\w.-]{1,40}[ ]?[=:]))*+"
).match
# A whole line "password: correct horse", to where something else may begin.
_LINE_START = re.compile(r"(?:\A|(?<=[\r\n]))[ \t]*(?:-[ \t]+)?\Z")
_REST_OF_LINE = re.compile(r"[^\s;,\"'`\\<>()\[\]{}](?:[^\r\n;,\"'`\\<>]|,(?! ))*+").match
_SEVERAL_WORDS = re.compile(r"phrase|mnemonic", re.IGNORECASE).search
_NEXT_LINE = re.compile(r"(?P<bar>[|>][+-]?\d?[+-]?)?[ \t]{0,40}\r?\n(?P<indent>[ \t]{0,200}+)")
_NAME_CALLED = re.compile(r"[A-Za-z_][\w.]{0,80}+\(").match
# After "password:", these begin a sentence or name a type, and are not a password.
_NO_SECRET = re.compile(
    r"(?:an?|and|any|are|bool|bytes|can|cannot|could|did|does|enter|expected|expired|false|field"
    r"|float|for|has|have|in|int|invalid|is|it|list|missing|must|needs|no|none|not|null|ok|or"
    r"|please|required|should|str|string|that|the|this|too|true|unknown|was|will|wrong|your?|%s|\?|\$\d{1,2}|%\(\w{1,40}\)s)[.!?]?",
    re.IGNORECASE,
).fullmatch
_NUMBER = re.compile(r"\d[\d_.]{2,}+").match

# {"name": "password", "value": "x"}: the key of a name, and the key of the named value.
_NAMES = re.compile(
    r"(?:\A|[\W_]|(?<=[a-z0-9])(?=[A-Z]))(?i:name|key|field|header|label|param|parameter|var|variable|option|setting|attribute|attr"
    r"|property|loc|id|k)\Z",
).search
_VALUES = re.compile(
    r"(?:\A|[\W_]|(?<=[a-z0-9])(?=[A-Z]))(?i:values?|val|v|data|content|contents|text|input|string|current|new|old|default|before"
    r"|after|initial)\Z",
).search
_NAME_WORD = re.compile(r"[\w .\-]{1,100}").match
_DEEPEST: Final = 100  # brackets whose names are remembered
_MOST_VALUES: Final = 20  # values in one bracket that wait for a name
_PAIRED: Final = {")": "(", "]": "[", "}": "{"}
_TAG_WINDOW: Final = 20_000  # characters in which the end of an element is searched

_BRACKETS = re.compile(r"(?<!\\)\\*+[\"'`]|[()\[\]{}]")
_LITERAL = re.compile(
    r"[bBrRuUfF]{0,2}(?:\"\"\"(?P<a>(?:[^\"\\]|\\.|\"(?!\"\"))*+)(?:\"\"\")?"
    r"|'''(?P<b>(?:[^'\\]|\\.|'(?!''))*+)(?:''')?"
    r"|\"(?P<c>(?:[^\"\\\n]|\\.)*+)\"?|'(?P<d>(?:[^'\\\n]|\\.)*+)'?)",
    re.DOTALL,
)
_EXPRESSION = re.compile(
    r"\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|[(\[{]|[)\]}]|,|\n|(?<![\w.])\d[\d_]{3,}+"
)
_MARK_END: Final = {mark: re.compile(rf"(?<!\\)\\*+{re.escape(mark)}") for mark in ('"', "'", "`")}


@lru_cache(1_000)
def is_name(key: str) -> bool:
    """Whether the value of this key may name another value: ``name``, ``headerName``."""
    return _NAMES(key[-40:]) is not None


@lru_cache(1_000)
def is_value(key: str) -> bool:
    """Whether the value of this key may be the named value: ``value``, ``input``."""
    return _VALUES(key[-40:]) is not None


class _Names:
    """The name of the pair in an open bracket, and values that came before the name."""

    __slots__ = ("secret", "values")

    def __init__(self) -> None:
        self.secret: bool | None = None  # None: there was no name yet
        self.values: list[int] = []  # where they begin


class Mode(Enum):
    """The kind of text: in code, a name is not its value; SQL has lists of columns."""

    TEXT = "text"
    CODE = "code"
    SQL = "sql"


def no_key(key: str) -> None:
    """Say that no key is secret, for a text that is known to have no secret keys."""


def keyed_spans(text: str, is_secret_key: IsSecretKey, mode: Mode) -> list[Span]:
    """The spans of the values of secret keys, in any order; one may be inside another."""
    if is_secret_key is no_key:
        return []
    return _Scan(text, is_secret_key, mode).spans()


def literals(code: str) -> Iterator[Span]:
    """The spans of the contents of string literals in lines of source code."""
    for match in _LITERAL.finditer(code):
        yield match.span(match.lastgroup or 0)


class _Scan:
    """One pass over one text."""

    def __init__(self, text: str, is_secret_key: IsSecretKey, mode: Mode) -> None:
        self._text = text
        self._asked = is_secret_key
        self._mode = mode
        self._code = mode is Mode.CODE
        self._literals = list(literals(text)) if self._code else []
        self._found: list[Span] = []
        self._open = [""]  # brackets, and "<" with the tag
        self._names: dict[int, _Names] = {}  # by the number of brackets that are open
        self._literals_end = 0  # in code: after the last expression whose literals are hidden

    def spans(self) -> list[Span]:
        text, position = self._text, 0
        while (match := _TOKEN(text, position)) is not None:
            position = self._after(match)
        return self._found

    def _after(self, match: re.Match[str]) -> int:
        """Handle what was found; return where to continue the search."""
        position, first = match.end(), match[0][0]
        if match["key"] is not None:
            return self._pair(match)
        if first in "([{":
            self._push(first)
        elif first in ")]}":
            self._pop(_PAIRED[first])
        elif match["tag"] is not None:
            self._push(f"<{match['tag']}")
        elif match["option"] is not None:
            if self._secret(match["option"]):
                return self._hide(position, in_code=True)
        elif match["clause"] is not None:
            return self._hide(position)
        else:
            return self._element(match)
        return position

    # --- brackets ---

    def _push(self, opener: str) -> None:
        if len(self._open) < _DEEPEST:
            self._open.append(opener)

    def _pop(self, opener: str) -> None:
        """Close the bracket, and unclosed brackets inside it if there are few."""
        top = len(self._open) - 1
        for depth in range(top, max(top - 4, 0), -1):
            if self._open[depth] == opener:
                del self._open[depth:]
                for closed in range(depth, top + 1):
                    self._names.pop(closed, None)
                return

    def _is_named_secret(self) -> bool:
        """Whether the name in the innermost open bracket is of a secret."""
        if self._names:
            top = len(self._open) - 1
            for depth in (*range(top, max(top - 5, 0), -1), 0):
                names = self._names.get(depth)
                if names is not None and names.secret is not None:
                    return names.secret
        return False

    def _names_here(self) -> _Names:
        return self._names.setdefault(len(self._open) - 1, _Names())

    # --- elements: <password>x</password>, <entry key="password">x</entry> ---

    def _element(self, match: re.Match[str]) -> int:
        position = match.end()
        opened = self._open[-1]
        if not opened.startswith("<"):
            return position
        names = self._names.pop(len(self._open) - 1, None)
        self._open.pop()
        if match[0][0] in "/?" or position >= len(self._text):
            return position
        tag = opened[1:]
        name = tag.rpartition(":")[2]
        if (names is not None and names.secret) or self._secret(name):
            return self._hide_element(tag, position)
        if _NAMES(name):
            self._name(position)
        elif _VALUES(name):
            if self._is_named_secret():
                return self._hide_element(tag, position)
            self._wait(position)
        return position

    def _hide_element(self, tag: str, start: int) -> int:
        end = self._element_end(tag, start)
        if self._text[start:end].strip():
            self._found.append((start, end))
        return max(end, start)

    def _element_end(self, tag: str, start: int) -> int:
        text, limit = self._text, start + _TAG_WINDOW
        end = text.find(f"</{tag}", start, limit)
        if end < 0:
            end = text.find("<", start, limit)
        return end if end >= 0 else len(text)

    # --- pairs ---

    def _pair(self, match: re.Match[str]) -> int:
        position = match.end()
        key = self._text[match.start() : match.end("key")]
        if match["comma"]:
            return self._pair_in_brackets(match, key)
        if match["heading"] is not None:
            if self._begins_line(match.start()):
                self._names_here().secret = self._secret(key.rpartition(".")[2])
            return position
        for closer in match["closers"]:
            if closer in _PAIRED:
                self._pop(_PAIRED[closer])
        if match["called"]:
            self._push("(")
        has_sep = match["sep"] is not None
        if self._is_secret(match.start(), key):
            return self._hide(position, match if has_sep else None, in_code=not has_sep)
        if not has_sep:
            return position
        if is_name(key):
            self._name(position)
        elif is_value(key):
            if self._is_named_secret():
                return self._hide(position, match)
            self._wait(position)
        return position

    def _name(self, position: int) -> None:
        """Note the name that is here, and whether the value with this name is secret."""
        opening = _OPENING(self._text, position)
        start = opening.end() if opening else position
        if self._text[start : start + 1] in ("(", "["):  # "loc": ["body", "password"]
            words = re.findall(r"\w+", self._text[start : start + 200].partition("]")[0])
            secret = any(self._asked(word) is not None for word in words)
        else:
            word = _NAME_WORD(self._text, start)
            secret = word is not None and self._asked(word[0].strip()) is not None
        names = self._names_here()
        names.secret = secret
        if secret:
            done = 0
            for value in names.values:
                if value >= done:
                    is_element = self._text[value - 1] == ">"
                    done = self._hide_element("", value) if is_element else self._hide(value)
        names.values.clear()

    def _wait(self, position: int) -> None:
        """Remember a value whose name may follow."""
        names = self._names_here()
        if names.secret is None and len(names.values) < _MOST_VALUES:
            names.values.append(position)

    def _pair_in_brackets(self, match: re.Match[str], key: str) -> int:
        """``("password", "x")``: a quoted key at the beginning of a bracket."""
        position = match.end()
        before = self._text[max(match.start() - 60, 0) : match.start()]
        starts = not match["closers"] and _PAIR_START(before) is not None
        starts = starts and self._mode is not Mode.SQL
        if starts and self._open[-1] in ("(", "[") and self._secret(key):
            if self._code:
                self._hide_literals(position)
                return position
            end = bracket_end(self._text, position)
            closed = self._text[end - 1 : end] in (")", "]")
            self._found.append((position, end - 1 if closed else end))
            return end - 1 if closed else end
        # `'password', 'x'`: the next word may be a key of its own.
        return match.end("shut")

    def _is_secret(self, start: int, key: str) -> bool:
        """Whether the key is secret, alone or with the word before it: ``card number: …``."""
        if self._secret(key):
            return True
        if start < 2 or self._text[start - 1] != " ":
            return False
        before = _WORD_BEFORE.search(self._text, max(start - 32, 0), start)
        if before is None:
            return False
        if self._asked(before[1]) is not None and not _IS_ITSELF(key):  # "password error: …"
            return False
        return self._asked(f"{before[1]}_{key}") is not None

    def _secret(self, key: str) -> bool:
        return self._asked(key) is not None

    # --- values ---

    def _hide(
        self, position: int, pair: re.Match[str] | None = None, in_code: bool = False
    ) -> int:
        """Treat the value that begins here as a secret; return where it ends."""
        if pair is not None and (typed := _ANNOTATION(self._text, position)) is not None:
            position, pair, in_code = typed.end(), None, True
        elif pair is not None and (tagged := _TAGGED(self._text, position)) is not None:
            position = tagged.end()
        opening = _OPENING(self._text, position)
        if self._code and opening is None:
            if not in_code:
                self._hide_literals(position)
            return position
        span = self._measure(position, pair)
        if span is None:
            return position
        start, end, after = span
        if start == end:
            return after
        if opening is None and _NO_SECRET(self._text[start : min(end, start + 20)]):
            return position
        self._found.append((start, end))
        if self._code and not in_code:  # "a" if x else "b"
            self._hide_literals(after)
        return after

    def _measure(
        self, position: int, pair: re.Match[str] | None = None
    ) -> tuple[int, int, int] | None:
        """Where the value's text begins and ends, and where the search may continue."""
        text = self._text
        opening = _OPENING(text, position)
        if opening is not None:
            start = opening.end()
            quote = opening["quote"]
            end = quote_end(text, start, quote)
            after = min(end + len(quote), len(text))
            while (more := _GOES_ON(text, after)) is not None and len(more["quote"]) == len(quote):
                if self._code and "+" in more[0]:
                    break
                end = quote_end(text, more.end(), more["quote"])
                after = min(end + len(quote), len(text))
            return start, end, after
        first = text[position : position + 1]
        if first == "(":
            end = bracket_end(text, position + 1)
            closed = text[end - 1 : end] == ")"
            return position + 1, end - 1 if closed else end, end
        if first in ("[", "{"):
            end = bracket_end(text, position + 1)
            return position, end, end
        if first in ("\r", "\n", "|", ">") and pair is not None:
            block = self._block(position, pair)
            if block is not None:
                return block
        called = _NAME_CALLED(text, position)
        if called is not None:
            end = bracket_end(text, called.end())
            return position, end, end
        found = None
        if pair is not None and not self._code and _is_spaced(pair) and self._is_whole(pair):
            found = _REST_OF_LINE(text, position)
            if found is not None and _NO_SECRET(found[0].split(None, 1)[0]):
                found = None
        found = found or _UNQUOTED(text, position)
        return (position, found.end(), found.end()) if found else None

    def _is_whole(self, pair: re.Match[str]) -> bool:
        """Whether the value may contain spaces: on its own line, or of several words."""
        key = self._text[pair.start() : pair.end("key")]
        return _SEVERAL_WORDS(key) is not None or self._begins_line(pair.start())

    def _begins_line(self, start: int) -> bool:
        return _LINE_START.search(self._text, max(start - 80, 0), start) is not None

    def _block(self, position: int, pair: re.Match[str]) -> tuple[int, int, int] | None:
        """A value on the next lines: quoted, in brackets, or indented further than its key."""
        text = self._text
        line = _NEXT_LINE.match(text, position)
        if line is None:
            return None
        start = line.end()
        if line["bar"] is None and (_OPENING(text, start) or text[start : start + 1] in "[{"):
            return self._measure(start)
        key = pair.start()
        begin = text.rfind("\n", max(key - 200, 0), key) + 1 or max(key - 200, 0)
        own = len(text[begin:key]) - len(text[begin:key].lstrip(" \t"))
        indent = len(line["indent"])
        is_list = text.startswith("- ", start) and indent == own
        if indent <= own and not is_list:
            return None
        end = start
        while True:
            end = text.find("\n", end)
            if end < 0:
                return start, len(text), len(text)
            next_line = text[end + 1 : end + 2 + indent]
            if next_line.strip(" \t\r\n") and not (
                next_line[:indent].isspace() or (is_list and next_line.lstrip().startswith("-"))
            ):
                return start, end, end
            end += 1

    def _hide_literals(self, position: int) -> None:
        """In code: hide the literals of the expression that is assigned to a secret name."""
        if position < self._literals_end or self._is_in_literal(position):
            return
        depth = 0
        while (match := _EXPRESSION.search(self._text, position)) is not None:
            found = match[0]
            position = self._literals_end = match.end()
            if found[0] in "\"'":
                closed = len(found) > 1 and found[-1] == found[0]
                span = match.start() + 1, match.end() - (1 if closed else 0)
                if span[0] < span[1]:
                    self._found.append(span)
            elif found in "([{":
                depth += 1
            elif found in ")]}":
                depth -= 1
                if depth < 0:
                    return
            elif depth == 0 and found in ("\n", ","):
                return
            elif found.isdecimal():
                self._found.append(match.span())
        self._literals_end = len(self._text)

    def _is_in_literal(self, position: int) -> bool:
        """In code: whether the position is in quotes, which hold a separate text."""
        before = bisect_right(self._literals, (position, position)) - 1
        return before >= 0 and position < self._literals[before][1]


_PAIR_START = re.compile(r"[(\[](?:[A-Za-z_][\w.]{0,40},)?\s*[bBrRuU]?\\*[\"'`]\Z").search


def _is_spaced(pair: re.Match[str]) -> bool:
    """Whether it is ``key: value`` or ``key = value``, as people write, not ``key=value``."""
    gap = pair[0][pair.end("closers") - pair.start() :]
    return len(gap) > 1 and gap[-1] in " \t"


def bracket_end(text: str, position: int) -> int:
    """The position after the bracket that closes the one opened just before ``position``.

    If no bracket does, the end of the text.
    """
    depth = 1
    while (match := _BRACKETS.search(text, position)) is not None:
        found = match[0]
        position = match.end()
        if found[-1] in "\"'`":
            before = text[match.start() - 1 : match.start()]
            if found in ("'", "`") and before.isalnum() and before not in "bBrRuUfF":
                continue  # an apostrophe
            position = quote_end(text, position, found) + len(found)
        elif found in "([{":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return position
    return len(text)


def quote_end(text: str, start: int, quote: str) -> int:
    """Where a quoted text ends that began with ``quote`` just before ``start``.

    A quote that is escaped as often as the first one closes it; a quote that is escaped less
    often closes the surrounding text.
    """
    mark = quote[-1]
    if quote.count(mark) == 3:
        end = text.find(quote, start)
        return len(text) if end < 0 else end
    escapes = len(quote) - 1
    for match in _MARK_END[mark].finditer(text, start):
        found = match.end() - match.start() - 1
        if found < escapes:
            return match.start()
        if found % (2 * (escapes + 1)) != escapes:
            continue
        end = match.end()
        if found > escapes and text[end : end + 1].isalnum():
            continue  # a quote of an inner text, which a repr has escaped once more
        if not escapes and end - 1 > start and text[end : end + 1] == mark:
            return _doubled_end(text, end + 1, mark)
        return end - 1 - escapes
    return len(text)


def _doubled_end(text: str, position: int, mark: str) -> int:
    """The end of ``'it''s'``, searched from after the first doubled quote."""
    while (end := text.find(mark, position)) >= 0:
        if text[end + 1 : end + 2] != mark:
            return end
        position = end + 2
    return len(text)
