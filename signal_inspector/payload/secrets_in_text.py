"""Secrets inside running text: found by their form, or by the key before them.

Every search runs over the text once, in time linear in its length: no part of a pattern can be
entered anew for the same characters more than a bounded number of times.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from signal_inspector.payload.secret_pairs import (
    IsSecretKey,
    Mode,
    Span,
    keyed_spans,
    literals,
    no_key,
)

MARK: Final = "[redacted]"

_SHORTEST = 7
_LONG_WORD = 16
_INNOCENT = re.compile(r"[\w.,-]{0,12}").fullmatch
_ROW_OF_DIGITS = re.compile(r"\d{4}[\d -]{9}").search

_KEY_BEGINS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d"
)
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}-----|Private-MAC: \w+")
# The password lasts to the last @ before the path; one with a slash in it, to the first @.
# What looks like a port and a path is not taken for a password.
_URL_PASSWORD = re.compile(
    r"://[^\s/?#:@\[\]\"'<>]{0,200}+:(?!\d{1,5}(?:[/?#\s]|\Z))"
    r"(?P<secret>[^\s/?#\"'<>]{1,1000}|[^\s@\"'<>]{1,1000})(?=@)"
)
# A name in a URL that is no name: "https://0123456789abcdef0123456789abcdef@o1.example.com/2".
_URL_USER = re.compile(r"://(?P<secret>[^\s/?#:@\[\]\"'<>]{16,200}+)@")
_SCHEME = re.compile(
    r"(?<!\w)(?:(?:bearer|basic|token|negotiate|ntlm|apikey) [ \t]*(?P<secret>[\w.~+/=-]{5,})"
    r"|(?:digest|hawk|oauth|aws4-hmac-sha256) [ \t]*(?P<line>[A-Za-z_]{1,40}=[^\r\n]*))",
    re.IGNORECASE,
)
# A table or list of names and what they are, as pages and mails have them.
_CELLS = re.compile(
    r"<(?:t[dh]|dt|b|strong|label|span|code)\b[^<>]{0,200}+>\s{0,40}+(?P<key>[\w .-]{1,60}+)"
    r"\s{0,9}+:?\s{0,9}+</\w{1,10}>:?\s{0,40}+(?:<(?!th\b)\w[^<>]{0,200}+>\s{0,40}+){0,3}"
    r"(?P<secret>[^<>\s][^<>]{0,500}+)"
)
# Of words of letters, digits and a few marks that stand alone.
_OWN_FORM = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"eyJ[\w-]{9,}+(?:\.[\w-]*+){0,4}"  # JSON web tokens
    r"|[sr]k_(?:live|test)_\w{8,}|whsec_\w{10,}|sk-[\w-]{16,}|SK[0-9a-f]{32}|key-[0-9a-f]{32}"
    r"|gh[opsur]_\w{16,}|github_pat_\w{16,}|gl[a-z]{2,5}-[\w-]{12,}"
    r"|A[KS]IA[0-9A-Z]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{11,}|1//0[\w-]{20,}"
    r"|xox[a-z]-[\w-]{11,}|xapp-[\w-]{11,}|SG\.[\w-]{10,}+\.[\w-]{10,}|GOCSPX-[\w-]{12,}"
    r"|npm_\w{16,}|pypi-[\w-]{16,}|do[oprt]_v1_\w{16,}|shp[a-z]{2}_\w{16,}|hf_\w{16,}"
    r"|gsk_\w{16,}|r8_\w{16,}|gl(?:sa|c)_[\w=-]{16,}|NRAK-\w{16,}|sntry[su]_[\w.=+/-]{16,}"
    r"|lin_api_\w{16,}|ntn_\w{16,}|figd_[\w-]{16,}|dapi[0-9a-f]{32}|hv[sbr]\.[\w-]{20,}"
    r"|sq0[a-z]{3}-[\w-]{16,}|sbp_\w{16,}|dp\.(?:pt|st|ct)\.\w{16,}|AGE-SECRET-KEY-\w{16,}"
    r"|(?:bot)?\d{6,12}:[A-Za-z0-9_-]{30,}"  # Telegram
    r"|[0-9a-z]{5,8}-[0-9a-f]{32}(?![0-9a-f])"  # Django's links to set a new password
    # Hashes of passwords: Django's, and those of crypt(3), LDAP and PostgreSQL.
    r"|pbkdf2_\w{1,20}\$[^\s\"'\\,;<>]{10,}|bcrypt\w{0,10}\$[^\s\"'\\,;<>]{10,}"
    r"|argon2\$[^\s\"'\\;<>]{10,}|(?:scrypt|md5|sha1|unsalted_\w{3,6}|crypt)\$[^\s\"'\\,;<>]{10,}"
    r"|SCRAM-SHA-\d{1,3}\$[^\s\"'\\,;<>]{10,}|md5[0-9a-f]{32}(?![0-9A-Za-z])"
    r"|(?:pbkdf2|scrypt):[\w:-]{1,40}\$[^\s\"'\\,;<>]{10,}"  # Werkzeug's
    r")"
    r"|\$(?:argon2\w{0,2}|scrypt|pbkdf2[\w-]{0,20})\$[^\s\"'\\;<>]{16,}"
    r"|\$(?:2[abxy]?|apr1|[1567y]|gy)\$[^\s\"'\\,;<>]{16,}"
    r"|\*[0-9A-F]{40}(?![0-9A-Za-z])"  # MySQL's
    r"|\{(?:S?SHA\d{0,3}|S?MD5|CRYPT|PBKDF2\w{0,10})\}[\w+/=$.-]{16,}"
)
# The path of these addresses is all that one needs to post there.
_WEBHOOK = re.compile(
    r"(?i:hooks\.slack\.com|hooks\.zapier\.com|discord(?:app)?\.com/api(?:/v\d{1,3})?/webhooks"
    r"|[\w.-]{1,60}\.?webhook\.office\.com|outlook\.office\.com/webhook|[\w-]{1,60}\.logic\.azure\.com"
    r"|chat\.googleapis\.com/v1/spaces|maker\.ifttt\.com|hook\.\w{2,5}\.make\.com"
    r"|api\.telegram\.org)(?::\d{1,5})?/(?P<secret>[^\s\"'<>\\]{6,})"
)
# Links that let their reader in carry what does so in their path.
_LINK = re.compile(
    r"/(?:[\w-]{0,30}[_-])?(?:reset|confirm|confirmation|verify|verification|activate|activation"
    r"|passwords?|passwordless|register|registration|recover|recovery|email|approve"
    r"|invite|invites|invitation|invitations|magic|signin|login|unsubscribe|accept|token|tokens"
    r"|key|share|hooks?|webhooks?|otp|sso|onetime)(?:[_-][\w-]{0,30})?"
    r"/(?P<secret>[^\s\"'<>\\?#]{4,400})",
    re.IGNORECASE,
)
_CODE_IN_URL = re.compile(r"[?&]code=(?P<secret>[\w.~%/+-]{16,})")
_SEGMENT = re.compile(r"[^/]+")
# A header is secret to the end of its line: cookies and credentials have spaces in them.
_HEADER = re.compile(
    r"(?:\b(?:set-)?cookie2?|\b(?:proxy-)?authorization)[ \t]{0,40}+:[ \t]{0,40}+"
    r"(?P<secret>[^\s\"'\[{(][^\r\n]*)",
    re.IGNORECASE,
)
# A part of a form: a name, an empty line, and what was entered.
_LINE_END = r"[ ]{0,40}+(?:\r?\n|\\{1,16}r\\{1,16}n|\\{1,16}n)"  # as it is, or escaped
_IN_LINE = r"(?:[^\r\n\\]|\\++(?![rn]))"
_FORM_PART = re.compile(
    r"form-data;[ \t]{0,9}name=(?:\\{0,16}[\"'][ ]{0,40})?(?P<key>[\w.\[\]-]{1,80}+)"
    rf"{_IN_LINE}{{0,300}}+{_LINE_END}(?:[\w-]{{1,40}}+:{_IN_LINE}{{0,200}}+{_LINE_END})?"
    rf"{_LINE_END}(?P<secret>(?:[^-]|-(?!-))++)"
)
# PHP's: s:8:"password";s:7:"hunter2";
_SERIALIZED = re.compile(
    r"\\{0,16}\"(?P<key>[\w.-]{1,80})\\{0,16}\";s:\d{1,9}:\\{0,16}\"(?P<secret>[^\"\\]{1,9999}+)"
)
# PostgreSQL tells the whole row, MariaDB the value before its key.
_FAILING_ROW = re.compile(r"Failing row contains \((?P<secret>[^\r\n]*?)\)?\.?(?=[\r\n]|\Z)")
_KEY_DETAIL = re.compile(r"\((?P<key>[^()\r\n]{1,300})\)=\((?P<secret>[^\r\n]{0,500}?)\) (?=\w)")
_DUPLICATE = re.compile(
    r"Duplicate entry \\{0,9}'(?P<secret>[^\r\n]{0,500}?)\\{0,9}'[ ]{1,40}for key \\{0,9}'"
    r"(?P<key>[^'\r\n]{1,200})'"
)
# "password hunter2", "the token is 12ab34cd": what no sentence goes on with.
_SPOKEN = re.compile(
    r"(?<![\w-])(?P<key>[A-Za-z][\w-]{1,40}+)(?:[ \t]{1,9}+|:\s{1,9}+)"
    r"(?:(?i:is|was|value|of|from|to|set[ ]to|was[ ]set|changed)(?::\s{0,9}+|[ \t]{1,9}+))?"
    r"[\"'`(]?"
    r"(?P<secret>(?=[^\s\d]{0,60}\d)(?=[^\sA-Za-z]{0,60}[A-Za-z])[^\s\"'`<>()\[\]{},;]{6,})"
    r"(?:[\"'`)]?[ \t]{1,9}+(?i:to)[ \t]{1,9}+[\"'`(]?(?P<next>[^\s\"'`<>()\[\]{},;]{6,}))?"
)
# "Your verification code is 123456": a code for one time may be of digits alone.
_SPOKEN_CODE = re.compile(
    r"(?<![\w-])(?P<key>(?:[A-Za-z]{2,20}[ -])?[A-Za-z]{3,20}+)[ \t]{1,9}+(?i:is|was)"
    r"[ \t]{0,9}+:?[ \t]{0,9}+[\"'`(]?(?P<secret>\d{3}[ -]?\d{1,5})(?![\w.])"
)
_CODES = ("one-time code", "pin", "password", "cvv")
_DIGIT = re.compile(r"\d").search
_MIXED = re.compile(r"[A-Za-z]\d|\d[A-Za-z]").search
# Command lines whose options are of one letter: mysql -phunter2, curl -u user:password.
_OPTION_GAP = r"(?:[ \t=]{1,9}+|\\*[\"'][ \t]{0,40},\s?)?(?:\\*[\"'][ ]{0,40})?"
_USER_OPTION = re.compile(
    rf"(?<![\w-])(?:-[uUa]|--(?:user|proxy-user|auth|userpwd)){_OPTION_GAP}"
    r"(?P<user>[^\s\"':,\\]{0,100}):(?P<secret>[^\s\"'\\]{1,500})"
)
_COMMAND = re.compile(
    r"\b(?:mysql\w{0,12}|mariadb[\w-]{0,12}|sshpass|mongo\w{0,10}|docker\W{1,6}login|redis-cli|smbclient"
    r"|ldap\w{2,8}|(?:un)?zip|7z|openssl|htpasswd|rabbitmqctl|sqlcmd|psexec|plink|pscp|az)\b"
)
_LETTER_OPTION = re.compile(
    r"(?<![\w-])-[paPwW](?:(?P<glued>[^\s\"',\\-][^\s\"',\\]{0,200})"
    r"|(?:[ \t]{1,9}+|\\*[\"'][ \t]?,\s?\\*[\"'])(?P<secret>[^\s\"',\\-][^\s\"',\\]{0,200}))"
)
_PORTS = re.compile(r"\d{1,5}(?::\d{1,5})?").fullmatch
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_DIGITS = re.compile(rf"(?P<uuid>{_UUID})|(?<![\d.])\d(?:[ -]?\d){{12,60}}+(?!\d)")
_DIGIT_GROUP = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
KEYED = re.compile(r"[=<>\"'`&:]|%3[AaDd]|-(?<![\w-].)-?[A-Za-z]|\n[ \t]").search

# SQL whose literals all go as soon as it names a secret, for their places tell what they are.
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,100}+")
_SQL_TEXT = re.compile(
    r"(?P<comment>--[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"
    r"|'(?P<text>(?:[^'\\]|\\.|'')*+)'?"
    r"|\$(?P<tag>\w{0,30})\$"
    r"|(?P<identifier>`[^`]*+`?|\[[\w ]{1,100}\])"
    r"|(?P<shown>(?:[=<>(,]|\b(?i:LIKE|BY|VALUES?|IN|AS|PASSWORD|KEY))\s{0,9}+)?"
    r"\"(?P<double>(?:[^\"\\]|\\.|\"\")*+)\"?(?P<after>\s?[.=)]|\s{0,9},\s?\")?"
    r"|(?<![\w.$%@:])(?P<number>\d[\w.]*+)",
    re.DOTALL,
)
_CRYPTOGRAPHIC = re.compile(
    r"\b(?:identified\s|crypt\(|pgp_\w|aes_\w|digest\(|hmac\(|encrypt|decrypt|pragma\s+(?:re)?key"
    r"|gen_salt)",
    re.IGNORECASE,
).search


def redact(text: str, is_secret_key: IsSecretKey) -> str:
    """The text with ``MARK`` in place of each secret; the same object if it has none."""
    if len(text) < _SHORTEST or _INNOCENT(text):
        return text
    return marked(text, text_spans(text, is_secret_key))


def redact_code(text: str, is_secret_key: IsSecretKey) -> str:
    """As ``redact`` for source code: ``password="x"`` holds a secret, ``token = read()`` none."""
    return marked(text, code_spans(text, is_secret_key))


def redact_sql(sql: str, is_secret_key: IsSecretKey) -> str:
    """As ``redact`` for a statement. If it names a secret, no literal of it is left."""
    return marked(sql, sql_spans(sql, is_secret_key))


def text_spans(text: str, is_secret_key: IsSecretKey, mode: Mode = Mode.TEXT) -> list[Span]:
    """Where the secrets stand in a text, and in what it says if it is quoted or HTML."""
    found = _read_spans(text, is_secret_key, mode)
    if mode is Mode.TEXT and (statement := _STATEMENT(text)) is not None:
        at = statement.start()
        found += [(at + start, at + end) for start, end in _sql_secrets(text[at:], is_secret_key)]
    if ENCODED.search(text):
        found += _encoded_spans(text, is_secret_key, mode)
    return found


# A statement in a message: its values stand apart from their names, parameters behind it all.
_STATEMENT = re.compile(
    r"\b(?:(?i:INSERT|REPLACE)\s{1,9}(?i:INTO)|(?i:UPDATE)\s{1,9}\S{1,80}\s{1,9}(?i:SET)|SELECT"
    r"|DELETE\s{1,9}FROM)\s"
).search
# JSON's ways to write a character, what was quoted for a URL, and colors of a terminal.
_CODE = r"(?:\\{1,16}x|%(?:25){0,10})"
ENCODED = re.compile(
    r"\\{1,16}(?:(?P<slash>/)|u(?P<unicode>00[2-7]|20[0-6]|00[aAbB]|[fF][fFeE][0-9fF])"
    r"(?P<last>[0-9A-Fa-f]))"
    rf"|{_CODE}(?P<ascii>[2-7][0-9A-Fa-f]|0[AaDd])"
    rf"|(?P<utf8>{_CODE}[C-Fc-f][0-9A-Fa-f](?:{_CODE}[89ABab][0-9A-Fa-f]){{1,3}})"
    r"|\x1b\[[\d;]{0,20}m"
)
_LAST_TWO = re.compile(r"[0-9A-Fa-f]{2}(?=[\\%]|\Z)")


def _decoded(match: re.Match[str]) -> str:
    if match["slash"]:
        return "/"
    if match["unicode"]:
        return chr(int(match["unicode"] + match["last"], 16))
    if match["ascii"]:
        return chr(int(match["ascii"], 16))
    if match["utf8"]:
        codes = bytes.fromhex("".join(_LAST_TWO.findall(match["utf8"])))
        return codes.decode(errors="replace")[:1]
    return ""


def _encoded_spans(text: str, is_secret_key: IsSecretKey, mode: Mode) -> list[Span]:
    """Where the secrets stand that are seen once characters stand for their codes."""
    made: list[str] = []
    ends, shifts = [0], [0]  # from where in what is made, and how far behind the text
    done = length = 0
    for match in ENCODED.finditer(text):
        char = _decoded(match)
        made += [text[done : match.start()], char]
        length += match.start() - done + len(char)
        done = match.end()
        ends.append(length)
        shifts.append(done - length)
    plain = "".join([*made, text[done:]])

    def place(position: int) -> int:
        return position + shifts[bisect_right(ends, position) - 1]

    found = _read_spans(plain, is_secret_key, mode)
    return [(place(start), place(end)) for start, end in found]


def _read_spans(text: str, is_secret_key: IsSecretKey, mode: Mode) -> list[Span]:
    found = _spans_as_is(text, is_secret_key, mode)
    plain = _unescaped(text)
    if plain is not text:
        found += _spans_as_is(plain, is_secret_key, mode)
    return found


def _unescaped(text: str) -> str:
    """As long a text, with lines for escaped ends of lines, and plain quotes and blanks."""
    if not text.isascii():
        text = text.translate(_TYPOGRAPHIC)
    if "**" in text:
        text = text.replace("**", "  ")
    if "&" in text:
        text = _ENTITY.sub(_unescape_entity, text)
    if "\\" in text:
        text = _ESCAPED_SPACE.sub(_unescape_space, text)
    return text


# Quotes, blanks and marks as word processors and messengers write them.
_TYPOGRAPHIC: Final = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\uff07", "'"),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000\u200b\u200c\u200d\u2060\ufeff", " "),
        "\uff1a": ":",
        "\uff1d": "=",
    }
)
_ENTITY = re.compile(r"&(?:amp;){0,10}(?P<name>quot|apos|#0*3[49]|#[xX]0*2[27]|lt|gt);")
# Ends of lines, and what repr() and JSON make of other blanks and of the colors of terminals.
_ESCAPED_SPACE = re.compile(
    r"\\{1,16}(?:r\\{1,16}n|(?P<name>[nt])|(?P<blank>(?:x|u00)(?:a0|1b\[[\d;]{0,12}m)"
    r"|u200[7-9b-d]|u202f|u2060|u3000|ufeff|xc2\\{1,16}xa0|xe3\\{1,16}x80\\{1,16}x80"
    r"|xe2\\{1,16}x80\\{1,16}x(?:8[79b-d]|af)|xe2\\{1,16}x81\\{1,16}xa0"
    r"|xef\\{1,16}xbb\\{1,16}xbf))"
)
_ENTITIES: Final = {"lt": "<", "gt": ">", "quot": '"', "#34": '"', "#x22": '"'}


def _unescape_entity(match: re.Match[str]) -> str:
    char = _ENTITIES.get(match["name"].lower(), "'")
    # Blanks stand behind a quote, which may have backslashes before it, but before a bracket.
    return char.rjust(len(match[0])) if char == "<" else char.ljust(len(match[0]))


def _unescape_space(match: re.Match[str]) -> str:
    if match["blank"] is not None:
        return " " * len(match[0])
    return ("\t" if match["name"] == "t" else "\n").rjust(len(match[0]))


def _spans_as_is(text: str, is_secret_key: IsSecretKey, mode: Mode) -> list[Span]:
    found = list(_known_forms(text))
    if KEYED(text):
        found += keyed_spans(text, is_secret_key, mode)
        found += _named_elsewhere(text, is_secret_key)
    if is_secret_key is not no_key and " " in text and _DIGIT(text):
        for match in _SPOKEN.finditer(text) if _MIXED(text) else ():
            if is_secret_key(match["key"]) is not None:
                found += [match.span("secret"), match.span("next")]
        told = " is" in text or " was" in text
        for match in _SPOKEN_CODE.finditer(text) if told else ():
            if is_secret_key(match["key"]) in _CODES:
                found.append(match.span("secret"))
    return found


def code_spans(text: str, is_secret_key: IsSecretKey) -> list[Span]:
    """Where they stand in lines of source code: what is in quotes is text."""
    found = list(_known_forms(text))
    found += keyed_spans(text, is_secret_key, Mode.CODE)
    found += _named_elsewhere(text, is_secret_key)
    for start, end in literals(text):
        if end - start >= _SHORTEST:
            inside = text_spans(text[start:end], is_secret_key)
            found += [(start + left, start + right) for left, right in inside]
    return found


def sql_spans(sql: str, is_secret_key: IsSecretKey) -> list[Span]:
    """Where they stand in a statement."""
    found = text_spans(sql, is_secret_key, Mode.SQL)
    return found + _sql_secrets(sql, is_secret_key)


def _sql_secrets(sql: str, is_secret_key: IsSecretKey) -> list[Span]:
    """All literals of a statement that names a secret."""
    if not any(mark in sql for mark in "'\"$") and not _NUMBER_IN_SQL(sql):
        return []
    names = () if is_secret_key is no_key else set(_IDENTIFIER.findall(sql))
    if all(is_secret_key(name) is None for name in names) and not _CRYPTOGRAPHIC(sql):
        return []
    return [
        (start, end)
        for (start, end), kind in sql_literals(sql)
        if kind != "number" or end - start >= 3
    ]


_NUMBER_IN_SQL = re.compile(r"\d{3}").search


def sql_literals(sql: str) -> Iterator[tuple[Span, str]]:
    """The literals of a statement: where, and "text" (in its quotes), "number" or "comment"."""
    position = 0
    while (match := _SQL_TEXT.search(sql, position)) is not None:
        position = match.end()
        if match["text"] is not None:
            yield match.span("text"), "text"
        elif match["tag"] is not None:
            end = sql.find(match[0], position)
            end = len(sql) if end < 0 else end
            yield (position, end), "text"
            position = min(end + len(match[0]), len(sql))
        elif match["double"] is not None:
            if (match["shown"] and match["after"] is None) or _is_sentence(match):
                yield match.span("double"), "text"
            if match["after"]:
                position = match.start("after")
        elif match["number"] is not None:
            yield match.span("number"), "number"
        elif match["comment"] is not None:
            yield match.span("comment"), "comment"


def _is_sentence(match: re.Match[str]) -> bool:
    """Whether what is in double quotes is hardly a name: MariaDB and SQLite take it for text."""
    return re.fullmatch(r"[\w $.\-]*", match["double"]) is None


def shape_of_sql(sql: str) -> str:
    """The statement with a question mark for each literal, without its comments."""
    made, done = [], 0
    for (start, end), kind in sql_literals(sql):
        quoted = kind == "text" and start > 0
        left, right = (start - 1, end + 1) if quoted else (start, end)
        made.append(sql[done:left])
        made.append("" if kind == "comment" else "?")
        done = min(right, len(sql))
    return "".join([*made, sql[done:]])


def marked(text: str, spans: Iterable[Span]) -> str:
    """The text with ``MARK`` in place of the spans; the same object if they change nothing."""
    ordered = sorted({span for span in spans if span[0] < span[1]})
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


def _known_forms(text: str) -> Iterator[Span]:
    """What is a secret by its form alone.

    The looks before each search let an ordinary text pass in about a microsecond.
    """
    lower = text.lower()
    if "/" in text:
        yield from _addresses(text, lower)
    if "-----BEGIN" in text or "PuTTY" in text:
        yield from _key_blocks(text)
    if " " in text and any(name in lower for name in _SCHEMES):
        yield from _credentials(text)
    if ":" in text and ("cookie" in lower or "authori" in lower):
        yield from _spans(_HEADER, text)
    if len(text) >= _LONG_WORD and max(map(len, text.split()), default=0) >= _LONG_WORD:
        for match in _OWN_FORM.finditer(text):
            yield match.span()
    yield from _numbers(text)


def _numbers(text: str) -> Iterator[Span]:
    """Numbers of cards and accounts."""
    if len(text) >= _CARD_LENGTHS[0] and _ROW_OF_DIGITS(text):
        for match in _DIGITS.finditer(text):
            yield from _cards(match)
    if len(text) >= _LONG_WORD and _IBAN_BEGINS(text):
        yield from (match.span() for match in _IBAN.finditer(text) if _is_iban(match[0]))


_SCHEMES: Final = (
    *("bearer ", "basic ", "token ", "negotiate ", "ntlm ", "apikey "),
    *("digest ", "hawk ", "oauth ", "sha256 "),
)
_WEBHOOK_HOSTS = ("hook", ".logic.azure.", "chat.googleapis", "ifttt.com", "telegram.org")
_IBAN_BEGINS = re.compile(r"[A-Z]{2}\d\d[ ]?[A-Z0-9]{4}").search


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    for match in pattern.finditer(text):
        yield match.span("secret")


def _addresses(text: str, lower: str) -> Iterator[Span]:
    """What is secret in URLs and in the paths of links."""
    if "://" in text and "@" in text:
        yield from _spans(_URL_PASSWORD, text)
        yield from filter(_Random(text), _spans(_URL_USER, text))
    if "code=" in text:
        yield from _spans(_CODE_IN_URL, text)
    if any(host in lower for host in _WEBHOOK_HOSTS):
        yield from _spans(_WEBHOOK, text)
    for match in _LINK.finditer(text):
        at = match.start("secret")
        for segment in _SEGMENT.finditer(match["secret"]):
            if _is_random(segment[0]):
                yield at + segment.start(), at + segment.end()


class _Random:
    """Tells spans of a text that look like keys from those that look like names."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, span: Span) -> bool:
        return _is_random(self._text[slice(*span)])


