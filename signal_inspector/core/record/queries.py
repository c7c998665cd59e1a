"""Counts and times SQL for the receiver call that sent it, on every database alias.

Each connection has one permanent execute wrapper, which looks up the receiver call that the
current code runs in; outside a receiver call, it only passes the query on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import current
from signal_inspector.core.record.details import redactor
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.transactions import opened_connections
from signal_inspector.core.record.values import Details, Query, Tally

_installed = False
_MARGIN = 400  # characters read beyond the cap, to recognize a secret that the cap would cut

_Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


def count_query(
    execute: _Execute, sql: str, params: Any, many: bool, context: Mapping[str, Any]
) -> Any:
    """An execute wrapper (``django.db.backends.utils.CursorWrapper._execute_with_wrappers``)."""
    here = current.get()
    dispatch = None if here is None else here.dispatch
    if here is None or dispatch is None:
        return execute(sql, params, many, context)  # type: ignore[arg-type]
    index, by_time = here.index, here.guesses
    start_ns = perf_counter_ns()
    try:
        return execute(sql, params, many, context)  # type: ignore[arg-type]
    finally:
        duration_ns = perf_counter_ns() - start_ns
        try:
            tally = dispatch.tally(-1 if index is None else index)
            tally.by_time += by_time
            _note(dispatch, tally, context, sql, duration_ns)
        except Exception as error:
            internal_errors.report("counting a query", error)


def _note(
    dispatch: RunningDispatch, tally: Tally, context: Mapping[str, Any], sql: str, duration_ns: int
) -> None:
    tally.count += 1
    tally.ns += duration_ns
    hearers = dispatch.hearers
    if not hearers.details & Details.STATEMENTS:
        return
    config = get_config()
    limits = config.limits
    if len(tally.statements) < limits.statements:
        text = str(sql)  # psycopg's composed statements are not strings
        safe = redactor(config).redact_sql(text[: limits.statement_length + _MARGIN])
        cut = len(text) > limits.statement_length
        text = safe[: limits.statement_length] + "…" if cut else safe
        alias = context["connection"].alias
        tally.statements.append(Query(alias=alias, sql=text, duration_ns=duration_ns))


def _watch(connection: BaseDatabaseWrapper) -> None:
    wrappers = connection.execute_wrappers
    if count_query not in wrappers:
        # First, not last: `connection.execute_wrapper()` removes the last one on its exit.
        wrappers.insert(0, count_query)


def _watch_created(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    _watch(connection)


def install() -> None:
    """Count queries on this thread's connections and on all that are opened later. Idempotent."""
    global _installed
    _installed = True
    connection_created.connect(
        _watch_created, weak=False, dispatch_uid="signal_inspector.core.record.queries"
    )
    for connection in opened_connections():
        _watch(connection)


def uninstall() -> None:
    """Stop counting on new and on this thread's connections; other wrappers stay, but idle."""
    global _installed
    _installed = False
    connection_created.disconnect(dispatch_uid="signal_inspector.core.record.queries")
    for connection in opened_connections():
        if count_query in connection.execute_wrappers:
            connection.execute_wrappers.remove(count_query)


def is_installed() -> bool:
    """Whether queries are counted."""
    return _installed
