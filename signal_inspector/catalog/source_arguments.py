"""What the arguments of a call say, as they stand in the source."""

from __future__ import annotations

import ast

_MAX_TEXT = 200  # characters of an argument's source


def looks_like_class(dotted: str) -> bool:
    """Whether the last part of a name is written as classes are."""
    return dotted.rpartition(".")[2].lstrip("_")[:1].isupper()


def argument(call: ast.Call, name: str, position: int | None) -> ast.expr | None:
    """An argument by its name, or by its place where no ``*`` stands before it."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or len(call.args) <= position:
        return None
    if any(isinstance(each, ast.Starred) for each in call.args[: position + 1]):
        return None
    return call.args[position]


def argument_text(call: ast.Call, name: str, position: int | None) -> str:
    """The source of an argument, in one line; "" where it is not given, or None."""
    node = argument(call, name, position)
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return ""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def providing_args(call: ast.Call) -> tuple[str, ...] | None:
    """The names in ``Signal(providing_args=[...])`` or ``Signal([...])``; () if not literal."""
    given = argument(call, "providing_args", None)
    listed = (ast.List, ast.Tuple, ast.Set)
    if given is None and call.args and isinstance(call.args[0], listed):
        given = call.args[0]  # the first parameter of today's Signal is a bool
    if given is None:
        return None
    names = given.elts if isinstance(given, listed) else ()
    return tuple(
        each.value
        for each in names
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )
