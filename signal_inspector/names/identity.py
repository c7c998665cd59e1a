"""Values kept beside objects that are not ours, by identity."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Generic, TypeVar, overload

#: A test may replace ``weakref.ref`` to see what Django asks of it.
_weak = weakref.ref

V = TypeVar("V")
D = TypeVar("D")


class IdentityMap(Generic[V]):
    """Values by the identity of an object, for as long as that object lives.

    Unlike ``WeakKeyDictionary`` it never calls the object's ``__eq__`` or ``__hash__``. Safe
    under threads without a lock: every entry of ``by_id`` has a weak reference beside it, which
    is let go only when its object dies, so an id in use again never finds its predecessor's
    value.
    """

    __slots__ = ("__weakref__", "_refs", "by_id")

    def __init__(self) -> None:
        #: For hot paths: ``map.by_id.get(id(obj))``, while ``obj`` is alive. Read only.
        self.by_id: dict[int, V] = {}
        self._refs: dict[int, tuple[weakref.ref[object], weakref.ref[object]]] = {}

    @overload
    def get(self, obj: object) -> V | None: ...
    @overload
    def get(self, obj: object, default: D) -> V | D: ...
    def get(self, obj: object, default: D | None = None) -> V | D | None:
        """The value kept for ``obj``."""
        return self.by_id.get(id(obj), default)

    def set(self, obj: object, value: V) -> bool:
        """Keep ``value`` while ``obj`` lives; False if it cannot be weakly referenced."""
        key = id(obj)
        refs = self._refs.get(key)
        if refs is None or refs[0]() is not obj:
            # Python calls these before it frees the object, so the id cannot be in use again yet.
            # They are no functions of ours: what a signal handler raises in one is lost. Each is
            # called with the reference, which pop() takes for its default.
            forget, let_go = partial(self.by_id.pop, key), partial(self._refs.pop, key)
            try:
                # The one that was made last is called first.
                self._refs[key] = _weak(obj, let_go), _weak(obj, forget)
            except TypeError:
                return False
        self.by_id[key] = value
        return True

    @overload
    def pop(self, obj: object) -> V | None: ...
    @overload
    def pop(self, obj: object, default: D) -> V | D: ...
    def pop(self, obj: object, default: D | None = None) -> V | D | None:
        """Remove and return the value kept for ``obj``."""
        return self.by_id.pop(id(obj), default)

    def clear(self) -> None:
        """Remove all values."""
        # The references stay: a thread in the middle of set() relies on the one it found.
        self.by_id.clear()

    def objects(self) -> list[object]:
        """The objects that have a value and live."""
        found = [(key, refs[0]()) for key, refs in list(self._refs.items())]
        return [obj for key, obj in found if obj is not None and key in self.by_id]

    def __contains__(self, obj: object) -> bool:
        return id(obj) in self.by_id

    def __len__(self) -> int:
        return len(self.by_id)
