"""Values kept beside objects that are not ours, by identity."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar, overload

V = TypeVar("V")
D = TypeVar("D")


class _Ref(weakref.ref[object]):
    __slots__ = ("key",)
    key: int


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
        self._refs: dict[int, _Ref] = {}

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
        ref = self._refs.get(key)
        if ref is None or ref() is not obj:
            try:
                ref = _Ref(obj, self._forget)
            except TypeError:
                return False
            ref.key = key
            self._refs[key] = ref
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
        found = [(key, ref()) for key, ref in list(self._refs.items())]
        return [obj for key, obj in found if obj is not None and key in self.by_id]

    def __contains__(self, obj: object) -> bool:
        return id(obj) in self.by_id

    def __len__(self) -> int:
        return len(self.by_id)

    def _forget(self, ref: weakref.ref[object]) -> None:
        # Python calls this before it frees the object, so the id cannot be in use again yet.
        key = ref.key  # type: ignore[attr-defined]
        if self._refs.get(key) is ref:
            self.by_id.pop(key, None)
            del self._refs[key]
