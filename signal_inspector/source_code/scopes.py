"""What names stand for in the scopes of a module: its body, its classes, its functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from signal_inspector.source_code.records import Meanings

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LISTED = (ast.List, ast.Tuple)
_INNER = (*FUNCTIONS, ast.ClassDef, ast.Lambda)

#: Stands for an item of a container if the key is not a literal.
ANY = "[]"
_KEY = re.compile(r"\[[^\]]*\]")
_PARTS = re.compile(r"[.()\[\]]")
_LONGEST_KEY = 80

#: Limits, because ``query = query.filter()`` twenty times would have a million meanings.
_DEEP, _MOST_OTHERS = 4, 16

_TAKES_ITEM = {"get", "pop", "setdefault"}
#: Methods and functions that return the items of their object or argument.
_PASS_ON_METHODS = {"values", "items", "copy", "keys"}
_PASS_ON = {"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "enumerate", "zip"}


class Kind(Enum):
    """The kinds of scopes: Python looks up names differently in each."""

    MODULE = auto()
    CLASS = auto()
    FUNCTION = auto()


@dataclass(slots=True, kw_only=True)
class Scope:
    """One body, and the names that it binds."""

    module: str
    kind: Kind
    qualname: str = ""  # as Python writes it: "Cart.empty.<locals>.inner"; "" for a module
    outer: Scope | None = None
    names: dict[str, Meanings] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    kwargs: str = ""  # the ``**kwargs`` of a function
    literals: dict[str, ast.expr] = field(default_factory=dict)  # the dicts among its names

    @property
    def dotted(self) -> str:
        """The dotted name: the module's name and the path in it."""
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

    def lookup(self, name: str, *, exact: bool = False) -> Meanings:
        """What a name stands for in code of this scope; ``exact`` ignores star imports."""
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
        return (f"{self.module}.{name}",) if root.stars and not exact else ()

    def meanings(self, node: ast.AST) -> Meanings:
        """What an expression stands for, as a dotted name in a reading; () if it is not known.

        The expression may be ``a.b.c``, an item of a container, a call, or an ``or``.
        """
        if isinstance(node, ast.Name):
            return self.lookup(node.id)
        if isinstance(node, ast.Attribute):
            if node.attr == "__class__":
                return self.meanings(node.value)
            return self._part(node.value, f".{node.attr}")
        if isinstance(node, ast.Subscript):
            return self._part(node.value, key_of(node.slice))
        if isinstance(node, ast.Call):
            return self._result(node)
        return tuple(dict.fromkeys(it for each in _either(node) for it in self.meanings(each)))

    def _part(self, owner: ast.expr, what: str) -> Meanings:
        """``.attribute`` or ``['key']`` of an expression; read from a literal, if it has that."""
        found = [f"{each}{what}" for each in self.meanings(owner)]
        if isinstance(owner, ast.Name):
            here = self.lookup(f"{owner.id}{what}", exact=True)
            if not here and what.startswith("["):
                here = self.lookup(f"{owner.id}{ANY}", exact=True)
            found.extend(here)
        return tuple(dict.fromkeys(found))

    def _result(self, call: ast.Call) -> Meanings:
        name = getattr(call.func, "id", "") or getattr(call.func, "attr", "")
        first = call.args[0] if call.args else None
        if name == "getattr" and first is not None and len(call.args) > 1:
            default = self.meanings(call.args[2]) if len(call.args) > 2 else ()
            attribute = call.args[1]
            if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
                return (*self._part(first, f".{attribute.value}"), *default)
            return default
        if name == "import_string" and isinstance(first, ast.Constant):
            return (first.value,) if isinstance(first.value, str) else ()
        if name == "type" and first is not None and isinstance(call.func, ast.Name):
            return self.meanings(first)
        if isinstance(call.func, ast.Attribute) and name in _TAKES_ITEM and first is not None:
            default = self.meanings(call.args[1]) if len(call.args) > 1 else ()
            item = self._part(call.func.value, key_of(first))
            return (*item, *default, *(f"{each}()" for each in self.meanings(call.func)))
        return tuple(f"{each}()" for each in self.meanings(call.func))

    def items(self, node: ast.AST) -> Meanings:
        """What a loop over this expression goes through."""
        node = _unwrapped(node)
        found = [it for what, its in self.parts(node) if what.startswith("[") for it in its]
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            found += self._part(node, ANY)
        return tuple(dict.fromkeys(found))

    def parts(self, node: ast.AST) -> Iterator[tuple[str, Meanings]]:
        """What is inside a literal, each with the path to it: ``("['paid']", (…,))``.

        For anything but a literal, only ``("", …)``. A call gives its named arguments, which a
        namespace has as attributes and a dict as items.
        """
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            for each in node.elts:
                yield from self._inside(ANY, each)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is None:
                    yield from self.parts(value)
                    continue
                if not isinstance(key, ast.Constant):
                    yield from self._inside(ANY, key)
                yield from self._inside(key_of(key), value)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            yield from self._inside(ANY, node.elt)
        else:
            found = self.meanings(node)
            if found:
                yield "", found
            for keyword in node.keywords if isinstance(node, ast.Call) else ():
                if keyword.arg is not None:
                    is_dict = name_of(node) == "dict"
                    way = f"['{keyword.arg}']" if is_dict else f".{keyword.arg}"
                    yield from self._inside(way, keyword.value)

    def _inside(self, way: str, node: ast.AST) -> Iterator[tuple[str, Meanings]]:
        if isinstance(node, ast.Starred):
            found = self.items(node.value)
            if found:
                yield ANY, found
            return
        for rest, found in self.parts(node):
            yield f"{way}{rest}", found

    def literal(self, name: str) -> ast.expr | None:
        """The dict that a name stands for, as it is written."""
        scope: Scope | None = self
        while scope is not None and name not in scope.literals:
            scope = scope.outer
        return scope.literals[name] if scope is not None else None

    def callables(self, node: ast.AST) -> Meanings:
        """What a receiver or a called function may be: names, methods, and partials of those."""
        if isinstance(node, ast.Attribute):
            owner = self.around(Kind.CLASS) if _is_self(node.value) else None
            if owner is not None:
                return (f"{owner.dotted}.{node.attr}",)
            if isinstance(node.value, ast.Call):
                return tuple(f"{cls}.{node.attr}" for cls in self.meanings(node.value.func))
        if isinstance(node, ast.Call) and node.args and is_partial(node.func):
            return self.callables(node.args[0])
        return tuple(each for each in self.meanings(node) if is_plain(each))

    def around(self, kind: Kind) -> Scope | None:
        """The nearest scope of this kind that this one is in."""
        scope = self.outer
        while scope is not None and scope.kind is not kind:
            scope = scope.outer
        return scope

    def bind(self, name: str, found: Meanings) -> None:
        """Add a meaning to a name: a ``try`` may import it from one of two modules."""
        every = dict.fromkeys((*self.names.get(name, ()), *found))
        plain = [each for each in every if is_plain(each)]
        others = [each for each in every if not is_plain(each) and each.count("(") < _DEEP]
        self.names[name] = (*plain, *others[:_MOST_OTHERS])


