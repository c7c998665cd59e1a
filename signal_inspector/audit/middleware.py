"""Attributes dispatches to the request that they are sent in, its client and its user."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import copy
from functools import partial
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from signal_inspector.audit.attribution.circumstances import (
    Circumstances,
    Surroundings,
    surroundings,
)
from signal_inspector.audit.attribution.requests import (
    circumstances_of,
    keeps_paths,
    known_route,
    known_user,
)
from signal_inspector.core import internal_errors
from signal_inspector.core.record import details
from signal_inspector.core.record.dispatch import TraceIds

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class AuditMiddleware:
    """``signal_inspector.audit.middleware.AuditMiddleware``: put it first in MIDDLEWARE.

    It works under WSGI and ASGI, with sync and async middleware, without switching between them.
    The user is read once the application itself has asked for it, no matter which middleware
    sets it.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._acall(request)
        outer, around = _begin(request)
        try:
            response = cast("HttpResponseBase", self.get_response(request))
            _keep(around, response)
            return response
        finally:
            _end(outer, around)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        outer, around = _begin(request)
        try:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            _keep(around, response)
            return response
        finally:
            _end(outer, around)


def _begin(request: HttpRequest) -> tuple[Surroundings | None, Surroundings]:
    outer = surroundings.get()
    try:
        find_name = None if keeps_paths() else lambda: known_route(request)
        around = Surroundings(circumstances_of(request), lambda: known_user(request), find_name)
    except Exception as error:
        internal_errors.report("reading a request for the audit", error)
        around = Surroundings(Circumstances())
    surroundings.set(around)
    return outer, around


def _end(outer: Surroundings | None, around: Surroundings) -> None:
    try:
        around.finish()
    finally:
        surroundings.set(outer)


def _keep(around: Surroundings, response: HttpResponseBase) -> None:
    """Let the body of a streaming response, which is made later, run in these surroundings."""
    if not response.streaming:
        return
    try:
        iterator = vars(response).get("_iterator")  # what Django's response classes iterate over
        if iterator is not None:
            body = _Body(copy(around), details.current_trace())
            kind = _AsyncBody if getattr(response, "is_async", False) else _SyncBody
            # Not by the setter, after which a file response would no longer be sent as a file.
            response._iterator = kind(iterator, body)  # type: ignore[attr-defined]
            closers = vars(response)["_resource_closers"]
            closers[:] = [partial(body.close, closer) for closer in closers]
    except Exception as error:
        internal_errors.report("keeping the request of a streaming response", error)


class _Body:
    """The surroundings of a body; they are set only while its code runs."""

    def __init__(self, around: Surroundings, trace: TraceIds | None) -> None:
        self._around = around
        self._trace = trace

    def enter(self) -> tuple[Surroundings | None, TraceIds | None]:
        outer = surroundings.get(), details.outer_trace.get()
        surroundings.set(self._around)
        details.outer_trace.set(self._trace)
        return outer

    def leave(self, outer: tuple[Surroundings | None, TraceIds | None]) -> None:
        surroundings.set(outer[0])
        details.outer_trace.set(outer[1])

    def end(self) -> None:
        """Release the request."""
        self._around.finish()

    def close(self, closer: Callable[[], object]) -> None:
        """Close a resource of the response: if it is a generator, this runs its ``finally``."""
        outer = self.enter()
        try:
            closer()
        finally:
            self.leave(outer)
            self.end()


class _SyncBody:
    """The iterator of a sync body."""

    def __init__(self, iterator: Iterator[object], body: _Body) -> None:
        self._iterator = iterator
        self._body = body

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        outer = self._body.enter()
        try:
            return next(self._iterator)
        except BaseException:
            self._body.end()
            raise
        finally:
            self._body.leave(outer)


class _AsyncBody:
    """The iterator of an async body. It runs in one task, so other code sees nothing of it."""

    def __init__(self, iterator: AsyncIterator[object], body: _Body) -> None:
        self._iterator = iterator
        self._body = body

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        outer = self._body.enter()
        try:
            return await anext(self._iterator)
        except BaseException:
            self._body.end()
            raise
        finally:
            self._body.leave(outer)
