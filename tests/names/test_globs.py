"""Which signals INCLUDE and EXCLUDE let through."""

from __future__ import annotations

import pytest

from signal_inspector.conf import Config, is_inspected, most_specific
from signal_inspector.names import unmarked

POST_SAVE = "django.db.models.signals.post_save"


@pytest.mark.parametrize(
    ("name", "inspected"),
    [
        ("shop.signals.order_placed", True),
        ("shop.services:41 (anonymous)", True),
        ("anonymous django.dispatch.dispatcher.Signal", True),
        ("django_otp.signals.token_used", True),
        (POST_SAVE, False),
        ("django.core.signals:12 (anonymous)", False),
        ("debug_toolbar.x.signal", False),
        ("signal_inspector.x.signal", False),
    ],
)
def test_defaults(name: str, inspected: bool) -> None:
    """By default everything is inspected but what is Django's, the toolbar's or ours."""
    config = Config()
    assert is_inspected(name, config.include, config.exclude) is inspected


@pytest.mark.parametrize(
    ("include", "exclude", "inspected"),
    [
        ([], [], False),
        (["shop.*"], [], False),
        (["*"], ["*"], False),
        (["*"], ["django.*"], False),
        (["django.*"], ["*"], True),
        (["django.*"], ["django.*"], False),
        (["django.db.*"], ["django.*"], True),
        (["django.*"], ["django.db.*"], False),
        (["*.post_save"], ["django.*"], False),
        (["*", POST_SAVE], ["django.*"], True),
        ([POST_SAVE], [POST_SAVE], False),
        ([POST_SAVE], ["django.db.models.signals.post_sav?"], True),
        (["django.db.*"], ["django.*", "django.db.models.*"], False),
        (["django.db.models.signals.p[or]*"], ["django.db.models.*"], True),
        (["django.db.models.signals.pre_save"], ["django.*"], False),
        (["DJANGO.*"], [], False),
    ],
)
def test_post_save(include: list[str], exclude: list[str], inspected: bool) -> None:
    """EXCLUDE beats INCLUDE, unless a more specific INCLUDE entry matches."""
    assert is_inspected(POST_SAVE, include, exclude) is inspected


@pytest.mark.parametrize(
    ("globs", "entry"),
    [
        (["*", "django.*"], "django.*"),
        (["django.*", "*", POST_SAVE], POST_SAVE),
        (["shop.*"], None),
        ([], None),
    ],
)
def test_the_most_specific_entry_speaks(globs: list[str], entry: str | None) -> None:
    """Of several entries that match, the one that decides is told."""
    assert most_specific(POST_SAVE, globs) == entry


def test_a_name_with_brackets_matches_itself() -> None:
    """A signal in a dict can be let in, or left out, by its name."""
    name = "shop.signals.REGISTRY['paid']"
    assert is_inspected(name, ["shop.signals.REGISTRY['paid']"], ["shop.*"])
    assert not is_inspected(name, ["shop.*"], ["shop.signals.REGISTRY['paid']"])
    assert is_inspected(name, ["shop.signals.REGISTRY*"], [])
    assert most_specific(name, ["*", name]) == name


def test_unmarked() -> None:
    """The dotted name alone, for those who look for it."""
    assert unmarked("shop.views.View instance") == "shop.views.View"
    assert unmarked("shop.receivers.log (partial)") == "shop.receivers.log"
    assert unmarked("shop.receivers.log") == "shop.receivers.log"
