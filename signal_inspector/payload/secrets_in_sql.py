"""SQL statements: where their literals are, and which of them are secret.

A statement that names a secret keeps none of its literals, because only their positions show
which one it is. In a message, its quotes may be escaped, and its parameters may follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from signal_inspector.payload.secret_pairs import (
    IsSecretKey,
    Span,
    bracket_end,
    no_key,
    quote_end,
)

_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,100}+")
# After some words, double quotes hold text, unless what follows makes it a name.
_SHOWN = r"(?:[=<>(,]|\b(?i:LIKE|BY|VALUES?|IN|AS|PASSWORD|KEY))\s{0,9}+"
_AFTER_NAME = r"(?=\s?[.=)]|\s{0,9},\s?\\*\")"
_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"
    r"|\$(?P<tag>\w{0,30})\$"
    r"|(?P<identifier>`[^`]*+`?|\[[\w ]{1,100}\])"
    rf"|(?P<shown>{_SHOWN})?"
    rf"(?:(?P<name>\"[\w $.\-]*+\"(?(shown){_AFTER_NAME}))|(?P<quote>\\*+[\"']))"
    r"|(?P<values>[vV](?<!\w.)(?i:ALUES)\s{0,9}\()"
    r"|(?<![\w.$%@:])(?P<number>\d[\w.]*+)"
).search
_NEXT_ROW = re.compile(r"\s{0,40},\s{0,40}\(").match
_IS_NAME = re.compile(_AFTER_NAME).match
_NAME = re.compile(r"[\w $.\-]*").fullmatch
_CRYPTOGRAPHIC = re.compile(
    r"\b(?:identified\s|crypt\(|pgp_\w|aes_\w|digest\(|hmac\(|encrypt|decrypt|pragma\s+(?:re)?key"
    r"|gen_salt|key\s{1,9}\\*'|sp_\w{0,20}(?:login|password))",
    re.IGNORECASE,
).search
_CRYPTOGRAPHIC_WORDS = (
    "identified",
    "crypt",
    "pgp_",
    "aes_",
    "digest(",
    "hmac(",
    "key",
    "salt",
    "sp_",
)
_NUMBER = re.compile(r"\d\d\d").search
_SHORTEST_NUMBER = 3

# A statement in a message.
_VERBS: Final = (
    "insert",
    "replace",
    "update",
    "select",
    "delete",
    "merge",
    "call ",
    "exec",
    "attach",
)
_STATEMENT = re.compile(
    r"\b(?:(?i:INSERT|REPLACE|MERGE)\s{1,9}(?i:INTO)|(?i:UPDATE)\s{1,9}\S{1,80}\s{1,9}(?i:SET)"
    r"|SELECT|DELETE\s{1,9}FROM|CALL|EXEC(?:UTE)?|ATTACH)\s"
)
_PARAMETERS = re.compile(
    r"\b(?i:param|parameter|arg|argument|bind|binding)(?i:s|_?list)?\b[^\w(\[{]{1,140}"
    r"(?P<bracket>[(\[{])"
)
_NEXT_ARGUMENT = re.compile(r"\\*[\"']{1,3},\s{0,40}(?P<bracket>[(\[{])").match


def sql_secrets(sql: str, is_secret_key: IsSecretKey) -> list[Span]:
    """The spans of the literals of a statement that names a secret."""
    if not any(mark in sql for mark in "'\"$") and not _NUMBER(sql):
        return []
    return _literals(sql, 0, len(sql)) if _names_secret(sql, is_secret_key) else []


def statement_secrets(
    text: str, lower: str, is_secret_key: IsSecretKey, *, as_is: bool
) -> list[Span]:
    """Like ``sql_secrets``, for the statements in a message, with the parameters after them.

    If the text is not ``as_is``, quotes around a statement may look like those in it.
    """
    found: list[Span] = []
    if not any(map(lower.__contains__, _VERBS)):
        return found
    # Quotes that a repr() escaped look as if they ended the surrounding text.
    as_is = as_is and "\\'" not in text and '\\"' not in text
    position = arguments_end = 0
    first = len(text)
    while (statement := _STATEMENT.search(text, position)) is not None:
        start = statement.start()
        end = _statement_end(text, start)
        position = end if as_is else len(text)
        if not _names_secret(text[start:position], is_secret_key):
            continue
        first = min(first, start)
        found += _literals(text, start, position)
        # cursor.execute("UPDATE …", [1, 2])
        argument = _NEXT_ARGUMENT(text, end)
        if argument is not None and argument.end() > arguments_end:
            found.append(_in_brackets(text, argument.end()))
            arguments_end = found[-1][1]
    while (parameters := _PARAMETERS.search(text, first)) is not None:
        found.append(_in_brackets(text, parameters.end()))
        first = found[-1][1]
    return found


def _in_brackets(text: str, start: int) -> Span:
    """The span inside the brackets of which the first is just before ``start``."""
    end = bracket_end(text, start)
    return start, end - 1 if end > start and text[end - 1] in ")]}" else end


def _statement_end(text: str, start: int) -> int:
    """The end of the quotes around a statement; the end of the text if there are no quotes."""
    if text[start - 1 : start] not in ("'", '"'):
        return len(text)
    before = text[max(start - 40, 0) : start - 1]
    escapes = len(before) - len(before.rstrip("\\"))
    return quote_end(text, start, "\\" * escapes + text[start - 1])


def _names_secret(sql: str, is_secret_key: IsSecretKey) -> bool:
    names = () if is_secret_key is no_key else set(_IDENTIFIER.findall(sql))
    if any(is_secret_key(name) is not None for name in names):
        return True
    lower = sql.lower()
    return any(map(lower.__contains__, _CRYPTOGRAPHIC_WORDS)) and bool(_CRYPTOGRAPHIC(sql))


def _literals(sql: str, start: int, end: int) -> list[Span]:
    return [
        span
        for span, kind in sql_literals(sql, start, end)
        if kind != "number" or span[1] - span[0] >= _SHORTEST_NUMBER
    ]


def sql_literals(sql: str, position: int, end: int) -> Iterator[tuple[Span, str]]:
    """The literals of a statement: span, and "text" (with quotes), "number" or "comment"."""
    values_end = 0
    while (match := _TOKEN(sql, position, end)) is not None:
        position = match.end()
        if match["name"] is not None:
            if position < values_end:
                start, close = match.span("name")
                yield (start + 1, close - 1), "text"
            continue
        if (quote := match["quote"]) is not None:
            close = min(quote_end(sql, position, quote), end)
            text = position, close
            position = close + len(quote) if sql.startswith(quote, close) else close
            if quote[-1] == "'":
                yield text, "text"
                continue
            named = _IS_NAME(sql, position)
            # MariaDB and SQLite treat double quotes as text if they do not hold a name.
            shown = close < values_end or (match["shown"] and named is None)
            if shown or not _NAME(sql[slice(*text)]):
                yield text, "text"
        elif match["values"] is not None:
            if position > values_end:
                values_end = _rows_end(sql, position)
        elif match["tag"] is not None:
            close = sql.find(match[0], position, end)
            close = end if close < 0 else close
            yield (position, close), "text"
            position = min(close + len(match[0]), end)
        elif match["number"] is not None:
            yield match.span("number"), "number"
        elif match["comment"] is not None:
            yield match.span("comment"), "comment"


def _rows_end(sql: str, position: int) -> int:
    """Where the rows of values end that begin here."""
    while True:
        end = bracket_end(sql, position)
        row = _NEXT_ROW(sql, end)
        if row is None:
            return end
        position = row.end()


def shape_of_sql(sql: str) -> str:
    """The statement without comments, and with a question mark for each literal."""
    made, done = [], 0
    for (start, end), kind in sql_literals(sql, 0, len(sql)):
        quoted = kind == "text" and start > 0
        left, right = (start - 1, end + 1) if quoted else (start, end)
        made.append(sql[done:left])
        made.append("" if kind == "comment" else "?")
        done = min(right, len(sql))
    return "".join([*made, sql[done:]])
