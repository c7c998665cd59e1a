"""Reads one module's source: walks its syntax tree, without importing or running anything."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from signal_inspector.core.record.values import SendMethod
from signal_inspector.source_code.records import (
    UNKNOWN_ARGUMENTS,
    Meanings,
    OldCall,
    ReadArguments,
    ReadCall,
    ReadClass,
    ReadConnect,
    ReadCreation,
    ReadFunction,
    Reading,
    ReadMention,
    ReadSend,
    argument,
    argument_text,
    given_arguments,
    looks_like_class,
)
from signal_inspector.source_code.scopes import (
    ANY,
    FUNCTIONS,
    Kind,
    Scope,
    anonymous,
    bind_arguments,
    bind_body,
    bind_lambda,
    defaults,
    is_partial,
    is_plain,
    name_of,
    spellings,
    statements,
)

_METHODS = {method.value: method for method in SendMethod}
_PUTS = {"append", "add", "insert", "setdefault", "extend", "update"}
_NAMES = (ast.Name, ast.Attribute)
_LONGEST = 300  # characters of a dotted name: a longer one is not a signal's


def read_tree(module: str, path: str, tree: ast.Module, *, is_package: bool) -> Reading:
    """What a syntax tree says about signals, as far as one file shows."""
    package = module if is_package else module.rpartition(".")[0]
    reader = _Reader(Reading(module=module, path=path), package)
    return reader.read(tree)


class _Reader:
    """Walks the tree of one module, and fills in its reading."""

    def __init__(self, reading: Reading, package: str) -> None:
        self.reading = reading
        self.package = package
        self._named: dict[ast.Call, str] = {}  # calls that are assigned to a name of the module
        self._assigned: dict[ast.Call, str] = {}  # calls that are assigned to any name
        self._called: dict[ast.expr, tuple[ast.Call | None, int]] = {}  # the x.send in x.send(...)
        self._labels: dict[ast.AST, str] = {}  # what a name is assigned or passed to
        self._told: set[ast.AST] = set()  # names that are read in order to connect
        self._guarded: set[ast.AST] = set()  # calls in a try that catches TypeError

    def read(self, tree: ast.Module) -> Reading:
        scope = Scope(module=self.reading.module, kind=Kind.MODULE, stars=self.reading.stars)
        bind_body(scope, tree.body, self.package)
        self._walk(tree.body, scope)
        self._keep_names(scope, "")
        return self.reading

    def _keep_names(self, scope: Scope, before: str) -> None:
        own = f"{scope.module}.{before}"
        for name, meanings in scope.names.items():
            found = tuple(each for each in meanings if each != own + name)
            if found or before:
                self._keep(before + name, found)

    def _keep(self, path: str, found: Meanings, into: dict[str, Meanings] | None = None) -> None:
        names = self.reading.names if into is None else into
        for each in sorted(spellings(path)) if len(path) <= _LONGEST else ():
            names[each] = tuple(dict.fromkeys((*names.get(each, ()), *found)))

    def _walk(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        """Visit these nodes and all below them; uses a stack, because long sums nest deeply."""
        waiting = list(nodes)[::-1]
        while waiting:
            node = waiting.pop()
            if isinstance(node, FUNCTIONS):
                self._function(node, scope)
            elif isinstance(node, ast.ClassDef):
                self._class(node, scope)
            elif isinstance(node, ast.Lambda):
                self._lambda(node, scope)
            elif isinstance(node, ast.Name):
                self._name(node, scope)
            else:
                self._look(node, scope)
                if not (isinstance(node, ast.Attribute) and self._attribute(node, scope)):
                    waiting.extend(list(ast.iter_child_nodes(node))[::-1])

    def _look(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Call):
            self._call(node, scope)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value, scope)
            self._name_calls(node.targets[0], node.value, scope)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, node.value, scope)
            self._name_calls(node.target, node.value, scope)
        elif isinstance(node, ast.AugAssign):
            self._store(node.target, node.value, scope)
        elif isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            self._label(node.value, "return" if isinstance(node, ast.Return) else "yield")
        elif isinstance(node, ast.Try) and any(map(_catches, node.handlers)):
            self._guarded.update(statements(node.body))
        elif isinstance(node, ast.If) and any(map(_is_version, ast.walk(node.test))):
            self._guarded.update(statements([*node.body, *node.orelse]))

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if isinstance(node.ctx, ast.Load):
            self._mention(node, scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> bool:
        """Note what is read; return whether there is nothing more to visit below."""
        if isinstance(node.ctx, ast.Load):
            if node.attr in _METHODS:
                self._send(node, node.value, node.attr, scope)
            else:
                self._mention(node, scope)
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return isinstance(root, ast.Name)

    def _mention(self, node: ast.Name | ast.Attribute, scope: Scope) -> None:
        if node in self._told:
            return
        for each in scope.meanings(node):
            if is_plain(each):
                mention = ReadMention(line=node.lineno, label=self._labels.get(node, ""))
                self.reading.mentions.setdefault(each, []).append(mention)

    def _label(self, node: ast.AST, text: str) -> None:
        """Remember what the names in a value are assigned or passed to."""
        if isinstance(node, ast.Name | ast.Attribute):
            self._labels.setdefault(node, text)
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            for each in node.elts:
                self._label(each, text)
        elif isinstance(node, ast.Dict):
            for each in node.values:
                self._label(each, text)

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        self._label(value, name_of(target))
        if isinstance(target, ast.Attribute):
            self._put(scope.meanings(target), value, scope)
        elif isinstance(target, ast.Subscript):
            self._put(tuple(f"{it}{ANY}" for it in scope.meanings(target.value)), value, scope)

    def _store(self, container: ast.expr, value: ast.expr, scope: Scope) -> None:
        """``container += [signal]``, ``container.append(signal)``."""
        owners = scope.meanings(container)
        self._put(owners, value, scope)
        if isinstance(value, _NAMES):
            self._put(tuple(f"{each}{ANY}" for each in owners), value, scope)

    def _put(self, owners: Meanings, value: ast.expr, scope: Scope) -> None:
        for way, found in scope.parts(value) if owners else ():
            for owner in owners:
                name = f"{owner.replace('(self)', '')}{way}"
                self._keep(name, found, self.reading.stores)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        inner = scope.inside(Kind.FUNCTION, node.name)
        decorators = {name_of(each) for each in node.decorator_list}
        is_method = scope.kind is Kind.CLASS and "staticmethod" not in decorators
        positional = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
        self.reading.functions[inner.qualname] = ReadFunction(
            line=node.lineno,
            is_async=isinstance(node, ast.AsyncFunctionDef),
            positional=tuple(positional[1:] if is_method else positional),
            named=tuple(each.arg for each in node.args.kwonlyargs),
            rest=node.args.vararg.arg if node.args.vararg else "",
        )
        for decorator in node.decorator_list:
            self._decorator(decorator, inner.dotted, scope)
        outside = [node.args, *([node.returns] if node.returns else ())]
        self._walk([*node.decorator_list, *outside], scope)
        bind_arguments(inner, node.args, is_method=is_method)
        for name, default in defaults(node.args):
            for way, found in scope.parts(default):
                self._keep(f"{inner.qualname}({name}){way}", found)
        inner.kwargs = node.args.kwarg.arg if node.args.kwarg else ""
        bind_body(inner, node.body, self.package)
        self._results(node, inner)
        if any(name.endswith("property") for name in decorators):
            self._keep(inner.qualname, (f"{inner.dotted}()",))
        self._walk(node.body, inner)

    def _results(self, node: ast.FunctionDef | ast.AsyncFunctionDef, inner: Scope) -> None:
        """Note what a function returns, if that has a name."""
        for each in statements(node.body):
            if isinstance(each, ast.Return) and each.value is not None:
                for way, found in inner.parts(each.value):
                    self._keep(f"{inner.qualname}(){way}", found)
            elif isinstance(each, ast.Yield) and each.value is not None:
                for way, found in inner.parts(each.value):
                    self._keep(f"{inner.qualname}(){ANY}{way}", found)

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
        self._told.update(node.bases)
        self._walk([*node.decorator_list, *node.bases, *node.keywords], scope)
        bind_body(inner, node.body, self.package)
        self._walk(node.body, inner)
        self._keep_names(inner, f"{inner.qualname}.")

    def _lambda(self, node: ast.Lambda, scope: Scope) -> None:
        """Note what a lambda does for the function around it."""
        inner = Scope(
            module=scope.module, kind=Kind.FUNCTION, qualname=scope.qualname, outer=scope
        )
        self._walk([node.args], scope)
        bind_lambda(inner, node.args)
        inner.kwargs = scope.kwargs
        self._walk([node.body], inner)

    def _name_calls(self, target: ast.AST, value: ast.expr, scope: Scope) -> None:
        """Note the names that calls are assigned to."""
        if isinstance(target, ast.Name) and isinstance(value, ast.Call):
            self._assigned[value] = target.id
            if scope.kind is not Kind.FUNCTION:  # a module or a class keeps it
                self._named[value] = f"{scope.module}.{scope.path(target.id)}"
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for each, its in zip(target.elts, value.elts, strict=False):
                self._name_calls(each, its, scope)

    def _call(self, node: ast.Call, scope: Scope) -> None:
        self._creation(node, scope)
        self._targets(node, scope)
        label = f"{name_of(node.func)}()"
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            self._label(each, label)
        self._told.add(node.func)
        if isinstance(node.func, ast.Attribute):
            self._called[node.func] = (node, 0)
            if node.func.attr == "connect":
                self._connect(node, node.func, scope)
            elif node.func.attr in _PUTS:
                for each in node.args[-1:]:
                    self._store(node.func.value, each, scope)
        elif isinstance(node.func, ast.Call):
            self._called[node.func] = (node, 0)
            self._applied(node, node.func, scope)
        elif name_of(node) == "getattr" and len(node.args) > 1:
            method = getattr(node.args[1], "value", None)
            if isinstance(method, str) and method in _METHODS:
                self._send(node, node.args[0], method, scope)
        if is_partial(node.func) and node.args:  # partial(order_placed.send, sender=Web)
            self._called[node.args[0]] = (node, 1)

    def _targets(self, node: ast.Call, scope: Scope) -> None:
        """Note which functions a call may call, and what it passes to them."""
        first = 1 if is_partial(node.func) and node.args else 0
        targets = scope.callables(node.func)
        arguments = given_arguments(node, scope.kwargs)
        if targets and not first:
            self._note_call(node, targets, 0, arguments, scope)
        if first:
            more = ReadArguments(names=arguments.names, is_open=True)
            self._note_call(node, scope.callables(node.args[0]), 1, more, scope, is_call=False)

    def _note_call(
        self,
        node: ast.Call,
        targets: Meanings,
        first: int,
        arguments: ReadArguments,
        scope: Scope,
        *,
        is_call: bool = True,
    ) -> None:
        given: list[tuple[int | str, str, Meanings]] = []
        for place, each in enumerate(node.args[first:]):
            if isinstance(each, ast.Starred):
                break
            given += [(place, way, found) for way, found in scope.parts(each)]
        for keyword in node.keywords:
            if keyword.arg is not None:
                its = scope.parts(keyword.value)
                given += [(keyword.arg, way, found) for way, found in its]
        if targets and (is_call or given):
            self.reading.calls.append(
                ReadCall(
                    function=_function_of(scope),
                    targets=targets,
                    line=node.lineno,
                    given=tuple(given),
                    sender=argument_text(node, "sender", None),
                    arguments=arguments,
                    is_call=is_call,
                )
            )

    def _creation(self, node: ast.Call, scope: Scope) -> None:
        made = node.args[0] if is_partial(node.func) and node.args else node.func
        classes = tuple(each for each in scope.meanings(made) if looks_like_class(each))
        old = OldCall(node, scope.literal) if classes else None
        if old is None or (old.is_partial and old.providing_args is None):
            return
        target = self._assigned.get(node)
        instead = "" if old.providing_args is None else old.instead
        self.reading.creations.append(
            ReadCreation(
                signal=self._named.get(node) or anonymous(scope.module, node),
                classes=classes,
                line=node.lineno,
                providing_args=old.providing_args,
                instead=f"{target} = {instead}" if target else instead,
                is_at_import=scope.kind is not Kind.FUNCTION,
                is_guarded=node in self._guarded,
            )
        )

    def _send(self, node: ast.expr, owner: ast.expr, method: str, scope: Scope) -> None:
        """``owner.send``, called or not; ``node`` is the whole expression."""
        signals = scope.meanings(owner)
        if not signals:
            return
        call, position = self._called.get(node, (None, 0))
        arguments = UNKNOWN_ARGUMENTS
        if call is not None and position == 0:
            arguments = given_arguments(call, scope.kwargs)
        self.reading.sends.append(
            ReadSend(
                signals=signals,
                method=_METHODS[method],
                function=_function_of(scope),
                line=node.end_lineno or node.lineno,
                sender="" if call is None else argument_text(call, "sender", position),
                arguments=arguments,
            )
        )

    def _connect(self, node: ast.Call, method: ast.Attribute, scope: Scope) -> None:
        receiver = argument(node, "receiver", 0)
        if receiver is not None:
            self._note_connect(
                scope.meanings(method.value),
                scope.callables(receiver),
                node.lineno,
                argument_text(node, "sender", 1),
                scope,
            )

    def _decorator(self, node: ast.expr, receiver: str, scope: Scope) -> None:
        """``@receiver(signal)``; or ``@signal.connect``, which returns None, but connects."""
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
        signals = argument(node, "signal", 0)
        if not decorators or signals is None:
            return
        listed = isinstance(signals, ast.List | ast.Tuple | ast.Set)
        every = signals.elts if listed else [signals]  # type: ignore[attr-defined]
        if any(each.endswith(".receiver") for each in decorators):
            self._told.update(every)
        meant = [scope.meanings(each) for each in every]
        if not listed:  # a list that has a name
            meant.append(scope.items(signals))
        for found in meant:
            self._note_connect(
                found,
                receivers,
                node.lineno,
                argument_text(node, "sender", None),
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
    """The function that code of this scope runs in; the module's name outside of functions."""
    inside: Scope | None = scope if scope.kind is Kind.FUNCTION else scope.around(Kind.FUNCTION)
    return scope.module if inside is None else inside.dotted


def _is_version(node: ast.AST) -> bool:
    """Whether this is ``django.VERSION``: code in such an ``if`` is for another Django."""
    return name_of(node).upper().endswith("VERSION")


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches the TypeError of a call with too many arguments."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {None if kind is None else name_of(kind) for kind in kinds}
    return not names.isdisjoint({None, "TypeError", "Exception", "BaseException"})
