"""``tests.databases``: a variable that is wrong must not end in tests on SQLite."""

from __future__ import annotations

import pytest

from tests.databases import VARIABLE, databases


def test_sqlite_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable both databases are SQLite in memory."""
    monkeypatch.delenv(VARIABLE, raising=False)
    found = databases()
    assert {(each["ENGINE"], each["NAME"]) for each in found.values()} == {
        ("django.db.backends.sqlite3", ":memory:")
    }


def test_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL puts both databases on its server, apart by their names."""
    monkeypatch.setenv(VARIABLE, "postgresql://an%40na:s%3Acret@db.example:5433/audit")
    default, other = databases().values()
    assert default["ENGINE"] == "django.db.backends.postgresql"
    assert (default["USER"], default["PASSWORD"]) == ("an@na", "s:cret")
    assert (default["HOST"], default["PORT"]) == ("db.example", "5433")
    assert (default["NAME"], other["NAME"]) == ("audit", "audit_other")


def test_two_databases_in_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share nothing: what pytest-django writes into one of them is not in the other."""
    monkeypatch.setenv(VARIABLE, "postgresql://anna@db.example/audit")
    default, other = databases().values()
    default["TEST"]["NAME"] = "test_audit_gw0"
    assert "NAME" not in other["TEST"]


@pytest.mark.parametrize("url", ["sqlite:///x", "postgresql:///x", "mysql://host", "yes"])
def test_a_mistake(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names no server and database is a mistake, told with the form that is right."""
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(ValueError, match="postgresql://user:password@host:port/name"):
        databases()
