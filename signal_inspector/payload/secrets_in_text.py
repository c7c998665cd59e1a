"""Secrets inside running text: found by their form, whatever the text is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

MARK: Final = "[redacted]"

IsSecretKey = Callable[[str], str | None]

_SHORTEST = 7
_LONG_WORD = 16
_ROW_OF_DIGITS = re.compile(r"\d{4}[\d -]{9}").search

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END [A-Z0-9 ]{0,40}-----|.*\Z)",
    re.DOTALL,
)
# The password lasts to the last @ before the path; one with a slash in it, to the first @.
# What looks like a port and a path is not taken for a password.
_URL_PASSWORD = re.compile(
    r"(?P<start>://[^\s/?#:@\[\]\"'<>]{0,200}+:)"
    r"(?!\d{1,5}(?:[/?#\s]|\Z))"
    r"(?:[^\s/?#\"'<>]{1,1000}|[^\s@\"'<>]{1,1000})(?=@)"
)
_SCHEME = re.compile(
    r"(?<!\w)(?P<scheme>bearer|basic|token)(?P<gap>[ \t]+)(?P<value>[\w.~+/=-]{5,})",
    re.IGNORECASE,
)
_SCHEME_NAME = re.compile(r"earer[ \t]|asic[ \t]|oken[ \t]|EARER[ \t]|ASIC[ \t]|OKEN[ \t]").search
# Each begins with a letter of its own, which lets the search leap to the next candidate.
_OWN_FORM = re.compile(
    r"eyJ[\w-]{5,}+(?:\.[\w-]*+){1,4}"  # JSON web tokens
    r"|sk_(?:live|test)_\w{8,}|rk_(?:live|test)_\w{8,}|whsec_\w{10,}|sk-[\w-]{16,}"
    r"|gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}"
    r"|A[KS]IA[0-9A-Z]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{11,}"
    r"|xox[a-z]-[\w-]{11,}|xapp-[\w-]{11,}|SG\.[\w-]{10,}+\.[\w-]{10,}|GOCSPX-[\w-]{12,}"
    r"|npm_\w{16,}|pypi-[\w-]{16,}|dop_v1_\w{16,}|shp[a-z]{2}_\w{16,}|hf_\w{16,}"
)
# A header is secret to the end of its line: cookies and credentials have spaces in them.
_HEADER = re.compile(
    r"(?P<head>\b(?:set-)?cookie2?|\b(?:proxy-)?authorization)(?P<gap>[ \t]*:[ \t]*)"
    r"(?P<value>[^\s\"'\[{(][^\r\n]*)",
    re.IGNORECASE,
)
_QUOTED = r"[bruf]{0,2}\"(?:[^\"\\]|\\.)*+\"?|[bruf]{0,2}'(?:[^'\\]|\\.)*+'?"
# To the next space, ampersand, semicolon or quote; to a comma only where another pair begins.
_UNQUOTED = (
    r"[^\s,;&\"'()\[\]{}<>](?:[^\s,;&\"'()\[\]{}<>]|,(?![\s\"']|[\w.-]{1,40}[ ]?[=:]))*+"
    r"(?:\([^)]*\)?)?"
)
_PAIR = re.compile(
    r"(?<![\w.-])(?P<key>[^\W\d_][\w.-]{0,80}+)"
    r"(?P<gap>[\"']?\)?[ \t]{0,3}+(?:=>|=(?!=)|:(?![:/]))[ \t]{0,3}+\(?)"
    rf"(?P<value>{_QUOTED}|\[[^\]]*+\]?|\{{[^}}]*+\}}?|{_UNQUOTED})",
    re.DOTALL,
)
_WORD_BEFORE = re.compile(r"([^\W\d_][\w-]{0,30}) \Z")
# After "password:" these begin a sentence or name a type, and are no password.
_NO_SECRET = re.compile(
    r"(?:an?|and|any|are|bool|bytes|can|cannot|could|did|does|enter|expected|expired|false|field"
    r"|float|for|has|have|in|int|invalid|is|it|list|missing|must|needs|no|none|not|null|ok|or"
    r"|please|required|should|str|string|that|the|this|too|true|unknown|was|will|wrong|your?)[.!?]?",
    re.IGNORECASE,
).fullmatch
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_DIGITS = re.compile(rf"(?P<uuid>{_UUID})|(?<![\d.])\d(?:[ -]?\d){{12,60}}+(?!\d)")
_DIGIT_GROUP = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)


def redact(text: str, is_secret_key: IsSecretKey) -> str:
    """The text with ``MARK`` in place of each secret; the same object if it has none."""
    if len(text) < _SHORTEST:
        return text
    safe = _known_forms(text)
    if "=" in safe or ":" in safe:
        if "ookie" in safe or "uthori" in safe or "OOKIE" in safe or "UTHORI" in safe:
            safe = _HEADER.sub(rf"\g<head>\g<gap>{MARK}", safe)
        safe = _pairs(safe, is_secret_key, only_quoted=False)
    return text if safe == text else safe


def redact_code(text: str, is_secret_key: IsSecretKey) -> str:
    """As ``redact`` for source code: ``password="x"`` holds a secret, ``token = read()`` none."""
    return _pairs(_known_forms(text), is_secret_key, only_quoted=True)


def _known_forms(text: str) -> str:
    """Without what is a secret by its form alone.

    The looks before each search let an ordinary text pass in about a microsecond.
    """
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\g<start>{MARK}", text)
    if "-----BEGIN" in text:
        text = _KEY_BLOCK.sub(MARK, text)
    if " " in text and _SCHEME_NAME(text):
        text = _SCHEME.sub(_without_credentials, text)
    if len(text) >= _LONG_WORD and max(map(len, text.split()), default=0) >= _LONG_WORD:
        text = _OWN_FORM.sub(_without_key, text)
    if len(text) >= _CARD_LENGTHS[0] and _ROW_OF_DIGITS(text):
        text = _DIGITS.sub(_without_card, text)
    return text


def _without_key(match: re.Match[str]) -> str:
    start = match.start()
    inside_a_word = start > 0 and match.string[start - 1].isalnum()
    return match.group() if inside_a_word else MARK


def _without_credentials(match: re.Match[str]) -> str:
    value = match["value"]
    if value.isalpha() and value[1:].islower():  # "Basic authentication", "bearer token"
        return match.group()
    return f"{match['scheme']}{match['gap']}{MARK}"


def _pairs(text: str, is_secret_key: IsSecretKey, *, only_quoted: bool) -> str:
    """Without the values of secret keys: ``password=x``, ``'token': 'x'``, ``api key: x``."""

    def without_value(match: re.Match[str]) -> str:
        value = match["value"]
        quote = value[-1] if value[-1] in "\"'" else ""
        if only_quoted and (not quote or len(value) < 3):
            return match.group()
        if not _is_secret(match, is_secret_key):
            return match.group()
        if _NO_SECRET(value):
            return match.group()
        return f"{match['key']}{match['gap']}{quote}{MARK}{quote}"

    return _PAIR.sub(without_value, text)


def _is_secret(match: re.Match[str], is_secret_key: IsSecretKey) -> bool:
    """By the key, or by the key with the word before it: ``card number: …``."""
    key = match["key"]
    if is_secret_key(key) is not None:
        return True
    start = match.start()
    before = _WORD_BEFORE.search(match.string, max(start - 32, 0), start)
    if before is None or is_secret_key(before[1]) is not None:  # "password error: …"
        return False
    return is_secret_key(f"{before[1]}_{key}") is not None


def _without_card(match: re.Match[str]) -> str:
    """A run of digits without the card numbers in it, each made of whole groups of digits."""
    run = match.group()
    if match["uuid"]:
        return run
    groups = [(group.start(), group.end()) for group in _DIGIT_GROUP.finditer(run)]
    kept, done = "", 0
    for first, (start, _) in enumerate(groups):
        if start >= done and (end := _card_end(run, groups[first:])):
            kept += run[done:start] + MARK
            done = end
    return kept + run[done:] if done else run


def _card_end(run: str, groups: list[tuple[int, int]]) -> int:
    """Where the card number that begins with the first group ends; 0 if none begins there."""
    start = groups[0][0]
    digits, sizes = "", []
    for left, right in groups:
        digits += run[left:right]
        sizes.append(right - left)
        if len(digits) > _CARD_LENGTHS[-1]:
            break
        # Dates and telephone numbers are parted too, but in other ways.
        parted_like_a_card = len(sizes) == 1 or (sizes[0] >= 4 and min(sizes) >= 3)
        if parted_like_a_card and _is_card(digits):
            return max(right, start + 1)
    return 0


def _is_card(digits: str) -> bool:
    """Whether the digits have a card's length and check digit.

    No common card begins with 0 or 1, as times in milliseconds and many ids do.
    """
    if len(digits) not in _CARD_LENGTHS or digits[0] in "01":
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) << (place & 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
