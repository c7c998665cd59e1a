"""Which signals and receivers are meant by a text that a person has typed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase

from django.apps import apps

from signal_inspector.names import class_path, unmarked

_WILDCARD = re.compile(r"[*?\[]")


def matches(pattern: str, name: str) -> bool:
    """Whether a dotted name, or its last parts, are what the pattern says, with case.

    "order_placed", "signals.order_placed" and "order_*" all match shop.signals.order_placed.
    "View" matches "shop.views.View instance", too, and "log" a partial of it.
    """
    names = {name, unmarked(name)}
    if any(each == pattern or each.endswith(f".{pattern}") for each in names):
        return True
    return _WILDCARD.search(pattern) is not None and any(
        fnmatchcase(part, pattern) for each in names for part in _endings(each)
    )


def _endings(name: str) -> Iterator[str]:
    parts = name.split(".")
    for start in range(len(parts)):
        yield ".".join(parts[start:])


def near(text: str, names: Iterable[str], number: int = 3) -> list[str]:
    """The names that are most like the text, as a whole or in their last part, best first."""
    by_form: dict[str, list[str]] = {}
    for name in sorted(set(names), key=lambda name: (len(name), name)):
        for form in {name.lower(), name.rpartition(".")[2].lower()}:
            by_form.setdefault(form, []).append(name)
    wanted = {text.lower(): None, text.rpartition(".")[2].lower(): None}
    forms = [form for each in wanted for form in get_close_matches(each, by_form, number)]
    return list(dict.fromkeys(name for form in forms for name in by_form[form]))[:number]


def app_label_of(name: str) -> str:
    """The label of the installed app that something of this dotted name is in; "" of none."""
    config = apps.get_containing_app_config(name)
    return "" if config is None else config.label


def sender_names(text: str) -> set[str]:
    """What a sender that is typed as this text may be called in an entry.

    A text of the form ``app_label.Model`` stands for the model, and for itself in lower case,
    which is what a connection that waits for the model goes by.
    """
    names = {text, f"'{text}'"}
    if text.count(".") == 1:
        names.add(text.lower())
        with contextlib.suppress(LookupError):
            names.add(class_path(apps.get_model(text)))
    return names
