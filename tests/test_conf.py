"""``SIGNAL_INSPECTOR`` read into a Config, and what is said of mistakes in it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from signal_inspector import conf
from signal_inspector.conf import (
    Config,
    Limits,
    Toolbar,
    config_problems,
    forget_config,
    get_config,
    read_config,
    register_section,
)
from signal_inspector.core import internal_errors
from signal_inspector.setting_rules import ProblemKind, keys, placeholders

WHOLE: dict[str, Any] = {
    "INCLUDE": ["shop.*"],
    "EXCLUDE": ("shop.noise.*",),
    "SINKS": ["shop.sinks.Audit"],
    "REDACT": ["iban"],
    "STRICT": True,
    "DESCRIBE": {"shop.money.Money": "shop.audit.describe_money"},
    "LIMITS": {
        "DISPATCHES": 1,
        "PAYLOAD_LENGTH": 4,
        "TRACEBACK_LENGTH": 8,
    },
    "TOOLBAR": {
        "EDITOR_URL": "vscode://file/{path}:{line}",
    },
    "TRACE_URL": "https://traces.example.com/{trace_id}",
    "TRACING": {"ANYTHING": 1},
    "AUDIT": {},
}


@pytest.fixture(autouse=True)
def _sections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No room has registered its section, and what a test registers is forgotten after it."""
    monkeypatch.setattr(conf, "_rooms", {"TRACING": None, "AUDIT": None})
    yield
    forget_config()


def test_every_key_is_read() -> None:
    """A dict with every key gives exactly that Config, lists as tuples, and no problem."""
    assert config_problems(WHOLE) == []
    assert read_config(WHOLE) == Config(
        include=("shop.*",),
        exclude=("shop.noise.*",),
        sinks=("shop.sinks.Audit",),
        redact=("iban",),
        strict=True,
        describe={"shop.money.Money": "shop.audit.describe_money"},
        limits=Limits(
            dispatches=1,
            payload_length=4,
            traceback_length=8,
        ),
        toolbar=Toolbar(
            editor_url="vscode://file/{path}:{line}",
        ),
        trace_url="https://traces.example.com/{trace_id}",
    )


def test_this_file_knows_every_key() -> None:
    """The dict of these tests misses no key that exists."""
    for section, cls in ((WHOLE["LIMITS"], Limits), (WHOLE["TOOLBAR"], Toolbar)):
        assert set(section) == set(keys(cls))
    assert set(WHOLE) == set(keys(Config)) | {"TRACING", "AUDIT"}


def test_an_empty_dict_is_the_defaults() -> None:
    """Without any key all defaults hold."""
    assert read_config({}) == Config()
    assert config_problems({}) == []


