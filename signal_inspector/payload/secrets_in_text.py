"""Secrets inside running text: found by their form, whatever the text is about."""

from __future__ import annotations

import re
from collections.abc import Callable

MARK = "[redacted]"

_SHORTEST = 7  # no secret is recognised in a shorter text

# One look that nearly every ordinary text passes.
_HINT = re.compile(
    r"[=:]|\d[ -]?\d\d\d|-----BEGIN|eyJ|[Bb](?:earer|asic)|BEARER|BASIC|[Tt]oken"
    r"|[a-z]k[_-]|gh[a-z]_|github_|glpat|A[KS]IA|xox|xapp|AIza|ya29|SG\.|npm_|pypi-|dop_|shp|hf_"
).search

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END [A-Z0-9 ]{0,40}-----|.*\Z)",
    re.DOTALL,
)
# The password lasts to the last @ before the path; one with a slash in it, to the first @.
# What looks like a port and a path is not taken for a password.
_URL_PASSWORD = re.compile(
    r"(?P<start>://[^\s/?#:@\[\]\"'<>]{0,200}:)"
    r"(?!\d{1,5}(?:[/?#\s]|\Z))"
    r"(?:[^\s/?#\"'<>]{1,500}|[^\s@\"'<>]{1,500})(?=@)"
)
_SCHEME = re.compile(
    r"\b(?P<scheme>bearer|basic|token|digest|negotiate)(?P<gap>[ \t]+)"
    r"(?P<value>[\w.~+/=-]{4,}[\w.~+/=-])",
    re.IGNORECASE,
)
_JWT = re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}")
_PROVIDER_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"[sr]k_(?:live|test)_\w{8,}|whsec_\w{8,}|sk-[\w-]{16,}"
    r"|gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}"
    r"|A[KS]IA[0-9A-Z]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{8,}"
    r"|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|SG\.[\w-]{10,}\.[\w-]{10,}"
    r"|npm_\w{16,}|pypi-[\w-]{16,}|dop_v1_\w{16,}|shp[a-z]{2}_\w{16,}|hf_\w{16,}"
    r")"
)
# A header is secret to the end of its line: cookies and credentials have spaces in them.
_HEADER = re.compile(
    r"(?P<head>\b(?:set-)?cookie2?|\b(?:proxy-)?authorization)(?P<gap>[ \t]*:[ \t]*)"
    r"(?P<value>[^\s\"'][^\r\n]*)",
    re.IGNORECASE,
)
_QUOTED = r"[bruf]{0,2}\"(?:[^\"\\]|\\.)*\"?|[bruf]{0,2}'(?:[^'\\]|\\.)*'?"
_PAIR = re.compile(
    r"(?<![\w.-])(?P<key>[^\W\d_][\w.-]{0,80})"
    r"(?P<gap>[\"']?\)?[ \t]{0,3}(?:=>|=(?!=)|:(?![:/]))[ \t]{0,3}\(?)"
    rf"(?P<value>{_QUOTED}|\[[^\]]*\]?|\{{[^}}]*\}}?|[^\s,;&\"'()\[\]{{}}<>]+(?:\([^)]*\)?)?)"
)
# After "password:" these begin a sentence or name a type, and are no password.
_WORDS_NOT_SECRETS = frozenset(
    [
        "a",
        "an",
        "any",
        "are",
        "bool",
        "bytes",
        "can",
        "cannot",
        "could",
        "does",
        "enter",
        "expected",
        "expired",
        "field",
        "float",
        "for",
        "has",
        "have",
        "in",
        "int",
        "invalid",
        "is",
        "it",
        "list",
        "missing",
        "must",
        "needs",
        "no",
        "none",
        "not",
        "null",
        "ok",
        "or",
        "please",
        "required",
        "should",
        "str",
        "that",
        "the",
        "this",
        "too",
        "true",
        "false",
        "unknown",
        "was",
        "will",
        "wrong",
        "you",
        "your",
    ]
)
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_DIGITS = re.compile(rf"(?P<uuid>{_UUID})|(?<![\d.])\d(?:[ -]?\d){{12,60}}(?!\d)")
_DIGIT_GROUP = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)


def redact(text: str, is_secret_key: Callable[[str], str | None]) -> str:
    """The text with ``MARK`` in place of each secret; the same object if it has none."""
    if len(text) < _SHORTEST or not _HINT(text):
        return text
    if "-----BEGIN" in text:
        text = _KEY_BLOCK.sub(MARK, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\g<start>{MARK}", text)
    text = _credentials(text)
    text = _pairs(text, is_secret_key)
    return _DIGITS.sub(_without_card, text)


def redact_code(text: str) -> str:
    """As ``redact`` for lines of source code, where ``token = read()`` is no secret."""
    return redact(text, _no_key)


def _no_key(key: str) -> None:
    return None


def _credentials(text: str) -> str:
    """Without tokens that are known by their own form or the word before them."""
    text = _SCHEME.sub(_without_scheme_value, text)
    if "eyJ" in text:
        text = _JWT.sub(MARK, text)
    return _PROVIDER_KEY.sub(MARK, text)


def _without_scheme_value(match: re.Match[str]) -> str:
    value = match["value"]
    if value.isalpha() and value[1:].islower():  # "Basic authentication", "bearer token"
        return match.group()
    return f"{match['scheme']}{match['gap']}{MARK}"


def _pairs(text: str, is_secret_key: Callable[[str], str | None]) -> str:
    """Without the values of secret keys: ``password=x``, ``'token': 'x'``, ``Cookie: x``."""

    def without_value(match: re.Match[str]) -> str:
        value = match["value"]
        if value.casefold().rstrip(".!?") in _WORDS_NOT_SECRETS:
            return match.group()
        if is_secret_key(match["key"]) is None:
            return match.group()
        quote = value[-1] if value[-1] in "\"'" else ""
        return f"{match['key']}{match['gap']}{quote}{MARK}{quote}"

    if ":" in text:
        if is_secret_key is not _no_key:
            text = _HEADER.sub(rf"\g<head>\g<gap>{MARK}", text)
    elif "=" not in text:
        return text
    return _PAIR.sub(without_value, text)


def _without_card(match: re.Match[str]) -> str:
    """A run of digits without the card numbers in it, each made of whole groups of digits."""
    run = match.group()
    if match["uuid"]:
        return run
    groups = [(group.start(), group.end()) for group in _DIGIT_GROUP.finditer(run)]
    for first, (start, _) in enumerate(groups):
        for last in range(first, len(groups)):
            end = groups[last][1]
            digits = run[start:end].replace(" ", "").replace("-", "")
            if len(digits) > _CARD_LENGTHS[-1]:
                break
            if _is_card(digits, groups[first : last + 1]):
                rest = _DIGITS.sub(_without_card, run[end:])
                return f"{run[:start]}{MARK}{rest}"
    return run


def _is_card(digits: str, groups: list[tuple[int, int]]) -> bool:
    """Whether the digits are a card's: its length, check digit and, if parted, its parts."""
    if len(digits) not in _CARD_LENGTHS or digits[0] in "01":
        return False  # 1 begins times in milliseconds and many ids, and no common card
    if len(groups) > 1:
        sizes = [end - start for start, end in groups]
        if sizes[0] < 4 or min(sizes) < 3:  # dates and telephone numbers
            return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) << (place & 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
