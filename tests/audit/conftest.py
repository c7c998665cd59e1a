"""Fixtures of the audit's tests."""

from __future__ import annotations

from tests.audit.programs import migrated, programs

__all__ = ["migrated", "programs"]