WRONG: list[tuple[object, str, ProblemKind, str, str]] = [
    (None, "", ProblemKind.WRONG_TYPE, "must be a dict, not None.", "Write a dict"),
    ([], "", ProblemKind.WRONG_TYPE, "must be a dict, not a list.", "Write a dict"),
    (
        {"INCLUDE": "shop.*"},
        '["INCLUDE"]',
        ProblemKind.WRONG_TYPE,
        "must be a list of strings, not a string.",
        "Put the string in a list",
    ),
    (
        {"EXCLUDE": None},
        '["EXCLUDE"]',
        ProblemKind.WRONG_TYPE,
        "must be a list of strings, not None.",
        "Write it like",
    ),
    (
        {"SINKS": {"a.B"}},
        '["SINKS"]',
        ProblemKind.WRONG_TYPE,
        "must be a list of strings, not a set.",
        "Write it like",
    ),
    (
        {"REDACT": ["ok", 3]},
        '["REDACT"]',
        ProblemKind.WRONG_TYPE,
        "must contain strings only; item 1 is an int.",
        "Write it like",
    ),
    (
        {"REDACT": ["ok", " "]},
        '["REDACT"]',
        ProblemKind.WRONG_VALUE,
        'has an empty item; item 1 is "".',
        "Remove the item",
    ),
    (
        {"LIMITS": 5},
        '["LIMITS"]',
        ProblemKind.WRONG_TYPE,
        "must be a dict, not an int.",
        "Write a dict",
    ),
    (
        {"LIMITS": {"DISPATCHES": 0}},
        '["LIMITS"]["DISPATCHES"]',
        ProblemKind.WRONG_VALUE,
        "must be at least 1, not 0.",
        "Write a whole number",
    ),
    (
        {"LIMITS": {"PAYLOAD_LENGTH": -3}},
        '["LIMITS"]["PAYLOAD_LENGTH"]',
        ProblemKind.WRONG_VALUE,
        "must be at least 1, not -3.",
        "Write a whole number",
    ),
    (
        {"LIMITS": {"PAYLOAD_LENGTH": True}},
        '["LIMITS"]["PAYLOAD_LENGTH"]',
        ProblemKind.WRONG_TYPE,
        "must be a whole number, not a bool.",
        "Write a whole number",
    ),
    (
        {"LIMITS": {"PAYLOAD_LENGTH": "100"}},
        '["LIMITS"]["PAYLOAD_LENGTH"]',
        ProblemKind.WRONG_TYPE,
        "must be a whole number, not a string.",
        "Write a whole number",
    ),
    (
        {"LIMITS": {"DISPATCHES": 1.5}},
        '["LIMITS"]["DISPATCHES"]',
        ProblemKind.WRONG_TYPE,
        "must be a whole number, not a float.",
        "Write a whole number",
    ),
    (
        {"TOOLBAR": {"EDITOR_URL": b"x"}},
        '["TOOLBAR"]["EDITOR_URL"]',
        ProblemKind.WRONG_TYPE,
        "must be a string, not a bytes.",
        "Write a string",
    ),
    (
        {"TOOLBAR": {"EDITOR_URL": "vscode://file/{path}"}},
        '["TOOLBAR"]["EDITOR_URL"]',
        ProblemKind.WRONG_VALUE,
        "does not contain {line}.",
        "Write a template that contains {path} and {line}, or an empty string.",
    ),
    (
        {"TOOLBAR": {"EDITOR_URL": "vscode://file/{file}:{line}"}},
        '["TOOLBAR"]["EDITOR_URL"]',
        ProblemKind.WRONG_VALUE,
        "does not contain {path}.",
        "Write a template",
    ),
    (
        {"TOOLBAR": {"EDITOR_URL": "x://{path}:{line}:{column}"}},
        '["TOOLBAR"]["EDITOR_URL"]',
        ProblemKind.WRONG_VALUE,
        "contains {column}, which is not a placeholder.",
        "Write a template",
    ),
    (
        {"TOOLBAR": {"EDITOR_URL": "x://{path}:{line:04d}"}},
        '["TOOLBAR"]["EDITOR_URL"]',
        ProblemKind.WRONG_VALUE,
        "does not contain {line}.",
        "Write a template",
    ),
    (
        {"TOOLBAR": {"EDITOR_URL": "x://{path}:{line"}},
        '["TOOLBAR"]["EDITOR_URL"]',
        ProblemKind.WRONG_VALUE,
        "is not a valid template: expected '}' before end of string.",
        "Write a template",
    ),
    (
        {"TRACE_URL": "https://traces.example.com/"},
        '["TRACE_URL"]',
        ProblemKind.WRONG_VALUE,
        "does not contain {trace_id}.",
        "Write a template that contains {trace_id}, or an empty string.",
    ),
    (
        {"TOOLBAR": {"TRACE_URL": "https://traces.example.com/{trace_id}"}},
        '["TOOLBAR"]["TRACE_URL"]',
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        'Did you mean SIGNAL_INSPECTOR["TRACE_URL"]?',
    ),
    (
        {"TRACING": ["x"]},
        '["TRACING"]',
        ProblemKind.WRONG_TYPE,
        "must be a dict, not a list.",
        "Write a dict",
    ),
    (
        {"EXCLUDES": []},
        '["EXCLUDES"]',
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        "Did you mean EXCLUDE?",
    ),
    (
        {"include": []},
        '["include"]',
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        "Did you mean INCLUDE?",
    ),
    (
        {"ROOMS": ()},
        '["ROOMS"]',
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        "Known keys: AUDIT, DESCRIBE, EXCLUDE, INCLUDE, LIMITS, REDACT, SINKS, STRICT,",
    ),
    (
        {"editor_url": ""},
        '["editor_url"]',
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        'Did you mean SIGNAL_INSPECTOR["TOOLBAR"]["EDITOR_URL"]?',
    ),
    (
        {"LIMITS": {"DISPATCH": 1}},
        '["LIMITS"]["DISPATCH"]',
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        "Did you mean DISPATCHES?",
    ),
    (
        {3: []},
        "[an int]",
        ProblemKind.UNKNOWN_KEY,
        "is not a setting of Signal Inspector.",
        "Known keys:",
    ),
]


