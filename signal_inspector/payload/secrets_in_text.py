"""Finds secrets in running text, by their form or by the key before them.

A text is searched as it is. If it was encoded for a page, a URL, JSON or Python, perhaps several
times, it is also searched as it was before. Each search takes time linear in the length.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from signal_inspector.payload.secret_forms import has_scheme, known_forms, mixed, spans
from signal_inspector.payload.secret_pairs import (
    IsSecretKey,
    Mode,
    Span,
    keyed_spans,
    literals,
    no_key,
)
from signal_inspector.payload.secrets_in_sql import sql_secrets, statement_secrets
from signal_inspector.payload.text import MARK

#: Returns the test for secret keys in a text; ``no_key`` if it cannot have any.
KeysIn = Callable[[str], IsSecretKey]

_SHORTEST = 7
# A short word, or a sentence of words and small numbers: these contain no form and no pair.
_INNOCENT = re.compile(r"[\w.,-]{0,12}|(?:[A-Za-z ,.;!?]++|\b\d{1,2}\b)*+").fullmatch
_KEYED = re.compile(r"[=<>\"'`:]|-(?<![\w-].)-?[A-Za-z]|\n[ \t]").search
_DIGIT = re.compile(r"[0-9]").search


def redact(text: str, keys_in: KeysIn) -> str:
    """The text with ``MARK`` in place of each secret; the same object if it has none."""
    if len(text) < _SHORTEST or (_INNOCENT(text) and not has_scheme(text.lower())):
        return text
    return marked(text, _text_spans(text, keys_in))


def redact_code(text: str, keys_in: KeysIn) -> str:
    """Like ``redact``, for source code: ``password="x"`` has a secret, ``token = read()`` not."""
    return marked(text, _code_spans(text, keys_in))


def redact_sql(sql: str, keys_in: KeysIn) -> str:
    """Like ``redact``, for an SQL statement. If it names a secret, no literal of it is left."""
    found = _text_spans(sql, keys_in, Mode.SQL)
    return marked(sql, found + sql_secrets(sql, keys_in(sql)))


def marked(text: str, found: Iterable[Span]) -> str:
    """The text with ``MARK`` in place of the spans; the same object if they change nothing."""
    ordered = sorted({span for span in found if span[0] < span[1]})
    if not ordered:
        return text
    made, done = [], 0
    start, end = ordered[0]
    for left, right in [*ordered[1:], (len(text) + 1, len(text) + 1)]:
        if left < end:
            end = max(end, right)
            continue
        made += [text[done:start], MARK]
        done, start, end = end, left, right
    safe = "".join([*made, text[done:]])
    return text if safe == text else safe


def _text_spans(text: str, keys_in: KeysIn, mode: Mode = Mode.TEXT) -> list[Span]:
    """The spans of secrets in a text, and in what the text was before it was quoted."""
    found = _spans_of(text, keys_in(text), mode, as_is=True)
    for plain, place in _readings(text):
        inside = _spans_of(plain, keys_in(plain), mode, as_is=False)
        found += [(place(start), place(end)) for start, end in inside]
    return found


def _code_spans(text: str, keys_in: KeysIn) -> list[Span]:
    """The spans of secrets in lines of source code, where quotes hold text."""
    is_secret_key = keys_in(text)
    found = list(known_forms(text, text.lower()))
    found += keyed_spans(text, is_secret_key, Mode.CODE)
    found += _named_elsewhere(text, is_secret_key)
    for start, end in literals(text):
        if end - start >= _SHORTEST:
            inside = _text_spans(text[start:end], keys_in)
            found += [(start + left, start + right) for left, right in inside]
    return found


def _spans_of(text: str, is_secret_key: IsSecretKey, mode: Mode, *, as_is: bool) -> list[Span]:
    lower = text.lower()
    found = list(known_forms(text, lower))
    if _KEYED(text):
        if is_secret_key is not no_key:
            found += keyed_spans(text, is_secret_key, mode)
        found += _named_elsewhere(text, is_secret_key)
    if is_secret_key is not no_key and " " in text and _DIGIT(text):
        found += _spoken(text, is_secret_key)
    if mode is Mode.TEXT:
        found += statement_secrets(text, lower, is_secret_key, as_is=as_is)
    return found


# --- what a text was before it was quoted ---

_Place = Callable[[int], int]

_HEX = "[0-9A-Fa-f]"
# Each branch begins with another character, so that the search can skip ahead.
# How pages and URLs encode a character, and what is only formatting: colors and bold face.
_MARKUP = re.compile(
    rf"%(?:25){{0,10}}(?:(?P<ascii>[2-7]{_HEX}|0[AaDd9]|1[Bb])"
    rf"|(?P<utf8>[C-Fc-f]{_HEX}(?:%(?:25){{0,10}}[89ABab]{_HEX}){{1,3}}))"
    rf"|&(?:amp;){{0,10}}(?P<entity>(?:\#(?:[0-9]{{1,7}}|[xX]{_HEX}{{1,6}})|quot|apos|lt|gt|nbsp"
    r"|colon|equals|lbrace|rbrace|amp);)"
    r"|\x1b\[[\d;]{0,20}m|\*\*(?P<bold>)"
)
# The escapes of JSON, Python and others, perhaps with backslashes that are escaped themselves.
_BACKSLASHES = r"\\(?<!\\\\)(?:\\|(?:u00|x)5[Cc]){0,100}"
_ESCAPE = re.compile(
    rf"(?P<backslashes>{_BACKSLASHES})"
    rf"(?:(?P<slash>/)|u(?P<unicode>{_HEX}{{4}})|(?P<space>[nt]|r{_BACKSLASHES}n)"
    rf"|x(?:(?P<ascii>[0-7]{_HEX}|[aA]0)"
    rf"|(?P<utf8>[C-Fc-f]{_HEX}(?:{_BACKSLASHES}x[89ABab]{_HEX}){{1,3}})))"
)
_QUOTE_NAME = re.compile(
    rf"(?:amp(?:;|{_BACKSLASHES}u003[Bb])){{0,10}}(?:quot|apos|\#0{{0,9}}3[49]|\#[xX]0{{0,9}}2[27])"
    r"|(?:25){0,10}2[27]"
).match
_LATER_BYTE = re.compile(rf"[89ABab]{_HEX}(?=[\\%]|\Z)")
_UNUSUAL: Final = {
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\uff07", "'"),
    **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000\u200b\u200c\u200d\u2060\ufeff", " "),
    "\uff1a": ":",
    "\uff1d": "=",
}
# Quotes, spaces and marks as word processors and messengers write them.
_IS_UNUSUAL = re.compile(f"[{''.join(_UNUSUAL)}]").search
_PLAIN: Final = str.maketrans(_UNUSUAL)
_MOST_READINGS = 6


def _readings(text: str) -> Iterator[tuple[str, _Place]]:
    """The earlier forms of the text, decoded step by step, each with a map of its positions."""
    place: _Place = int
    unchanged = 0
    for number in range(_MOST_READINGS):
        pattern, decode = (_ESCAPE, _unescape) if number % 2 else (_MARKUP, _unmark)
        plain = text
        if "\\" in text if number % 2 else _has_markup(text):
            plain, place_before = _decoded(text, pattern, decode)
            place = _composed(place_before, place)
        if not (number % 2 or plain.isascii()) and _IS_UNUSUAL(plain):
            plain = plain.translate(_PLAIN)
        unchanged = unchanged + 1 if plain == text else 0
        if unchanged == 2:
            return
        if not unchanged:
            text = plain
            yield plain, place


def _composed(first: _Place, then: _Place) -> _Place:
    return lambda position: then(first(position))


def _has_markup(text: str) -> bool:
    return "%" in text or "&" in text or "**" in text or "\x1b" in text


def _decoded(
    text: str, pattern: re.Pattern[str], decode: Callable[[re.Match[str]], str]
) -> tuple[str, _Place]:
    """The text with all matches decoded, and a map of its positions to those of the text."""
    made: list[str] = []
    ends, shifts = [0], [0]  # positions in the result, and how far behind the text it is there
    done = length = 0
    for match in pattern.finditer(text):
        char = decode(match)
        made += [text[done : match.start()], char]
        length += match.start() - done + len(char)
        done = match.end()
        ends.append(length)
        shifts.append(done - length)

    def place(position: int) -> int:
        return position + shifts[bisect_right(ends, position) - 1]

    return "".join([*made, text[done:]]), place


def _unmark(match: re.Match[str]) -> str:
    if match["ascii"]:
        return chr(int(match["ascii"], 16))
    if match["utf8"]:
        return _utf8(match["utf8"])
    if match["entity"]:
        return html.unescape(f"&{match['entity']}")[:1]
    return ""


def _unescape(match: re.Match[str]) -> str:
    if match["space"]:
        return "\t" if match["space"] == "t" else "\n"
    if match["slash"]:
        return "/"
    if match["utf8"]:
        return _utf8(match["utf8"])
    char = chr(int(match["unicode"] or match["ascii"], 16))
    if char in "\"'`" or (char in "&%" and _QUOTE_NAME(match.string, match.end())):
        # A quote stays escaped as often as it was, because that shows which quotes match.
        return "\\" * match["backslashes"].lower().count("5c") + char
    return char


def _utf8(codes: str) -> str:
    later = "".join(_LATER_BYTE.findall(codes, 2))
    return bytes.fromhex(codes[:2] + later).decode(errors="replace")[:1]


# --- values apart from their keys ---

# A table or list of names and values, as on pages and in mails.
_CELLS = re.compile(
    r"<(?:t[dh]|dt|b|strong|label|span|code)\b[^<>]{0,200}+>\s{0,40}+(?P<key>[\w .-]{1,60}+)"
    r"\s{0,9}+:?\s{0,9}+</\w{1,10}>:?\s{0,40}+(?:<(?!th\b)\w[^<>]{0,200}+>\s{0,40}+){0,3}"
    r"(?P<secret>[^<>\s][^<>]{0,500}+)"
)
# A part of a form: a name, an empty line, and what was entered.
_LINE_END = r"[ ]{0,40}+(?:\r?\n|\\{1,70}r\\{1,70}n|\\{1,70}n)"  # as it is, or escaped
_IN_LINE = r"(?:[^\r\n\\]|\\++(?![rn]))"
_FORM_PART = re.compile(
    r"form-data;[ \t]{0,9}name=(?:\\{0,70}[\"'][ ]{0,40})?(?P<key>[\w.\[\]-]{1,80}+)"
    rf"{_IN_LINE}{{0,300}}+{_LINE_END}(?:[\w-]{{1,40}}+:{_IN_LINE}{{0,200}}+{_LINE_END})?"
    rf"{_LINE_END}(?P<secret>(?:[^-]|-(?!-))++)"
)
# PHP's: s:8:"password";s:7:"hunter2";
_SERIALIZED = re.compile(
    r"\"(?P<key>[\w.-]{1,80})\\{0,70}\";s:\d{1,9}:\\{0,70}\"(?P<secret>[^\"\\]{1,9999}+)"
)
# PostgreSQL shows the whole row, MariaDB the value before its key.
_FAILING_ROW = re.compile(r"Failing row contains \((?P<secret>[^\r\n]*?)\)?\.?(?=[\r\n]|\Z)")
_KEY_DETAIL = re.compile(r"\((?P<key>[^()\r\n]{1,300})\)=\((?P<secret>[^\r\n]{0,500}?)\) (?=\w)")
_DUPLICATE = re.compile(
    r"Duplicate entry \\{0,70}'(?P<secret>[^\r\n]{0,500}?)\\{0,70}'[ ]{1,40}for key \\{0,70}'"
    r"(?P<key>[^'\r\n]{1,200})'"
)
_APART: Final = (
    ("</", _CELLS),
    ('";s:', _SERIALIZED),
    ("form-data", _FORM_PART),
    (")=(", _KEY_DETAIL),
    ("Duplicate entry", _DUPLICATE),
)
# Command lines with options of one letter: mysql -phunter2, curl -u user:password.
_OPTION_GAP = r"(?:[ \t=]{1,9}+|\\*[\"'][ \t]{0,40},\s?)?(?:\\*[\"'][ ]{0,40})?"
_USER_OPTION = re.compile(
    rf"-(?<![\w-].)(?:[uUa]|-(?:user|proxy-user|auth|userpwd)){_OPTION_GAP}"
    r"(?P<user>[^\s\"':,\\]{0,100}):(?P<secret>[^\s\"'\\]{1,500})"
)
_COMMAND = re.compile(
    r"\b(?:mysql\w{0,12}|mariadb[\w-]{0,12}|sshpass|mongo\w{0,10}|docker\W{1,6}login|redis-cli|smbclient"
    r"|ldap\w{2,8}|(?:un)?zip|7z|openssl|htpasswd|rabbitmqctl|sqlcmd|psexec|plink|pscp|az|twine)\b"
)
_LETTER_OPTION = re.compile(
    r"-(?<![\w-].)[paPwWk](?:(?P<glued>[^\s\"',\\-][^\s\"',\\]{0,200})"
    r"|(?:[ \t]{1,9}+|\\*[\"'][ \t]?,\s?\\*[\"'])(?P<secret>[^\s\"',\\-][^\s\"',\\]{0,200}))"
)
_PORTS = re.compile(r"\d{1,5}(?::\d{1,5})?").fullmatch


def _named_elsewhere(text: str, is_secret_key: IsSecretKey) -> Iterator[Span]:
    """Values apart from their keys: in parts of forms, database errors, command lines."""
    if is_secret_key is not no_key:
        for mark, pattern in _APART:
            if mark in text:
                yield from _secret_matches(pattern, text, is_secret_key)
    if "Failing row" in text:
        yield from spans(_FAILING_ROW, text)
    if "-" in text:
        for match in _USER_OPTION.finditer(text):
            if not (match["user"].isdecimal() and match["secret"].isdecimal()):  # uid:gid
                yield match.span("secret")
        if _LETTER_OPTION.search(text) and (command := _COMMAND.search(text)) is not None:
            for match in _LETTER_OPTION.finditer(text, command.end()):
                if match["glued"] is not None:
                    yield match.span("glued")
                elif not _PORTS(match["secret"]):
                    yield match.span("secret")


def _secret_matches(
    pattern: re.Pattern[str], text: str, is_secret_key: IsSecretKey
) -> Iterator[Span]:
    for match in pattern.finditer(text):
        keys: Sequence[str] = re.split(r"[,.]\s*", match["key"])
        if any(is_secret_key(key) is not None for key in keys):
            yield match.span("secret")


# --- what people write ---

# "password hunter2", "the token is 12ab34cd": words that would not continue a sentence.
_SPOKEN = re.compile(
    r"(?<![\w-])(?P<key>[A-Za-z_][\w-]{1,40}+)"
    r"(?:[ \t]{1,9}+(?:(?:[-=]{0,2}>|[\u2192|])[ \t]{1,9}+)?|:\s{1,9}+)"
    r"(?:(?i:is|was|value|of|from|to|set[ ]to|was[ ]set|changed)(?::\s{0,9}+|[ \t]{1,9}+))?"
    r"[\"'`(]?"
    r"(?P<secret>(?=[^\s\d]{0,60}\d)(?=[^\sA-Za-z]{0,60}[A-Za-z])[^\s\"'`<>()\[\]{},;]{6,})"
    r"(?:[\"'`)]?[ \t]{1,9}+(?i:to)[ \t]{1,9}+[\"'`(]?(?P<next>[^\s\"'`<>()\[\]{},;]{6,}))?"
)
# "Your verification code is 123456": a one-time code may have only digits.
_SPOKEN_CODE = re.compile(
    r"(?<![\w-])(?P<key>(?:[A-Za-z]{2,20}[ -])?[A-Za-z]{3,20}+)[ \t]{1,9}+(?i:is|was)"
    r"[ \t]{0,9}+:?[ \t]{0,9}+[\"'`(]?(?P<secret>\d{3}[ -]?\d{1,5})(?!\w|\.\d)"
)
# "123456 is your verification code"
_CODE_SPOKEN = re.compile(
    r"(?P<secret>\d{3}[ -]?\d{1,5})[ \t]{1,9}+(?i:is|was)[ \t]{1,9}+(?i:your|the)[ \t]{1,9}+"
    r"(?P<key>(?:[A-Za-z0-9]{2,20}[ -]){0,4}[A-Za-z]{3,20}+)"
)
_CODES = ("one-time code", "pin", "password", "cvv")


def _spoken(text: str, is_secret_key: IsSecretKey) -> Iterator[Span]:
    for match in _SPOKEN.finditer(text) if mixed(text) else ():
        if is_secret_key(match["key"]) is not None:
            yield match.span("secret")
            yield match.span("next")
    told = " is" in text or " was" in text
    for pattern in (_SPOKEN_CODE, _CODE_SPOKEN) if told else ():
        for match in pattern.finditer(text):
            if is_secret_key(match["key"]) in _CODES:
                yield match.span("secret")
