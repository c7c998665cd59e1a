"""Lets the dispatches of a request know the request, its client and its user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from signal_inspector import trouble
from signal_inspector.audit.circumstances import Circumstances, Surroundings, surroundings
from signal_inspector.audit.requests import circumstances_of, known_route, known_user
from signal_inspector.audit.settings import get_settings

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class AuditMiddleware:
    """``signal_inspector.audit.middleware.AuditMiddleware``: put it first in MIDDLEWARE.

    Works under WSGI and ASGI, among sync and async middleware, without switching between them.
    The user is taken when the application itself has asked for it, whatever middleware sets it.
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
            return cast("HttpResponseBase", self.get_response(request))
        finally:
            _end(outer, around)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        outer, around = _begin(request)
        try:
            return await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        finally:
            _end(outer, around)


def _begin(request: HttpRequest) -> tuple[Surroundings | None, Surroundings]:
    outer = surroundings.get()
    try:
        find_name = None if get_settings().paths == "path" else lambda: known_route(request)
        around = Surroundings(circumstances_of(request), lambda: known_user(request), find_name)
    except Exception as error:
        trouble.report("reading a request for the audit", error)
        around = Surroundings(Circumstances())
    surroundings.set(around)
    return outer, around


def _end(outer: Surroundings | None, around: Surroundings) -> None:
    around.finish()
    surroundings.set(outer)
