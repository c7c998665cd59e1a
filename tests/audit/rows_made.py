"""Rows and dispatches for the tests of the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.dispatch import Signal

from signal_inspector import capture
from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.rows import Item, Rows, render
from signal_inspector.audit.settings import Policy
from signal_inspector.core.record.dispatch import Dispatch

FULL = Policy(
    glob="",
    payload="full",
    responses=True,
    tracebacks=True,
    keep_days=None,
    keep_failures_days=None,
    max_rows=None,
)


def on_order(sender: object, **kwargs: Any) -> str:
    return "done"


def on_order_badly(sender: object, **kwargs: Any) -> None:
    raise ValueError("no stock")


def dispatched(*receivers: Callable[..., Any], **arguments: Any) -> Dispatch:
    """One dispatch of a new signal to these receivers, robustly."""
    signal = Signal()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    with capture() as dispatches:
        signal.send_robust("the till", **arguments)
    return dispatches[0]


def rows_of(
    dispatch: Dispatch,
    circumstances: Circumstances | None = None,
    policy: Policy = FULL,
) -> Rows:
    """The rows of a dispatch, as a delivery called "test" makes them."""
    item = Item(dispatch, circumstances or Circumstances(), policy)
    return render(item, process="a process", delivery="test")


def many_rows(count: int, **arguments: Any) -> list[Rows]:
    """The rows of so many dispatches with one receiver that returns and one that fails."""
    return [rows_of(dispatched(on_order, on_order_badly, **arguments)) for _ in range(count)]


def with_column(rows: Rows, column: str, value: Any) -> Rows:
    """The rows with another value in a column of the dispatch."""
    return rows._replace(dispatch=rows.dispatch._replace(**{column: value}))


def with_calls(rows: Rows, **columns: list[Any]) -> Rows:
    """The rows with other values in these columns of the receiver calls, one for each call."""
    calls = rows.calls
    for column, new in columns.items():
        calls = [call._replace(**{column: value}) for call, value in zip(calls, new, strict=True)]
    return rows._replace(calls=calls)


def needs(*vendors: str) -> None:
    """Skip the test on any other database, and say why."""
    if connection.vendor not in vendors:
        pytest.skip(f"for {' and '.join(vendors)}; this is {connection.vendor}")


def values(rows: Rows, *columns: str) -> Iterator[Any]:
    """These columns of the row of the dispatch."""
    for column in columns:
        yield getattr(rows.dispatch, column)
