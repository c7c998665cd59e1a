"""See what Django's custom signals do: receivers, order, times, queries, failures."""

from __future__ import annotations

__version__ = "0.1.0"
