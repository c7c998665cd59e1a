"""A project that did not include the toolbar's URLs."""

from __future__ import annotations

urlpatterns: list[object] = []
