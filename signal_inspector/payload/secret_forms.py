"""Finds secrets by their form: tokens, keys, hashes, credentials in URLs, card numbers.

A cheap test before each search lets an ordinary text pass. No part of a pattern can be tried for
the same characters more than a bounded number of times, so that each search takes time linear in
the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from signal_inspector.payload.secret_pairs import Span

_LONG_WORD = 16

_KEY_BEGINS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d"
)
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}-----|Private-MAC: \w+")
# The password extends to the last @ before the path; if it contains a slash, to the first @.
# What looks like a port and a path is not taken for a password.
_URL_PASSWORD = re.compile(
    r"://[^\s/?#:@\[\]\"'<>]{0,200}+:(?!\d{1,5}(?:[/?#\s]|\Z))"
    r"(?P<secret>[^\s/?#\"'<>]{1,1000}|[^\s@\"'<>]{1,1000})(?=@)"
)
# A key as user name in a URL: "https://0123456789abcdef0123456789abcdef@o1.example.com/2".
_URL_USER = re.compile(r"://(?P<secret>[^\s/?#:@\[\]\"'<>]{16,200}+)@")
_SCHEME = re.compile(
    r"(?<!\w)(?:(?:bearer|basic|token|negotiate|ntlm|apikey) [ \t]*(?P<secret>[\w.~+/=-]{5,})"
    r"|(?:digest|hawk|oauth|aws4-hmac-sha256) [ \t]*(?P<line>[A-Za-z_]{1,40}=[^\r\n]*))",
    re.IGNORECASE,
)
_SCHEME_NAMES: Final = (
    *("bearer ", "basic ", "token ", "negotiate ", "ntlm ", "apikey "),
    *("digest ", "hawk ", "oauth ", "sha256 "),
)
# Separate words of letters, digits and a few marks, each form with another first letter.
_WORD_FORMS = (
    r"eyJ[\w-]{9,}+(?:\.[\w-]*+){0,4}",  # JSON web tokens
    *(r"sk_(?:live|test)_\w{8,}", r"rk_(?:live|test)_\w{8,}", r"whsec_\w{10,}", r"sk-[\w-]{16,}"),
    *(r"SK[0-9a-f]{32}", r"key-[0-9a-f]{32}", r"gh[opsur]_\w{16,}", r"github_pat_\w{16,}"),
    *(r"gl[a-z]{2,5}-[\w-]{12,}", r"A[KS]IA[0-9A-Z]{12,}", r"AIza[\w-]{20,}", r"ya29\.[\w-]{11,}"),
    *(r"1//0[\w-]{20,}", r"xox[a-z]-[\w-]{11,}", r"xapp-[\w-]{11,}", r"GOCSPX-[\w-]{12,}"),
    *(r"SG\.[\w-]{10,}+\.[\w-]{10,}", r"npm_\w{16,}", r"pypi-[\w-]{16,}", r"do[oprt]_v1_\w{16,}"),
    *(r"shp[a-z]{2}_\w{16,}", r"hf_\w{16,}", r"gsk_\w{16,}", r"r8_\w{16,}", r"glc_[\w=-]{16,}"),
    *(r"glsa_[\w=-]{16,}", r"NRAK-\w{16,}", r"sntry[su]_[\w.=+/-]{16,}", r"lin_api_\w{16,}"),
    *(r"ntn_\w{16,}", r"figd_[\w-]{16,}", r"dapi[0-9a-f]{32}", r"hv[sbr]\.[\w-]{20,}"),
    *(r"sq0[a-z]{3}-[\w-]{16,}", r"sbp_\w{16,}", r"dp\.(?:pt|st|ct)\.\w{16,}"),
    *(r"AGE-SECRET-KEY-\w{16,}", r"dckr_pat_[\w-]{16,}", r"rubygems_\w{16,}", r"PMAK-[\w-]{16,}"),
    *(r"pscale_\w{2,5}_[\w.-]{16,}", r"tskey-[\w-]{12,}", r"ATATT3[\w=-]{16,}"),
    *(
        r"nvapi-[\w-]{16,}",
        r"pplx-\w{16,}",
        r"xai-\w{16,}",
        r"rzp_(?:live|test)_\w{8,}",
        r"EAA[CG]\w{20,}",
    ),
    # Password hashes of Django, PostgreSQL and Werkzeug.
    *(r"pbkdf2_\w{1,20}\$[^\s\"'\\,;<>]{10,}", r"bcrypt\w{0,10}\$[^\s\"'\\,;<>]{10,}"),
    *(r"argon2\$[^\s\"'\\;<>]{10,}", r"scrypt\$[^\s\"'\\,;<>]{10,}", r"md5\$[^\s\"'\\,;<>]{10,}"),
    *(r"sha1\$[^\s\"'\\,;<>]{10,}", r"unsalted_\w{3,6}\$[^\s\"'\\,;<>]{10,}"),
    *(r"crypt\$[^\s\"'\\,;<>]{10,}", r"SCRAM-SHA-\d{1,3}\$[^\s\"'\\,;<>]{10,}"),
    *(r"md5[0-9a-f]{32}(?![0-9A-Za-z])", r"pbkdf2:[\w:-]{1,40}\$[^\s\"'\\,;<>]{10,}"),
    r"scrypt:[\w:-]{1,40}\$[^\s\"'\\,;<>]{10,}",
)
# Like these, but they may begin anywhere.
_OTHER_FORMS = (
    # Hashes of crypt(3), MySQL and LDAP.
    r"\$(?:argon2\w{0,2}|scrypt|pbkdf2[\w-]{0,20})\$[^\s\"'\\;<>]{16,}",
    r"\$(?:2[abxy]?|apr1|[1567y]|gy)\$[^\s\"'\\,;<>]{16,}",
    r"\*[0-9A-F]{40}(?![0-9A-Za-z])",
    r"\{(?:S?SHA\d{0,3}|S?MD5|CRYPT|PBKDF2\w{0,10})\}[\w+/=$.-]{16,}",
    r":(?<=\d{6}:)[A-Za-z0-9_-]{30,}",  # Telegram
    r"-(?<=[0-9a-z]{5}-)[0-9a-f]{32}(?![0-9a-f])",  # Django's links to set a new password
)


def _own_form() -> re.Pattern[str]:
    """A pattern of all forms; each branch begins with another character, so it can skip ahead."""
    by_first: dict[str, list[str]] = {}
    for form in _WORD_FORMS:
        by_first.setdefault(form[0], []).append(form[1:])
    branches = [
        f"{first}(?<![A-Za-z0-9].)(?:{'|'.join(rests)})" for first, rests in by_first.items()
    ]
    return re.compile("|".join([*branches, *_OTHER_FORMS]))


_OWN_FORM = _own_form()
# Whoever knows the path of these addresses can post there.
_WEBHOOK = re.compile(
    r"(?i:hooks\.slack\.com|hooks\.zapier\.com|discord(?:app)?\.com/api(?:/v\d{1,3})?/webhooks"
    r"|[\w.-]{1,60}\.?webhook\.office\.com|outlook\.office\.com/webhook|[\w-]{1,60}\.logic\.azure\.com"
    r"|chat\.googleapis\.com/v1/spaces|maker\.ifttt\.com|hook\.\w{2,5}\.make\.com"
    r"|api\.telegram\.org)(?::\d{1,5})?/(?P<secret>[^\s\"'<>\\]{6,})"
)
_WEBHOOK_HOSTS = ("hook", ".logic.azure.", "chat.googleapis", "ifttt.com", "telegram.org")
# Links that give access have the secret in their path.
_LINK = re.compile(
    r"/(?:[\w-]{0,30}[_-])?(?:reset|confirm|confirmation|verify|verification|activate|activation"
    r"|passwords?|passwordless|register|registration|recover|recovery|email|approve"
    r"|invite|invites|invitation|invitations|magic|signin|login|unsubscribe|accept|token|tokens"
    r"|key|share|hooks?|webhooks?|otp|sso|onetime)(?:[_-][\w-]{0,30})?"
    r"/(?P<secret>[^\s\"'<>\\?#]{4,400})",
    re.IGNORECASE,
)
# Oracle's connection strings, which have no colon.
_ORACLE = re.compile(r"(?:thin:|sqlplus[ ]{1,9})[\w.$#-]{1,60}/(?P<secret>[^\s/@\"']{1,200})(?=@)")
_CODE_IN_URL = re.compile(r"[?&]code=(?P<secret>[\w.~%/+-]{16,})")
_SEGMENT = re.compile(r"[^/]+")
# A header is secret to the end of its line, because cookies and credentials contain spaces.
_HEADER = re.compile(
    r"(?:\b(?:set-)?cookie2?|\b(?:proxy-)?authorization)[ \t]{0,40}+:[ \t]{0,40}+"
    r"(?P<secret>[^\s\"'\[{(][^\r\n]*)",
    re.IGNORECASE,
)
_ROW_OF_DIGITS = re.compile(r"\d\d\d\d[\d -]{9}").search
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_DIGITS = re.compile(rf"(?P<uuid>{_UUID})|(?<![\d.])\d(?:[ -]?\d){{12,60}}+(?!\d)")
_DIGIT_GROUP = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)
_IBAN_BEGINS = re.compile(r"[A-Z][A-Z][0-9][0-9][ ]?[A-Z0-9]{4}").search
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)

#: Whether a word differs from those of a language: it has letters next to digits.
mixed = re.compile(r"[0-9](?:(?=[A-Za-z])|(?<=[A-Za-z].))").search
_FILE = re.compile(r"[\w.-]{1,80}\.[a-z]{1,5}").fullmatch
_PARTS = re.compile(r"[-_]")
_PARTS_OF_URLS = re.compile(r"[-_/\s\"'<>\\?#]+")


def known_forms(text: str, lower: str) -> Iterator[Span]:
    """The spans of secrets that are found by their form; ``lower`` is the text in lower case."""
    if "/" in text:
        yield from _addresses(text, lower)
    if "-----BEGIN" in text or "PuTTY" in text:
        yield from _key_blocks(text)
    if has_scheme(lower):
        yield from _credentials(text)
    if ":" in text and ("cookie" in lower or "authori" in lower):
        yield from spans(_HEADER, text)
    if len(text) >= _LONG_WORD and max(map(len, text.split()), default=0) >= _LONG_WORD:
        for match in _OWN_FORM.finditer(text):
            yield match.span()
    yield from _numbers(text)


def has_scheme(lower: str) -> bool:
    """Whether a text in lower case may name a scheme of credentials."""
    return " " in lower and any(map(lower.__contains__, _SCHEME_NAMES))


def spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """The span of the group ``secret`` in each match."""
    for match in pattern.finditer(text):
        yield match.span("secret")


def _addresses(text: str, lower: str) -> Iterator[Span]:
    """The spans of secrets in URLs and in the paths of links."""
    if "@" in text:
        yield from spans(_URL_PASSWORD, text)
        yield from spans(_ORACLE, text)
        yield from _random(text, spans(_URL_USER, text))
    if "code=" in text:
        yield from spans(_CODE_IN_URL, text)
    if any(map(lower.__contains__, _WEBHOOK_HOSTS)):
        yield from spans(_WEBHOOK, text)
    if mixed(text) or max(map(len, _PARTS_OF_URLS.split(text))) >= _LONG_NAME:
        for match in _LINK.finditer(text):
            at = match.start("secret")
            segments = (found.span() for found in _SEGMENT.finditer(match["secret"]))
            yield from _random(text, ((at + start, at + end) for start, end in segments))


_LONG_NAME = 24


def _random(text: str, found: Iterable[Span]) -> Iterator[Span]:
    """The spans that look like keys rather than names.

    They mix letters and digits as no name does, or are longer than any name. Slugs
    (``10-tips-for-2024``) and files (``views2.py``) are names.
    """
    for start, end in found:
        word = text[start:end]
        if len(word) >= 6 and not _FILE(word):
            parts = _PARTS.split(word)
            if max(map(len, parts)) >= _LONG_NAME or any(map(mixed, parts)):
                yield start, end


def _key_blocks(text: str) -> Iterator[Span]:
    position = 0
    while (begin := _KEY_BEGINS.search(text, position)) is not None:
        end = _KEY_ENDS.search(text, begin.end())
        position = end.end() if end else len(text)
        yield begin.start(), position


def _credentials(text: str) -> Iterator[Span]:
    for match in _SCHEME.finditer(text):
        value = match["secret"]
        if value is None:
            yield match.span("line")
        elif not (value.isalpha() and value[1:].islower()):  # "Basic authentication"
            yield match.span("secret")


def _numbers(text: str) -> Iterator[Span]:
    """The spans of card and account numbers."""
    if len(text) >= _CARD_LENGTHS[0] and _ROW_OF_DIGITS(text):
        for match in _DIGITS.finditer(text):
            yield from _cards(match)
    if len(text) >= _LONG_WORD and _IBAN_BEGINS(text):
        yield from (match.span() for match in _IBAN.finditer(text) if _is_iban(match[0]))


def _cards(match: re.Match[str]) -> Iterator[Span]:
    """The card numbers in a run of digits, each made of whole groups of digits."""
    run, at = match.group(), match.start()
    if match["uuid"]:
        return
    groups = [(group.start(), group.end()) for group in _DIGIT_GROUP.finditer(run)]
    done = 0
    for first, (start, _) in enumerate(groups):
        if start >= done and (end := _card_end(run, groups[first:])):
            yield at + start, at + end
            done = end


def _card_end(run: str, groups: list[tuple[int, int]]) -> int:
    """Where the card number that begins with the first group ends; 0 if none begins there."""
    start = groups[0][0]
    digits, sizes = "", []
    for left, right in groups:
        digits += run[left:right]
        sizes.append(right - left)
        if len(digits) > _CARD_LENGTHS[-1]:
            break
        # Dates and telephone numbers are grouped too, but differently.
        parted_like_a_card = len(sizes) == 1 or (sizes[0] >= 4 and min(sizes) >= 3)
        if parted_like_a_card and _is_card(digits):
            return max(right, start + 1)
    return 0


def _is_card(digits: str) -> bool:
    """Whether the digits have a card's length and check digit.

    No common card number begins with 0 or 1, unlike times in milliseconds and many ids.
    """
    if len(digits) not in _CARD_LENGTHS or digits[0] in "01":
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) << (place & 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits of an account number (IBAN) are right."""
    digits = text.replace(" ", "")
    moved = digits[4:] + digits[:4]
    return len(digits) >= 15 and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
