"""The rules for values of the settings dict, used both for reading and for checking them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from enum import StrEnum
from string import Formatter
from typing import Any, NamedTuple


class ProblemKind(StrEnum):
    """The kinds of problems."""

    WRONG_TYPE = "wrong type"
    UNKNOWN_KEY = "unknown key"
    WRONG_VALUE = "wrong value"


class Problem(NamedTuple):
    """One mistake in the settings dict."""

    key: str  # as one would write it: 'SIGNAL_INSPECTOR["LIMITS"]["DISPATCHES"]'
    kind: ProblemKind
    message: str  # a sentence that names the key
    hint: str  # what to do about it


class Fault(NamedTuple):
    """What is wrong with a value according to a rule."""

    kind: ProblemKind
    what: str  # follows the key: "must be a list of strings, not a string."
    hint: str


Rule = Callable[[Any], Fault | None]

_FEW_REPEATS = 50  # up to this bound, a repeat in a pattern does not count as unbounded


_parse: Any = re._parser.parse  # type: ignore[attr-defined]
_SubPattern: Any = re._parser.SubPattern  # type: ignore[attr-defined]


def strings(value: object) -> Fault | None:
    """A list or tuple of non-empty strings."""
    wrong = ProblemKind.WRONG_TYPE
    if isinstance(value, str):
        hint = "Put the string in a list, even if it is the only one."
        return Fault(wrong, "must be a list of strings, not a string.", hint)
    hint = 'Write it like ["shop.*", "blog.signals.*"].'
    if not isinstance(value, (list, tuple)):
        return Fault(wrong, f"must be a list of strings, not {_a(value)}.", hint)
    for position, item in enumerate(value):
        if not isinstance(item, str):
            return Fault(wrong, f"must contain strings only; item {position} is {_a(item)}.", hint)
        if not item.strip():
            hint = "Remove the item, or write what it should match."
            return Fault(
                ProblemKind.WRONG_VALUE, f'has an empty item; item {position} is "".', hint
            )
    return None


def secrets(value: object) -> Fault | None:
    """Names of keys, patterns of values that begin with "re:", and compiled patterns."""
    if isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            fault = _pattern_fault(position, item)
            if fault is not None:
                return fault
        value = [item for item in value if not isinstance(item, re.Pattern)]
    return strings(value)


def _pattern_fault(position: int, item: object) -> Fault | None:
    """What is wrong with a value pattern: it does not compile, or may run forever."""
    pattern: object = item.pattern if isinstance(item, re.Pattern) else item
    if isinstance(item, re.Pattern) and not isinstance(pattern, str):
        hint = 'Write a text pattern, like re.compile(r"[0-9]{11}").'
        return Fault(ProblemKind.WRONG_TYPE, f"has a bytes pattern; see item {position}.", hint)
    if not isinstance(pattern, str):
        return None
    if isinstance(item, str):
        if not pattern.startswith("re:"):
            return None
        pattern = pattern.removeprefix("re:")
    try:
        parsed = _parse(pattern)
        matches_nothing = re.compile(pattern).fullmatch("") is not None
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        hint = "Correct the regular expression that follows re:."
        what = f"has a pattern that does not compile; item {position}: {error}."
        return Fault(ProblemKind.WRONG_VALUE, what, hint)
    if matches_nothing:
        hint = "Write a pattern that matches at least one character."
        what = f"has a pattern that matches the empty string; see item {position}."
        return Fault(ProblemKind.WRONG_VALUE, what, hint)
    if _nests_repeats(parsed, inside=False):
        hint = "Write it without nested repeats, or make the inner repeat possessive: (?:a++b)*."
        what = (
            f"has a pattern that may take very long; item {position} has a repeat inside a repeat."
        )
        return Fault(ProblemKind.WRONG_VALUE, what, hint)
    return None


def _nests_repeats(parsed: Any, *, inside: bool) -> bool:
    """Whether a repeat without a small bound contains another one that can backtrack."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, body = argument
            is_open = int(most) > _FEW_REPEATS
            if (is_open and inside) or _nests_repeats(body, inside=inside or is_open):
                return True
        elif name in ("POSSESSIVE_REPEAT", "ATOMIC_GROUP"):  # neither backtracks
            body = argument[2] if name == "POSSESSIVE_REPEAT" else argument
            if _nests_repeats(body, inside=False):
                return True
        elif any(_nests_repeats(part, inside=inside) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> list[Any]:
    """The patterns in the argument of an operation of a parsed pattern."""
    if isinstance(argument, _SubPattern):
        return [argument]
    if isinstance(argument, (list, tuple)):
        return [part for each in argument for part in _parts(each)]
    return []


def usable(value: object) -> tuple[Any, ...]:
    """The valid items of a faulty list: a mistake in it must not uncover a secret."""
    if isinstance(value, str):
        return (value,)
    items = value if isinstance(value, (list, tuple)) else ()
    return tuple(item for item in items if isinstance(item, (str, re.Pattern)) and item)


def hooks(value: object) -> Fault | None:
    """A dict from dotted names to callables or the dotted paths of callables."""
    if value is None:
        return None
    wrong = ProblemKind.WRONG_TYPE
    hint = 'Write it like {"shop.money.Money": "shop.audit.describe_money"}.'
    if not isinstance(value, dict):
        return Fault(wrong, f"must be a dict, not {_a(value)}.", hint)
    for name, hook in value.items():
        if not isinstance(name, str):
            return Fault(wrong, f"must have dotted names as keys, not {_a(name)}.", hint)
        if not callable(hook) and not (isinstance(hook, str) and "." in hook):
            what = (
                f"must have callables or their dotted paths as values, not {_a(hook)} (for "
                f"{name})."
            )
            return Fault(wrong, what, hint)
    return None


def positive(value: object) -> Fault | None:
    """An integer from 1 on; True and False do not count as integers."""
    hint = "Write a whole number of at least 1, or remove the key to use the default."
    if not isinstance(value, int) or isinstance(value, bool):
        return Fault(ProblemKind.WRONG_TYPE, f"must be a whole number, not {_a(value)}.", hint)
    if value < 1:
        return Fault(ProblemKind.WRONG_VALUE, f"must be at least 1, not {value}.", hint)
    return None


def text(value: object) -> Fault | None:
    """A string."""
    if isinstance(value, str):
        return None
    hint = "Write a string, or remove the key to use the default."
    return Fault(ProblemKind.WRONG_TYPE, f"must be a string, not {_a(value)}.", hint)


def truth(value: object) -> Fault | None:
    """True or False."""
    if isinstance(value, bool):
        return None
    hint = "Write True or False."
    return Fault(ProblemKind.WRONG_TYPE, f"must be True or False, not {_a(value)}.", hint)


def section(value: object) -> Fault | None:
    """A dict."""
    if isinstance(value, dict):
        return None
    return Fault(
        ProblemKind.WRONG_TYPE,
        f"must be a dict, not {_a(value)}.",
        "Write a dict with uppercase keys, or remove it to use the defaults.",
    )


def placeholders(*names: str) -> dict[str, Rule]:
    """Metadata for a field whose value is "" or a template with only these placeholders."""

    def rule(value: object) -> Fault | None:
        if not isinstance(value, str):
            return text(value)
        wanted = " and ".join(f"{{{name}}}" for name in names)
        hint = f"Write a template that contains {wanted}, or an empty string."
        if not value:
            return None
        try:
            parts = [part for part in Formatter().parse(value) if part[1] is not None]
        except ValueError as error:
            return Fault(ProblemKind.WRONG_VALUE, f"is not a valid template: {error}.", hint)
        # A conversion or format stays part of the name, because neither has a meaning here.
        found = {
            f"{name}{'!' + how if how else ''}{':' + spec if spec else ''}"
            for _, name, spec, how in parts
        }
        missing = [name for name in names if name not in found]
        if missing:
            return Fault(ProblemKind.WRONG_VALUE, f"does not contain {{{missing[0]}}}.", hint)
        foreign = sorted(found.difference(names))
        if foreign:
            what = f"contains {{{foreign[0]}}}, which is not a placeholder."
            return Fault(ProblemKind.WRONG_VALUE, what, hint)
        return None

    return {"rule": rule}


_RULES_BY_DEFAULT: dict[type, Rule] = {bool: truth, int: positive, str: text, tuple: strings}


class SectionReader:
    """Reads dicts by the fields of dataclasses, and collects the problems on the way.

    The rule of a field is ``metadata["rule"]``; without that, it follows from the type of the
    default.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._top: tuple[str, list[str]] | None = None  # the place and the keys of the first dict

    def read(
        self, cls: Any, raw: object, where: str, rooms: Mapping[str, type | None] | None = None
    ) -> dict[str, Any]:
        """The valid values of ``raw`` by field name; ``rooms`` adds keys with their sections."""
        if not isinstance(raw, dict):
            self._note(where, section(raw))
            return {}
        known = keys(cls)
        rooms = rooms or {}
        if self._top is None:
            self._top = where, [*known, *rooms]
        values: dict[str, Any] = {}
        sections: list[object] = []
        for key, value in dict.items(raw):
            place = f'{where}["{key}"]' if isinstance(key, str) else f"{where}[{_a(key)}]"
            if isinstance(key, str) and key in known:
                self._read_field(known[key], value, place, values)
            elif isinstance(key, str) and key in rooms:
                self._read_room(rooms[key], value, place, sections)
            else:
                self._note(place, _unknown(key, where, known, rooms, self._top))
        return {**values, "rooms": tuple(sections)} if sections else values

    def _read_field(
        self, known: Field[Any], value: object, where: str, values: dict[str, Any]
    ) -> None:
        if known.default is MISSING:
            cls: Any = known.default_factory
            values[known.name] = cls(**self.read(cls, value, where))
            return
        rule = known.metadata.get("rule") or _RULES_BY_DEFAULT[type(known.default)]
        fault = rule(value)
        if fault is not None:
            self._note(where, fault)
            if "salvage" in known.metadata:
                values[known.name] = known.metadata["salvage"](value)
        else:
            is_list = isinstance(known.default, tuple)
            values[known.name] = tuple(value) if is_list else value  # type: ignore[arg-type]

    def _read_room(self, cls: Any, value: object, where: str, sections: list[object]) -> None:
        if cls is None:
            self._note(where, section(value))
        else:
            sections.append(cls(**self.read(cls, value, where)))

    def _note(self, where: str, fault: Fault | None) -> None:
        if fault is not None:
            kind, what, hint = fault
            problem = Problem(key=where, kind=kind, message=f"{where} {what}", hint=hint)
            self.problems.append(problem)


def fixed(value: Any) -> Any:
    """A field that is not a key of the dict, because nobody needs to set it: a constant."""
    return field(default=value, metadata={"internal": True})


def keys(cls: Any) -> dict[str, Field[Any]]:
    """The fields of a section that are keys of its dict, by key."""
    return {
        known.name.upper(): known for known in fields(cls) if not known.metadata.get("internal")
    }


def _unknown(
    key: object,
    where: str,
    known: Mapping[str, Field[Any]],
    rooms: Mapping[str, object],
    top: tuple[str, list[str]],
) -> Fault:
    """The fault of an unknown key, with the key that was probably meant."""
    names = [*known, *rooms]
    hint = f"Known keys: {', '.join(sorted(names))}."
    if isinstance(key, str):
        meant = key.upper()
        close = difflib.get_close_matches(meant, names, n=1)
        homes = [name for name, holder in known.items() if meant in _section_keys(holder)]
        # An identical key of another dict is more likely meant than a similar key of this one.
        if meant not in names and meant in top[1]:
            hint = f'Did you mean {top[0]}["{meant}"]?'
        elif meant not in names and homes:
            hint = f'Did you mean {where}["{homes[0]}"]["{meant}"]?'
        elif close:
            hint = f"Did you mean {close[0]}?"
    return Fault(ProblemKind.UNKNOWN_KEY, "is not a setting of Signal Inspector.", hint)


def _section_keys(known: Field[Any]) -> Mapping[str, object]:
    """The keys of the section that this field holds, if it holds one."""
    factory: Any = known.default_factory
    return keys(factory) if is_dataclass(factory) else {}


def _a(value: object) -> str:
    """The type of a value with its article, for a sentence."""
    if value is None:
        return "None"
    name = "string" if isinstance(value, str) else type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
