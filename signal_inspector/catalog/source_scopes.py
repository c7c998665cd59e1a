"""What names stand for in the scopes of a module: its body, its classes, its functions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from signal_inspector.catalog.source_readings import Meanings

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_INNER = (*FUNCTIONS, ast.ClassDef, ast.Lambda)


class Kind(Enum):
    """Of a scope: Python looks names up differently in each."""

    MODULE = auto()
    CLASS = auto()
    FUNCTION = auto()


@dataclass(slots=True, kw_only=True)
class Scope:
    """One body, and the names that it binds."""

    module: str
    kind: Kind
    qualname: str = ""  # as Python writes it: "Cart.empty.<locals>.inner"; "" of a module
    outer: Scope | None = None
    names: dict[str, Meanings] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    @property
    def dotted(self) -> str:
        """The module's name, and the path in it."""
        return f"{self.module}.{self.qualname}" if self.qualname else self.module

    def path(self, name: str) -> str:
        """The qualname of what is defined here under this name."""
        if not self.qualname:
            return name
        between = ".<locals>." if self.kind is Kind.FUNCTION else "."
        return f"{self.qualname}{between}{name}"

    def inside(self, kind: Kind, name: str) -> Scope:
        """A scope that is defined in this one."""
        return Scope(module=self.module, kind=kind, qualname=self.path(name), outer=self)

    def lookup(self, name: str) -> Meanings:
        """What a name stands for, seen from code of this scope."""
        if name in self.names:
            return self.names[name]
        scope = self.outer
        while scope is not None:
            if scope.kind is not Kind.CLASS and name in scope.names:
                return scope.names[name]
            scope = scope.outer
        root = self
        while root.outer is not None:
            root = root.outer
        return (f"{self.module}.{name}",) if root.stars else ()

    def meanings(self, node: ast.AST) -> Meanings:
        """What ``a`` or ``a.b.c`` stands for; () of any other expression."""
        if isinstance(node, ast.Name):
            return self.lookup(node.id)
        if isinstance(node, ast.Attribute):
            return tuple(f"{owner}.{node.attr}" for owner in self.meanings(node.value))
        return ()

    def callables(self, node: ast.AST) -> Meanings:
        """What a receiver or a called function may be: names, methods, and partials of them."""
        if isinstance(node, ast.Attribute):
            owner = self.around(Kind.CLASS) if _is_self(node.value) else None
            if owner is not None:
                return (f"{owner.dotted}.{node.attr}",)
            if isinstance(node.value, ast.Call):
                return tuple(f"{cls}.{node.attr}" for cls in self.meanings(node.value.func))
        if isinstance(node, ast.Call) and node.args and is_partial(node.func):
            return self.callables(node.args[0])
        return self.meanings(node)

    def around(self, kind: Kind) -> Scope | None:
        """The nearest scope of this kind that this one is in."""
        scope = self.outer
        while scope is not None and scope.kind is not kind:
            scope = scope.outer
        return scope

    def bind(self, name: str, found: Meanings) -> None:
        """Let a name stand for this too: a ``try`` may import it from one of two modules."""
        before = self.names.get(name)
        if self.kind is Kind.FUNCTION and (before == () or not found):
            self.names[name] = ()  # it may be anything
        else:
            self.names[name] = tuple(dict.fromkeys((*(before or ()), *found)))


def is_partial(node: ast.AST) -> bool:
    """Whether this is ``partial`` or ``functools.partial``."""
    return getattr(node, "attr", None) == "partial" or getattr(node, "id", None) == "partial"


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def bind_arguments(scope: Scope, arguments: ast.arguments) -> None:
    """The parameters of a function: what they stand for is the caller's to say."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    for argument in every:
        scope.names[argument.arg] = ()


def bind_body(scope: Scope, body: Iterable[ast.AST], package: str) -> None:
    """All names that these statements bind in their own scope; ``package`` is the module's."""
    elsewhere: set[str] = set()
    for node in statements(body):
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        else:
            _bind(scope, node, package)
    for name in elsewhere:
        scope.names.pop(name, None)


def statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node of a body in the order of the source, without what is inside inner scopes."""
    waiting = list(body)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _INNER):
            waiting.extend(list(ast.iter_child_nodes(node))[::-1])


def _bind(scope: Scope, node: ast.AST, package: str) -> None:
    if isinstance(node, ast.ImportFrom):
        _bind_from(scope, node, package)
    elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        scope.bind(node.name, (f"{scope.module}.{scope.path(node.name)}",))
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            _bind_target(scope, target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        _bind_target(scope, node.target, node.value)
    else:
        _bind_other(scope, node)


def _bind_other(scope: Scope, node: ast.AST) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.bind(name, (alias.name if alias.asname else name,))
    elif isinstance(node, ast.For | ast.AsyncFor):
        _bind_loop(scope, node)
    elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
        _bind_unknown(scope, node.optional_vars.id)
    elif isinstance(node, ast.Name):
        # What a comprehension binds comes by here, and what an assignment has bound before,
        # which knew better.
        if isinstance(node.ctx, ast.Store) and node.id not in scope.names:
            _bind_unknown(scope, node.id)
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        _bind_unknown(scope, node.name)


def _bind_from(scope: Scope, node: ast.ImportFrom, package: str) -> None:
    source = node.module or ""
    if node.level:
        parts = package.split(".")
        parts = parts[: len(parts) - (node.level - 1)]
        source = ".".join([*parts, source] if source else parts)
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(source)
        else:
            scope.bind(alias.asname or alias.name, (f"{source}.{alias.name}",))


def _bind_target(scope: Scope, target: ast.AST, value: ast.expr) -> None:
    if isinstance(target, ast.Name):
        _bind_value(scope, target.id, value)
    elif isinstance(target, ast.Tuple | ast.List):
        pairs = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        for index, each in enumerate(target.elts):
            if pairs:
                _bind_target(scope, each, value.elts[index])  # type: ignore[attr-defined]


def _bind_value(scope: Scope, name: str, value: ast.expr) -> None:
    found = scope.meanings(value)
    if found:
        scope.bind(name, found)
    elif scope.kind is not Kind.FUNCTION:
        scope.bind(name, (f"{scope.module}.{scope.path(name)}",))
    elif isinstance(value, ast.Call):
        scope.bind(name, (anonymous(scope.module, value),))
    elif not (isinstance(value, ast.Constant) and value.value is None):
        scope.bind(name, ())


def anonymous(module: str, call: ast.Call) -> str:
    """What a signal is called that no module holds, as ``names.signal_name`` does."""
    return f"{module}:{call.lineno} (anonymous)"


def _bind_unknown(scope: Scope, name: str) -> None:
    if scope.kind is Kind.FUNCTION:
        scope.bind(name, ())
    else:
        scope.bind(name, (f"{scope.module}.{scope.path(name)}",))


def _bind_loop(scope: Scope, node: ast.For | ast.AsyncFor) -> None:
    """``for signal in (order_placed, order_paid)``: it stands for each of them in turn."""
    if not isinstance(node.target, ast.Name):
        return
    if not isinstance(node.iter, ast.Tuple | ast.List):
        _bind_unknown(scope, node.target.id)
        return
    for each in node.iter.elts:
        scope.bind(node.target.id, scope.meanings(each))