def spellings(way: str) -> set[str]:
    """The path, and the path with any keys: ``['paid']`` may be looked up as ``[]`` too."""
    return {way, any_key(way)}


def any_key(way: str) -> str:
    """The path with ``[]`` for every key."""
    return _KEY.sub(ANY, way)


def is_plain(dotted: str) -> bool:
    """Whether this is a plain name in a module: not a parameter, a result or an item."""
    return "(" not in dotted and "[" not in dotted


def name_of(node: ast.AST) -> str:
    """``b`` for ``a.b`` or ``b``, or for a call of these; "" for anything else."""
    if isinstance(node, ast.Call):
        node = node.func
    return getattr(node, "attr", "") or getattr(node, "id", "")


def is_partial(node: ast.AST) -> bool:
    """Whether this is ``partial`` or ``functools.partial``."""
    return not isinstance(node, ast.Call) and name_of(node) == "partial"


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def key_of(node: ast.AST) -> str:
    """``['paid']`` or ``[0]``, as in a dotted name; ``[]`` for any other key.

    Characters that separate the parts of a dotted name are escaped: ``['order\\x2epaid']``.
    """
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    if type(value) is int or (type(value) is str and len(value) <= _LONGEST_KEY):
        key = _PARTS.sub(lambda found: f"\\x{ord(found[0]):02x}", repr(value))
        return f"[{key}]"
    return ANY


def _either(node: ast.AST) -> Sequence[ast.AST]:
    """The expressions whose value this one may have."""
    if isinstance(node, ast.IfExp):
        return (node.body, node.orelse)
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.NamedExpr | ast.Await):
        return (node.value,)
    return ()


def _unwrapped(node: ast.AST) -> ast.AST:
    """The innermost expression: ``signals`` for ``sorted(signals.values())``."""
    while isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in _PASS_ON_METHODS:
            node = node.func.value
        elif isinstance(node.func, ast.Name) and node.func.id in _PASS_ON and node.args:
            node = node.args[-1]
        else:
            break
    return node


