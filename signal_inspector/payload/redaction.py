"""Redacts what must not be kept: values whose key shows that they are secret, secrets in text.

Keys are compared as words, so that case, hyphens, underscores, spaces and camelCase do not
matter: ``X-Api-Key``, ``api_key`` and ``apiKey`` are the same. Long words are found inside longer
ones (``dbpassword``); short ones (``pin``, ``otp``, ``pan``) must be separate words, so that
``spinner``, ``company`` and ``author`` are not redacted. ``tokenizer`` and ``max_tokens`` count
as harmless.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from signal_inspector.payload import secrets_in_text
from signal_inspector.payload.secret_pairs import IsSecretKey, no_key
from signal_inspector.payload.secrets_in_sql import shape_of_sql
from signal_inspector.payload.secrets_in_text import KeysIn
from signal_inspector.payload.text import MARK

# Each is matched against the words of a key, joined and enclosed by underscores: "_user_id_".
_KEY_PATTERNS = (
    (
        "password",
        (
            r"pass_?wor[dt]|passwd|pass_?phrase|pass_?code|pwd|_(?:pw|psw|passw|psk)_?\d*_|^_pass_$"
            r"|(?:db|smtp|user|ftp|e?mail|login|root|admin|mysql|redis|http|proxy|ssh|become|sudo"
            r"|store|key|bind|require|wifi|postgres|pg|ldap|vault|service|client)_?pass_"
            r"|_(?:bind|root|user|admin|db)_?pw_"
            # "Password" in other languages.
            r"|kennwort|contrase(?:ñ|n)a|_mot_?de_?passe_|_senha_|wachtwoord|пароль|parola_|hasło"
            r"|lösenord|salasana|_şifre_|パスワード|密码|密碼|비밀번호"
        ),
    ),
    ("recovery phrase", r"mnemonic|(?:seed|recovery|backup|wallet)_?(?:phrase|words)"),
    ("secret", r"secret(?!ar[iy]|ion|ive|ly)"),
    ("token", r"token(?!i[sz]|omic)|_jw[tse]_|_bearer_|_saml_?(?:response|assertion)_"),
    ("signature", r"_signature_(?:v?\d{1,3}_)?$|_sig_$|_hmac_$"),
    ("connection string", r"_dsn_|_conn(?:ection)?_?str(?:ing)?s?_|_conninfo_"),
    (
        "link",
        (
            r"webhook_?ur[il]|(?:reset|magic|invite|invitation|activate|activation|confirmation"
            r"|verification)_?(?:link|ur[il])s?_"
        ),
    ),
    ("api key", r"api_?key"),
    (
        "private key",
        r"(?:private|priv|secret|access|account|signing|encryption|auth|ssh|master)_?key",
    ),
    ("authorization", r"authori[sz]ation"),
    ("auth", r"_auth_$|_auth_?(?:header|code|data|cookie|hash)"),
    ("cookie", r"cookie"),
    (
        "session",
        r"_sessions?_$|session_?(?:id|key|token|data|hash)s?_|sess_?id|^_(?:connect_)?sid_$",
    ),
    ("csrf", r"csrf|xsrf"),
    ("credential", r"credential|_creds?_"),
    ("card number", r"(?:card|_cc|acct)_?(?:number|num|no)_|_credit_?card_$|_pan_|_pan_?number_"),
    ("cvv", r"_(?:card_?)?(?:cvv2?|cvc2?|cvn|csc)_|card_?(?:cvv|cvc)|security_?code"),
    ("iban", r"_iban_|iban_?(?:number|no)_"),
    ("ssn", r"_ssn_|social_?security"),
    ("one-time code", r"_t?otp_|(?:verification|recovery|backup|mfa|2fa|otp)_?codes?_"),
    ("pin", r"_pins?_$|_pin_?(?:code|number|no)_|^_pin_"),
)
# Counts of language-model tokens, and facts about a token, such as its type or time.
_HARMLESS = (
    r"^_(?:\w+_)?(?:max|min|total|num|used|remaining|prompt|completion|input|output)_tokens?_$"
    r"|_tokens?_(?:count|limit|usage|budget|type)_$"
    r"|_length_$|_(?:changed|created|updated|expires|issued|used|rotated|sent|set)_(?:at|on|in)_$"
)
VALUE_PREFIX = "re:"
_LONGEST_KEY = 256  # characters of a key that are examined
_REMEMBERED_KEY = 32  # longer keys are data rather than names, and may be secrets themselves
_REMEMBERED_KEYS = 2_000
_REMEMBERED_TEXT = 2_000  # characters
_REMEMBERED_TEXTS = 500
_REMEMBERED_WORDS = 5_000

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[\w-]+")


class Redactor:
    """Decides what is secret, by the built-in patterns and the project's own.

    ``extra`` holds names such as ``"national_id"``: a key that contains the same words in the
    same order, in any style and with or without a plural s, is secret. An entry that begins with
    ``"re:"``, or is a compiled pattern, is about values: what it finds in a text is secret. A
    pattern that does not compile is ignored; the checks report it.

    ``strict`` lets no value through: every text that is not empty becomes the mark alone.
    """

    __slots__ = (
        *("_clean", "_find", "_find_part_root", "_find_root", "_harmless", "_labels"),
        *("_most_words", "_plain", "_remembered", "strict", "values"),
    )

    def __init__(
        self, extra: Sequence[str | re.Pattern[str]] = (), *, strict: bool = False
    ) -> None:
        self.strict = strict
        #: Patterns of values.
        self.values: tuple[re.Pattern[str], ...] = tuple(
            pattern for entry in extra if (pattern := value_pattern(entry)) is not None
        )
        patterns = list(_KEY_PATTERNS)
        for name in extra:
            if not isinstance(name, str) or name.startswith(VALUE_PREFIX):
                continue
            words = _words(name)
            if words.strip("_"):
                patterns.append((name, _own_pattern(words)))
        self._labels = tuple(label for label, _ in patterns)
        alternatives = "|".join(f"({pattern})" for _, pattern in patterns)
        self._find = re.compile(alternatives).search
        # IDENTIFIED BY does not contain a key.
        forms = [form for pattern in patterns for form in _forms(pattern[1])]
        roots, part_roots = _roots([["identified"], *forms])
        self._find_root = re.compile(_any_of(roots)).search
        self._find_part_root = re.compile(_any_of(part_roots)).search
        self._most_words = max(map(len, forms))
        #: Words that are not part of a secret key, and ``max_tokens``; most texts share them.
        self._plain: set[str] = set()
        self._harmless: set[str] = set()
        self._remembered: dict[str, str | None] = {}
        #: Lines of code and statements without a secret, because the same ones occur often.
        self._clean: dict[str, set[str]] = {"code": set(), "sql": set()}

    def matches_key(self, key: str) -> str | None:
        """The name of the pattern that makes the key's value a secret, or None."""
        try:
            return self._remembered[key]
        except KeyError:
            pass
        found = self._look_at(key)
        if len(key) <= _REMEMBERED_KEY:
            if len(self._remembered) >= _REMEMBERED_KEYS:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def redact_text(self, text: str) -> str:
        """The text with ``[redacted]`` in place of each secret; the same object if it has none."""
        if self.strict:
            return MARK if text else text
        return self._without_values(secrets_in_text.redact(text, self._keys_in))

    def redact_code(self, text: str) -> str:
        """Like ``redact_text``, for lines of source code, where a name is not its value."""
        if self.strict:
            return MARK if text else text
        return self._repeated("code", secrets_in_text.redact_code, text)

    def redact_sql(self, sql: str) -> str:
        """Like ``redact_text``, for an SQL statement: one that names a secret keeps no literal.

        A strict redactor keeps the shape of the statement, with ``?`` for each literal.
        """
        if self.strict:
            return shape_of_sql(sql)
        return self._repeated("sql", secrets_in_text.redact_sql, sql)

    def _repeated(self, kind: str, redact: Callable[[str, KeysIn], str], text: str) -> str:
        """The result of ``redact``, which is not called again for a text without secrets."""
        clean = self._clean[kind]
        if text in clean:
            return text
        safe = self._without_values(redact(text, self._keys_in))
        if safe is text and len(text) <= _REMEMBERED_TEXT:
            if len(clean) >= _REMEMBERED_TEXTS:
                clean.clear()
            clean.add(text)
        return safe

    def _keys_in(self, text: str) -> IsSecretKey:
        """A test for secret keys in this text; ``no_key`` if it has none, like most texts."""
        if self._find_root(_folded(text)) is None:
            return no_key
        words = _WORD.findall(text)
        new = set(words).difference(self._plain, self._harmless)
        harmless, doubtful = set(), set()
        for word in new:
            folded = _folded(word)
            if self._find_root(folded) is None:
                continue
            if self.matches_key(word) is not None or "identified" in folded:
                return self.matches_key
            if self._find(_words(word)):
                harmless.add(word)
            elif self._find_part_root(folded):
                doubtful.add(word)
        self._remember(self._harmless, harmless)
        if doubtful and self._has_key(words, doubtful):
            return self.matches_key
        self._remember(self._plain, new - harmless - doubtful)
        return no_key

    def _has_key(self, words: list[str], doubtful: set[str]) -> bool:
        """Whether one of these is a secret key together with its neighbors: "card number"."""
        words = ["" if word in self._harmless else word for word in words]
        most = self._most_words
        phrases = {
            "_".join(words[start : start + number])
            for index, word in enumerate(words)
            if word in doubtful
            for number in range(2, most + 1)
            for start in range(max(index - number + 1, 0), index + 1)
        }
        phrases -= self._plain
        if any(self._find(_words(phrase)) for phrase in phrases):
            return True
        self._remember(self._plain, phrases)
        return False

    def _remember(self, known: set[str], words: set[str]) -> None:
        if words and len(known) >= _REMEMBERED_WORDS:
            known.clear()
        known.update(word for word in words if len(word) <= _REMEMBERED_KEY)

    def _without_values(self, text: str) -> str:
        if not self.values:
            return text
        found = [match.span() for pattern in self.values for match in pattern.finditer(text)]
        return secrets_in_text.marked(text, found) if found else text

    def _look_at(self, key: str) -> str | None:
        key = key[:_LONGEST_KEY]
        words = _words(key)
        # "pAssWord" must not be split as camelCase.
        found = self._find(words) or self._find(_words(key.casefold()))
        if found is None or _HARMLESS_KEY(words):
            return None
        return self._labels[(found.lastindex or 1) - 1]


