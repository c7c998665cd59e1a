"""One secret in whatever carries it, sent through everything: it is found nowhere afterwards."""

from __future__ import annotations

import importlib.util
import linecache
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.dispatch import Signal
from hypothesis import strategies as st

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from tests.carriers import carriers
from tests.fixed import fixed
from tests.rooms import ROOMS, look, send_everywhere

SECRET = "hunter2"

placed = Signal()

TEXTS = st.sampled_from(carriers(SECRET))
OBJECTS = st.sampled_from(
    [
        {"password": SECRET},
        {"name": "api_key", "value": SECRET},
        {"value": SECRET, "n": 1, "key": "password"},
        ("token", SECRET),
        ["mysqldump", "--password", SECRET],
        ["mysqldump", f"--password={SECRET}"],
        {b"authorization": SECRET},
    ]
)
VALUES = st.recursive(
    TEXTS | OBJECTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "user", "body"]), inner, min_size=1, max_size=2)
        | inner.map(repr)
    ),
    max_leaves=3,
)
LIMITS = {"PAYLOAD_LENGTH": 3000}


@pytest.fixture(autouse=True, scope="module")
def _much_is_kept() -> Iterator[None]:
    with fixed(Limits, message_length=3000, payload_depth=9):
        yield


def receiver_in(path: Path, source: str) -> Callable[..., Any]:
    """The function ``receive`` of a module with this source, in a file of its own."""
    path.write_text(source)
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., Any] = module.receive
    return found


def sending(
    sql: str,
    response: object,
    failing: Callable[..., Any],
    error: Exception,
    sender: object = None,
    **named: Any,
) -> Callable[[], None]:
    """Sends a signal, swallowed and not, and reports a failure of ours."""

    def answers(**kwargs: Any) -> object:
        with connection.cursor() as cursor:
            cursor.execute(sql)
        return response

    def fails(**kwargs: Any) -> None:
        raise error

    def send() -> None:
        receivers = [answers, failing, fails]
        for receiver in receivers:
            placed.connect(receiver)
        try:
            placed.send_robust(sender, **named)
            placed.disconnect(failing)
            with pytest.raises(type(error)):
                placed.send(sender, **named)
        finally:
            for receiver in receivers:
                placed.disconnect(receiver)
        internal_errors.report("a test", error)

    return send


@pytest.mark.django_db
@hypothesis.settings(
    max_examples=8,
    derandomize=True,
    phases=[hypothesis.Phase.generate],  # an example that leaks is small enough
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
    arguments=st.lists(VALUES, min_size=3, max_size=6),
    response=VALUES,
    message=TEXTS,
    opt_in=st.sampled_from(["", "logs/dup"]),
    strict=st.booleans(),
)
def test_a_secret_leaves_no_trace(
    tmp_path: Path, arguments: list[Any], response: Any, message: str, opt_in: str, strict: bool
) -> None:
    """No room has it from a payload, a response, a message, a source line, SQL or a path."""
    internal_errors.reset()
    failing = receiver_in(
        tmp_path / "receivers.py",
        f'def receive(**kwargs):\n    raise KeyError({{"password": "{SECRET}"}}["x"])\n',
    )
    named = {f"argument{number}": argument for number, argument in enumerate(arguments)}
    with transaction.atomic():
        sent = send_everywhere(
            sending(
                f"SELECT 1 AS password WHERE '{SECRET}' = 'x'",
                response,
                failing,
                ValueError(message),
                **named,
            ),
            url=f"/send/x/?token={SECRET}",
            opt_in=opt_in,
            STRICT=strict,
            LIMITS=LIMITS,
            TRACING={"PAYLOAD_ATTRIBUTES": list(named)},
        )
        assert [room for room in ROOMS if SECRET in look(room, sent)] == []
        transaction.set_rollback(True)


WORD = "Nightingale"


class Street:
    """Told by a hook, which fails for one of them."""

    def __init__(self, name: str) -> None:
        self.name = name


def tell(street: Street) -> str:
    if street.name.endswith("!"):
        raise ValueError(street.name)
    return street.name


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("room", "opt_in"), [*((room, "logs/dup") for room in ROOMS), ("log records", "")]
)
def test_strict_mode_keeps_no_value(tmp_path: Path, room: str, opt_in: str) -> None:
    """Not of what is sent, returned, raised, asked of the database, written in code or called."""
    failing = receiver_in(
        tmp_path / "receivers.py",
        f'def receive(**kwargs):\n    raise KeyError("{WORD}")\n',
    )
    error = ValueError(f"no {WORD}", {WORD: WORD})
    error.add_note(f"It is the {WORD}.")
    error.__cause__ = ExceptionGroup(WORD, [OSError(WORD), OSError(2, WORD, WORD)])
    sent = send_everywhere(
        sending(
            f"SELECT 1 AS x WHERE '{WORD}' = 'x' -- {WORD}",
            {WORD: [WORD, WORD.encode()]},
            failing,
            error,
            sender=WORD,
            text=WORD,
            keys={WORD: 1, (WORD,): {WORD}},
            instances=[Session(pk=WORD), Session(WORD), User(username=WORD)],
            hooked=Street(WORD),
            unhooked=Street(f"{WORD}!"),
        ),
        url=f"/send/{WORD}/?q={WORD}",
        user=User.objects.create_user(WORD),
        opt_in=opt_in,
        STRICT=True,
        DESCRIBE={f"{__name__}.Street": tell},
        LIMITS=LIMITS,
        TRACING={"PAYLOAD_ATTRIBUTES": ["text", "keys", "instances", "hooked", "unhooked"]},
    )
    assert WORD not in look(room, sent)


@pytest.mark.django_db
def test_rooms_hold_what_is_ordinary(tmp_path: Path) -> None:
    """Without strict mode each room but those of numbers shows the word, so each is looked at."""
    failing = receiver_in(tmp_path / "receivers.py", "def receive(**kwargs):\n    1 / 0\n")
    sent = send_everywhere(
        sending("SELECT 1", WORD, failing, ValueError(WORD), sender=WORD, text=WORD)
    )
    assert [room for room in ROOMS if WORD not in look(room, sent)] == ["metrics"]