def bind_arguments(scope: Scope, arguments: ast.arguments, *, is_method: bool = False) -> None:
    """Bind the parameters of a function; what they stand for depends on the calls.

    ``shop.work.emit(signal)`` is what a call passes for ``signal``; ``shop.work.Cart(self)`` is an
    instance of that class or of a subclass.
    """
    every = [*arguments.posonlyargs, *arguments.args]
    first = every[0] if is_method and every else None
    every += [*arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    for each in every:
        scope.names[each.arg] = (parameter(scope.dotted, each.arg),)
    if first is not None and scope.outer is not None:
        scope.names[first.arg] = (parameter(scope.outer.dotted, "self"),)


def bind_lambda(scope: Scope, arguments: ast.arguments) -> None:
    """The same for a lambda: only the defaults of its parameters are known."""
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        scope.names[each.arg] = ()
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            scope.names[extra.arg] = ()
    outer = scope.outer
    for name, default in defaults(arguments):
        scope.names[name] = outer.meanings(default) if outer is not None else ()


def defaults(arguments: ast.arguments) -> list[tuple[str, ast.expr]]:
    """The parameters that have defaults, with their defaults."""
    positional = [*arguments.posonlyargs, *arguments.args]
    found = list(zip(positional[::-1], arguments.defaults[::-1], strict=False))[::-1]
    found += [
        (each, default)
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    return [(each.arg, default) for each, default in found]


def parameter(function: str, name: str) -> str:
    """A parameter as it is written in a dotted name."""
    return f"{function}({name})"


def bind_body(scope: Scope, body: Iterable[ast.AST], package: str) -> None:
    """Bind all names that these statements bind in their scope; ``package`` is the module's."""
    elsewhere: set[str] = set()
    for node in statements(body):
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        else:
            _bind(scope, node, package)
    for name in elsewhere:
        scope.names.pop(name, None)


def statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node of a body in source order, without the nodes in inner scopes."""
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
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        _bind_loop(scope, node.target, node.iter)
    elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
        _bind_unknown(scope, node.optional_vars.id)
    elif isinstance(node, ast.Name):
        # Names that a comprehension binds get here; so do names that an assignment has already
        # bound with a better meaning.
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
    elif isinstance(target, _LISTED):
        whole = value.elts if isinstance(value, _LISTED) else []
        for each, its in zip(target.elts, whole, strict=False):
            if len(whole) == len(target.elts):
                _bind_target(scope, each, its)


def _bind_value(scope: Scope, name: str, value: ast.expr) -> None:
    if isinstance(value, ast.Dict) or getattr(getattr(value, "func", None), "id", "") == "dict":
        scope.literals[name] = value
    for way, inside in scope.parts(value):
        if way:
            for each in sorted(spellings(way)):
                scope.bind(f"{name}{each}", inside)
    found = scope.meanings(value)
    if isinstance(value, ast.Call):
        own = scope.kind is Kind.FUNCTION
        itself = anonymous(scope.module, value) if own else f"{scope.module}.{scope.path(name)}"
        scope.bind(name, (itself, *found))
    elif found:
        scope.bind(name, found)
    elif scope.kind is not Kind.FUNCTION:
        scope.bind(name, (f"{scope.module}.{scope.path(name)}",))
    else:
        scope.bind(name, ())


def anonymous(module: str, call: ast.Call) -> str:
    """The name of a signal that no module holds, as ``names.signal_name`` gives it."""
    return f"{module}:{call.lineno} (anonymous)"


def _bind_unknown(scope: Scope, name: str) -> None:
    if scope.kind is Kind.FUNCTION:
        scope.bind(name, ())
    else:
        scope.bind(name, (f"{scope.module}.{scope.path(name)}",))


def _bind_loop(scope: Scope, target: ast.AST, over: ast.expr) -> None:
    """``for signal in (order_placed, order_paid)``: the name stands for each of them in turn."""
    if isinstance(target, ast.Name):
        _bind_unknown(scope, target.id)
        scope.bind(target.id, scope.items(over))
    elif isinstance(target, ast.Tuple | ast.List):
        whole = scope.items(over)  # for items() and enumerate(), the last part; for pairs, each
        inner = [it for way, its in scope.parts(over) if way.count("[") > 1 for it in its]
        inner += [f"{each}{ANY}" for each in whole]
        for each in target.elts:
            if isinstance(each, ast.Name):
                _bind_unknown(scope, each.id)
                scope.bind(each.id, tuple(dict.fromkeys((*whole, *inner))))
