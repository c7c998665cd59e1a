"""Reading one module's source: its syntax tree is walked, nothing of it is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from signal_inspector.catalog.source_readings import (
    Meanings,
    ReadCall,
    ReadClass,
    ReadConnect,
    ReadCreation,
    ReadFunction,
    Reading,
    ReadSend,
)
from signal_inspector.catalog.source_scopes import (
    FUNCTIONS,
    Kind,
    Scope,
    anonymous,
    bind_arguments,
    bind_body,
    is_partial,
)
from signal_inspector.records import SendMethod

_METHODS = {method.value: method for method in SendMethod}
_MAX_TEXT = 200  # characters of an argument's source


def read_tree(module: str, path: str, tree: ast.Module, *, is_package: bool) -> Reading:
    """What a syntax tree says of signals, as far as one file can tell."""
    package = module if is_package else module.rpartition(".")[0]
    reader = _Reader(Reading(module=module, path=path), package)
    return reader.read(tree)


class _Reader:
    """Walks the tree of one module, and fills in its reading."""

    def __init__(self, reading: Reading, package: str) -> None:
        self.reading = reading
        self.package = package
        self._named: dict[ast.Call, str] = {}  # calls that are assigned to a name of the module

    def read(self, tree: ast.Module) -> Reading:
        scope = Scope(module=self.reading.module, kind=Kind.MODULE, stars=self.reading.stars)
        bind_body(scope, tree.body, self.package)
        self._walk(tree.body, scope)
        own = f"{scope.module}."
        self.reading.names = {
            name: found
            for name, meanings in scope.names.items()
            if (found := tuple(each for each in meanings if each != own + name))
        }
        return self.reading

    def _walk(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        """Look at these nodes and at all below them; a stack, as long sums nest deeply."""
        waiting = list(nodes)[::-1]
        while waiting:
            node = waiting.pop()
            if isinstance(node, FUNCTIONS):
                self._function(node, scope)
            elif isinstance(node, ast.ClassDef):
                self._class(node, scope)
            elif isinstance(node, ast.Lambda):
                self._lambda(node, scope)
            else:
                self._look(node, scope)
                waiting.extend(list(ast.iter_child_nodes(node))[::-1])

    def _look(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Call):
            self._call(node, scope)
        elif isinstance(node, ast.Assign):
            self._name_calls(node.targets[0], node.value, scope)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._name_calls(node.target, node.value, scope)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        inner = scope.inside(Kind.FUNCTION, node.name)
        self.reading.functions[inner.qualname] = ReadFunction(
            line=node.lineno, is_async=isinstance(node, ast.AsyncFunctionDef)
        )
        for decorator in node.decorator_list:
            self._decorator(decorator, inner.dotted, scope)
        outside = [node.args, *([node.returns] if node.returns else ())]
        self._walk([*node.decorator_list, *outside], scope)
        bind_arguments(inner, node.args)
        bind_body(inner, node.body, self.package)
        self._walk(node.body, inner)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        inner = scope.inside(Kind.CLASS, node.name)
        self.reading.classes[inner.qualname] = ReadClass(
            bases=tuple(scope.meanings(base) for base in node.bases),
            has_init=any(
                isinstance(each, FUNCTIONS) and each.name in ("__init__", "__new__")
                for each in node.body
            ),
        )
        for decorator in node.decorator_list:
            self._decorator(decorator, inner.dotted, scope)
        self._walk([*node.decorator_list, *node.bases, *node.keywords], scope)
        bind_body(inner, node.body, self.package)
        self._walk(node.body, inner)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> None:
        """What a lambda does is told of the function around it."""
        inner = Scope(
            module=scope.module, kind=Kind.FUNCTION, qualname=scope.qualname, outer=scope
        )
        self._walk([node.args], scope)
        bind_arguments(inner, node.args)
        self._walk([node.body], inner)

    def _name_calls(self, target: ast.AST, value: ast.expr, scope: Scope) -> None:
        """Note the names that calls are assigned to, where a module or a class keeps them."""
        if scope.kind is Kind.FUNCTION:
            return
        if isinstance(target, ast.Name) and isinstance(value, ast.Call):
            self._named[value] = f"{scope.module}.{scope.path(target.id)}"
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for each, its in zip(target.elts, value.elts, strict=False):
                self._name_calls(each, its, scope)

    def _call(self, node: ast.Call, scope: Scope) -> None:
        self._creation(node, scope)
        targets = scope.callables(node.func)
        if targets:
            self.reading.calls.append(
                ReadCall(function=_function_of(scope), targets=targets, line=node.lineno)
            )
        if isinstance(node.func, ast.Attribute):
            self._send(node.func, node, 0, scope)
            if node.func.attr == "connect":
                self._connect(node, node.func, scope)
        elif isinstance(node.func, ast.Call):
            self._applied(node, node.func, scope)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Attribute):  # partial(order_placed.send, sender=Web)
                self._send(argument, node if is_partial(node.func) else None, 1, scope)

    def _creation(self, node: ast.Call, scope: Scope) -> None:
        classes = tuple(each for each in scope.meanings(node.func) if _looks_like_class(each))
        if classes:
            self.reading.creations.append(
                ReadCreation(
                    signal=self._named.get(node) or anonymous(scope.module, node),
                    classes=classes,
                    line=node.lineno,
                    providing_args=_providing_args(node),
                )
            )

    def _send(
        self, method: ast.Attribute, call: ast.Call | None, position: int, scope: Scope
    ) -> None:
        signals = scope.meanings(method.value) if method.attr in _METHODS else ()
        if signals:
            self.reading.sends.append(
                ReadSend(
                    signals=signals,
                    method=_METHODS[method.attr],
                    function=_function_of(scope),
                    line=method.end_lineno or method.lineno,
                    sender="" if call is None else _argument_text(call, "sender", position),
                )
            )

    def _connect(self, node: ast.Call, method: ast.Attribute, scope: Scope) -> None:
        receiver = _argument(node, "receiver", 0)
        if receiver is not None:
            self._note_connect(
                scope.meanings(method.value),
                scope.callables(receiver),
                node.lineno,
                _argument_text(node, "sender", 1),
                scope,
            )

    def _decorator(self, node: ast.expr, receiver: str, scope: Scope) -> None:
        """``@receiver(signal)``, or ``@signal.connect`` that returns nothing but connects."""
        if isinstance(node, ast.Attribute) and node.attr == "connect":
            signals = scope.meanings(node.value)
            self._note_connect(signals, (receiver,), node.lineno, "", scope, is_decorator=True)
        elif isinstance(node, ast.Call):
            self._receiver_call(node, (receiver,), scope, is_decorator=True)

    def _applied(self, node: ast.Call, inner: ast.Call, scope: Scope) -> None:
        """``receiver(signal)(function)``."""
        if len(node.args) == 1:
            self._receiver_call(inner, scope.callables(node.args[0]), scope, is_decorator=False)

    def _receiver_call(
        self, node: ast.Call, receivers: Meanings, scope: Scope, *, is_decorator: bool
    ) -> None:
        decorators = scope.meanings(node.func)
        signals = _argument(node, "signal", 0)
        if not decorators or signals is None:
            return
        listed = isinstance(signals, ast.List | ast.Tuple | ast.Set)
        for each in signals.elts if listed else (signals,):  # type: ignore[attr-defined]
            self._note_connect(
                scope.meanings(each),
                receivers,
                node.lineno,
                _argument_text(node, "sender", None),
                scope,
                decorators=decorators,
                is_decorator=is_decorator,
            )

    def _note_connect(
        self,
        signals: Meanings,
        receivers: Meanings,
        line: int,
        sender: str,
        scope: Scope,
        *,
        decorators: Meanings = (),
        is_decorator: bool = False,
    ) -> None:
        if signals:
            self.reading.connects.append(
                ReadConnect(
                    signals=signals,
                    decorators=decorators,
                    receivers=receivers,
                    function=_function_of(scope),
                    line=line,
                    sender=sender,
                    is_decorator=is_decorator,
                )
            )


def _function_of(scope: Scope) -> str:
    """The function that code of this scope runs in; the module's name outside of any."""
    inside: Scope | None = scope if scope.kind is Kind.FUNCTION else scope.around(Kind.FUNCTION)
    return scope.module if inside is None else inside.dotted


def _looks_like_class(dotted: str) -> bool:
    return dotted.rpartition(".")[2].lstrip("_")[:1].isupper()


def _argument(call: ast.Call, name: str, position: int | None) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or len(call.args) <= position:
        return None
    if any(isinstance(each, ast.Starred) for each in call.args[: position + 1]):
        return None
    return call.args[position]


def _argument_text(call: ast.Call, name: str, position: int | None) -> str:
    """The source of an argument, in one line; "" where it is not given, or None."""
    node = _argument(call, name, position)
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return ""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _providing_args(call: ast.Call) -> tuple[str, ...] | None:
    """The names in ``Signal(providing_args=[...])`` or ``Signal([...])``; () if not literal."""
    given = _argument(call, "providing_args", None)
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