def _is_random(word: str) -> bool:
    """Letters and digits mixed as no name mixes them, or a name as long as none is.

    Slugs (``10-tips-for-2024``) and files (``views2.py``) are names.
    """
    if len(word) < 6 or _FILE(word):
        return False
    parts = _PARTS.split(word)
    return max(map(len, parts)) >= 24 or any(_MIXED(part) for part in parts)


_FILE = re.compile(r"[\w.-]{1,80}\.[a-z]{1,5}").fullmatch
_PARTS = re.compile(r"[-_]")


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


def _named_elsewhere(text: str, is_secret_key: IsSecretKey) -> Iterator[Span]:
    """Values whose key stands apart: parts of forms, errors of databases, command lines."""
    for mark, pattern in _APART:
        if mark in text:
            yield from _secret_matches(pattern, text, is_secret_key)
    if "Failing row" in text:
        yield from _spans(_FAILING_ROW, text)
    if "-" in text:
        for match in _USER_OPTION.finditer(text):
            if not (match["user"].isdecimal() and match["secret"].isdecimal()):  # of a container
                yield match.span("secret")
        if (command := _COMMAND.search(text)) is not None:
            for match in _LETTER_OPTION.finditer(text, command.end()):
                if match["glued"] is not None:
                    yield match.span("glued")
                elif not _PORTS(match["secret"]):
                    yield match.span("secret")


_APART: Final = (
    ("</", _CELLS),
    ('";s:', _SERIALIZED),
    ("form-data", _FORM_PART),
    (")=(", _KEY_DETAIL),
    ("Duplicate entry", _DUPLICATE),
)


def _secret_matches(
    pattern: re.Pattern[str], text: str, is_secret_key: IsSecretKey
) -> Iterator[Span]:
    for match in pattern.finditer(text):
        keys: Sequence[str] = re.split(r"[,.]\s*", match["key"])
        if any(is_secret_key(key) is not None for key in keys):
            yield match.span("secret")


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


def _is_iban(text: str) -> bool:
    """Whether the check digits of an account number are right."""
    digits = text.replace(" ", "")
    moved = digits[4:] + digits[:4]
    return len(digits) >= 15 and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