def _roots(forms: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Letter sequences, at least one of which is in every key that has one of the forms.

    Apart from case, a sequence is in one word of the key as it is written. The second list has
    the sequences of forms that may be spread over several words of a key.
    """
    roots: list[str] = []
    part_roots = set()
    # Forms of one part first, because they may be in others; short ones before longer ones.
    for form in sorted(forms, key=lambda form: (len(form), len(max(form, key=len)))):
        parts = "_".join(form)
        found = next((root for root in roots if root in parts), None)
        if found is None:
            found = max(form, key=len)
            roots.append(found)
        if len(form) > 1:
            part_roots.add(found)
    return roots, sorted(part_roots)


@cache
def _forms(pattern: str) -> list[list[str]]:
    """The texts that a pattern matches, split wherever they may differ."""
    forms = _parsed_forms(re._parser.parse(pattern))  # type: ignore[attr-defined]
    return [[part for part in form.split("_") if part] for form in forms]


def _parsed_forms(parsed: Any) -> list[str]:
    """The same texts, with an underscore at each of these places."""
    forms = [""]
    for operation, argument in parsed:
        match str(operation):
            case "LITERAL":
                parts = [chr(argument)]
            case "SUBPATTERN":
                parts = _parsed_forms(argument[-1])
            case "BRANCH":
                parts = [form for branch in argument[1] for form in _parsed_forms(branch)]
            case _:
                parts = ["_"]
        forms = [form + part for form in forms for part in parts]
    return forms


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words that examines each character of a text once or twice."""
    by_first: dict[str, set[str]] = {}
    for word in words:
        if not word:
            return ""
        by_first.setdefault(word[0], set()).add(word[1:])
    parts = [re.escape(first) + _any_of(rest) for first, rest in sorted(by_first.items())]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def value_pattern(entry: str | re.Pattern[str]) -> re.Pattern[str] | None:
    """The value pattern in an entry of ``REDACT``; None for a name or an invalid pattern."""
    if not isinstance(entry, str):
        pattern: object = entry.pattern
        return entry if isinstance(pattern, str) else None
    if not entry.startswith(VALUE_PREFIX):
        return None
    try:
        return re.compile(entry.removeprefix(VALUE_PREFIX))
    except (re.error, RecursionError, OverflowError, ValueError):
        return None


def _words(key: str) -> str:
    """The key's words in lower case: ``_x_api_key_``."""
    if not key.isascii():
        key = unicodedata.normalize("NFKC", key)
    spaced = _CAMEL.sub("_", key)
    return f"_{_BETWEEN_WORDS.sub('_', spaced).strip('_')}_".casefold()


def _folded(text: str) -> str:
    """The text without differences of case and width."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _own_pattern(words: str) -> str:
    parts = [re.escape(word) for word in words.strip("_").split("_")]
    return "_" + "_?".join(parts) + "s?_"


_HARMLESS_KEY = re.compile(_HARMLESS).search