@pytest.mark.parametrize(("raw", "key", "kind", "what", "hint"), WRONG, ids=str)
def test_a_mistake_is_named(
    raw: object, key: str, kind: ProblemKind, what: str, hint: str
) -> None:
    """Each mistake gives one problem that names its key, and the default holds."""
    (problem,) = config_problems(raw)
    assert problem.key == f"SIGNAL_INSPECTOR{key}"
    assert problem.kind is kind
    assert problem.message == f"SIGNAL_INSPECTOR{key} {what}"
    assert problem.hint.startswith(hint)
    assert replace(read_config(raw), redact=()) == Config()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        *[
            (["ok", 3], ("ok",)),
            (["ok", " "], ("ok", " ")),
            ("iban", ("iban",)),
            (3, ()),
            (None, ()),
        ],
        (["re:(?a)(?u)x", "ok"], ("re:(?a)(?u)x", "ok")),
    ],
    ids=str,
)
def test_a_mistake_uncovers_no_secret(value: object, kept: tuple[str, ...]) -> None:
    """What is right in ``REDACT`` holds beside what is wrong in it."""
    assert read_config({"REDACT": value}).redact == kept


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("re:(", "has a pattern that does not compile; item 0: "),
        ("re:(?a)(?u)x", "has a pattern that does not compile; item 0: "),
        ("re:(?L)x", "has a pattern that does not compile; item 0: "),
        ("re:", "has a pattern that matches the empty string; see item 0."),
        (r"re:\d*", "has a pattern that matches the empty string; see item 0."),
        (re.compile(b"x"), "has a bytes pattern; see item 0."),
        *[
            (
                pattern,
                "has a pattern that may take very long; item 0 has a repeat inside a repeat",
            )
            for pattern in (
                "re:(a+)+b", "re:(?:a*b?)*c", r"re:(\w+\s?)+x", "re:((a|b)+,)*z", "re:(a{2,}x)+",
                "re:(?=(a+)+b)x", re.compile("(a+)+b"), "re:(?:x(?:y|z+))+?a", "re:(?(1)a|(a+)+)b",
            )
        ],
    ],
    ids=str,
)  # fmt: skip
def test_a_pattern_of_values_is_looked_at(pattern: object, what: str) -> None:
    """What does not compile, matches nothing or may run away is told of."""
    (problem,) = config_problems({"REDACT": [pattern]})
    assert problem.message.startswith(f'SIGNAL_INSPECTOR["REDACT"] {what}')


@pytest.mark.parametrize(
    "pattern",
    [r"re:\b\d{11}\b", "re:(?:a{1,3}b){1,9}", "re:(?:a++b)+", "re:(?>a+b)+", "re:AB-[0-9]+", "a+"],
)
def test_a_harmless_pattern_is_none(pattern: str) -> None:
    """Repeats that are bounded, possessive or side by side raise no alarm."""
    assert config_problems({"REDACT": [pattern, re.compile("x+y+")]}) == []


def test_only_the_wrong_key_falls_back() -> None:
    """A wrong value leaves the right ones beside it as they are; problems come in order."""
    raw = {
        "LIMITS": {"DISPATCHES": 0, "PAYLOAD_LENGTH": 7},
        "INCLUDE": "shop.*",
        "EXCLUDE": [],
        "TOOLBAR": {"EDITOR_URL": "x"},
        "TYPO": 1,
    }
    config = read_config(raw)
    assert config.limits == Limits(payload_length=7)
    assert config.include == Config().include
    assert config.exclude == ()
    assert config.toolbar == Toolbar()
    assert [problem.key.removeprefix("SIGNAL_INSPECTOR") for problem in config_problems(raw)] == [
        '["LIMITS"]["DISPATCHES"]',
        '["INCLUDE"]',
        '["TOOLBAR"]["EDITOR_URL"]',
        '["TYPO"]',
    ]


def test_empty_templates_are_right() -> None:
    """An empty URL means no links, and is no mistake."""
    assert config_problems({"TOOLBAR": {"EDITOR_URL": ""}, "TRACE_URL": ""}) == []


