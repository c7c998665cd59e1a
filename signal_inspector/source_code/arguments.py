"""The arguments of a call, as they are written in the source."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from signal_inspector.source_code.records import ReadArguments

_MAX_TEXT = 200  # characters of an argument's source

#: For a send that is not seen being called: ``fire = order_placed.send``.
UNKNOWN_ARGUMENTS = ReadArguments(names=(), is_open=True)

_LISTED = (ast.List, ast.Tuple, ast.Set)


def looks_like_class(dotted: str) -> bool:
    """Whether the last part of a name is written like a class name."""
    return dotted.rpartition(".")[2].lstrip("_")[:1].isupper()


def argument(call: ast.Call, name: str, position: int | None) -> ast.expr | None:
    """An argument by its name, or by its position if there is no ``*`` before it."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or len(call.args) <= position:
        return None
    if any(isinstance(each, ast.Starred) for each in call.args[: position + 1]):
        return None
    return call.args[position]


def argument_text(call: ast.Call, name: str, position: int | None) -> str:
    """The source of an argument, in one line; "" if it is not given, or is None."""
    node = argument(call, name, position)
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return ""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def given_arguments(call: ast.Call, kwargs: str = "") -> ReadArguments:
    """The names of a call's arguments, without ``sender``.

    ``kwargs`` is the name of the enclosing function's own ``**kwargs``.
    """
    names: list[str] = []
    is_open, forwards = any(isinstance(each, ast.Starred) for each in call.args), ""
    for keyword in call.keywords:
        if keyword.arg is not None:
            names.append(keyword.arg)
        elif isinstance(keyword.value, ast.Dict):
            keys = [getattr(key, "value", None) for key in keyword.value.keys]
            names += [key for key in keys if isinstance(key, str)]
            is_open = is_open or not all(isinstance(key, str) for key in keys)
        elif kwargs and isinstance(keyword.value, ast.Name) and keyword.value.id == kwargs:
            forwards = kwargs
        else:
            is_open = True
    kept = tuple(name for name in dict.fromkeys(names) if name != "sender")
    return ReadArguments(names=kept, is_open=is_open, forwards=forwards)


class OldCall:
    """A call of a signal's class that may have the argument that Django 4.0 removed.

    ``literals`` are the dicts that names stand for, as in ``Signal(**options)``.
    """

    def __init__(self, call: ast.Call, literals: Callable[[str], ast.expr | None]) -> None:
        self.call = call
        self.is_partial = getattr(call.func, "attr", getattr(call.func, "id", "")) == "partial"
        self.positional = [*self._positional(call.args[1:] if self.is_partial else call.args)]
        self.named = dict(self._named(literals))

    def _positional(self, args: Iterable[ast.expr]) -> Iterator[ast.expr]:
        for each in args:
            if isinstance(each, ast.Starred) and isinstance(each.value, _LISTED):
                yield from each.value.elts
            else:
                yield each

    def _named(self, literals: Callable[[str], ast.expr | None]) -> Iterator[tuple[str, ast.expr]]:
        for keyword in self.call.keywords:
            value: ast.expr | None = keyword.value
            if keyword.arg is not None:
                yield keyword.arg, keyword.value
                continue
            if isinstance(value, ast.Name):
                value = literals(value.id)
            if isinstance(value, ast.Dict):
                for key, its in zip(value.keys, value.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, its
            elif isinstance(value, ast.Call):
                yield from ((each.arg, each.value) for each in value.keywords if each.arg)

    @property
    def providing_args(self) -> tuple[str, ...] | None:
        """The names in ``Signal(providing_args=[...])`` or ``Signal([...])``; () if not literal.

        None if the call has no such argument.
        """
        given = self.named.get("providing_args")
        if given is None and self.positional and isinstance(self.positional[0], _LISTED):
            given = self.positional[0]  # the first parameter of today's Signal is a bool
        if given is None:
            return None
        names = given.elts if isinstance(given, _LISTED) else ()
        return tuple(
            each.value
            for each in names
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
        )

    @property
    def instead(self) -> str:
        """The source of the call without that argument: ``TypedSignal(use_caching=True)``."""
        named = {name: it for name, it in self.named.items() if name != "providing_args"}
        positional = self.positional
        if "providing_args" not in self.named and positional:
            positional = positional[1:]
            if positional:
                named = {"use_caching": positional[0], **named}
            positional = positional[1:]
        texts = [ast.unparse(self.call.args[0])] if self.is_partial else []
        texts += [ast.unparse(each) for each in positional]
        texts += [f"{name}={ast.unparse(it)}" for name, it in named.items()]
        text = f"{ast.unparse(self.call.func)}({', '.join(texts)})"
        return " ".join(text.split())
