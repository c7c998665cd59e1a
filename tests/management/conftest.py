"""A project to run commands in."""

from __future__ import annotations

import pytest

from tests.catalog.made import Project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Written once: no command changes it."""
    return Project(tmp_path_factory.mktemp("project"))