class HostileList(list[str]):
    """A list that breaks whoever reads it."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("not now")


def test_hostile_collections() -> None:
    """A collection that raises is a problem, counted as ours, and all defaults hold."""
    raw = {"EXCLUDE": [], "INCLUDE": HostileList(["x"])}
    assert read_config(raw) == Config()
    (problem,) = config_problems(raw)
    assert problem.message == "SIGNAL_INSPECTOR cannot be read: RuntimeError."
    assert internal_errors.counts() == {"the settings": 2}


_plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_keys = st.sampled_from([*WHOLE, *WHOLE["LIMITS"], *WHOLE["TOOLBAR"]]) | _plain
_anything = st.recursive(
    _plain,
    lambda inner: st.lists(inner) | st.dictionaries(_keys, inner) | st.tuples(inner),
    max_leaves=20,
)


@examples(deadline=None)  # the machine may be busy
@given(_anything)
def test_reading_never_raises(raw: object) -> None:
    """Whatever the setting is, it gives a Config whose values the rules find right."""
    config = read_config(raw)
    assert isinstance(config, Config)
    assert config.limits.dispatches >= 1
    assert all(isinstance(glob, str) for glob in config.include)
    if not isinstance(raw, dict):
        assert config == Config()
        assert len(config_problems(raw)) == 1
    assert internal_errors.counts() == {}


def test_get_config_reads_once() -> None:
    """The settings are read at the first look, and anew after forget_config()."""
    with override_settings(SIGNAL_INSPECTOR={"INCLUDE": ["one.*"]}):
        forget_config()
        first = get_config()
        assert first.include == ("one.*",)
        assert get_config() is first
    with override_settings(SIGNAL_INSPECTOR={"INCLUDE": ["two.*"]}):
        forget_config()
        assert get_config().include == ("two.*",)


@override_settings()
def test_without_the_setting() -> None:
    """A project that sets nothing has the defaults."""
    if hasattr(settings, "SIGNAL_INSPECTOR"):
        del settings.SIGNAL_INSPECTOR
    forget_config()
    assert get_config() == Config()


def test_before_settings_exist() -> None:
    """Unconfigured settings are not touched; the defaults hold and are not kept."""
    code = (
        "from django.conf import settings\n"
        "from signal_inspector.conf import Config, get_config\n"
        "assert get_config() == Config()\n"
        "assert not settings.configured\n"
        "settings.configure(SIGNAL_INSPECTOR={'REDACT': ['iban']})\n"
        "assert get_config().redact == ('iban',)\n"
        "print('ok')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("ok\n", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """A section as a room would define it."""

    values: bool = False
    names: tuple[str, ...] = ()
    link: str = field(default="", metadata=placeholders("trace_id"))


def test_a_room_registers_its_section() -> None:
    """A registered section is read and checked by the same rules as ours."""
    raw = {"TRACING": {"VALUES": True, "NAMES": ["a"], "LINK": "x", "VALEUS": 1}}
    assert config_problems(raw) == []
    register_section("TRACING", Tracing)
    assert read_config(raw).room(Tracing) == Tracing(values=True, names=("a",))
    assert [(problem.message, problem.hint) for problem in config_problems(raw)] == [
        (
            'SIGNAL_INSPECTOR["TRACING"]["LINK"] does not contain {trace_id}.',
            "Write a template that contains {trace_id}, or an empty string.",
        ),
        (
            'SIGNAL_INSPECTOR["TRACING"]["VALEUS"] is not a setting of Signal Inspector.',
            "Did you mean VALUES?",
        ),
    ]
    (wrong,) = config_problems({"TRACING": {"VALUES": 1}})
    assert wrong.message.endswith("must be True or False, not an int.")


def test_a_room_without_settings_has_its_defaults() -> None:
    """room() gives the defaults of a section that the dict leaves out or gets wrong."""
    assert read_config({}).room(Tracing) == Tracing()
    register_section("TRACING", Tracing)
    assert read_config({"TRACING": 3}).room(Tracing) == Tracing()


@override_settings(SIGNAL_INSPECTOR={"TRACING": {"VALUES": True}})
def test_registering_makes_the_settings_be_read_again() -> None:
    """A room that comes late still finds its settings."""
    forget_config()
    assert get_config().room(Tracing) == Tracing()
    register_section("TRACING", Tracing)
    assert get_config().room(Tracing) == Tracing(values=True)


def test_a_config_can_be_compared_and_hashed() -> None:
    """Equal settings give equal Configs, usable as keys."""
    assert read_config(WHOLE) == read_config(WHOLE)
    assert len({read_config(WHOLE), read_config(WHOLE), Config()}) == 2
