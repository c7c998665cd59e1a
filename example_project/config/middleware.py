"""A strict Content-Security-Policy. (Django 6.0 brings its own; this one runs on 5.2 too.)"""

from __future__ import annotations

import secrets

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
DJANGO_DEBUG_PAGES = (404, 500)  # Django's own pages for these use inline styles


@sync_and_async_middleware
def content_security_policy(get_response):
    """Allow scripts and styles from this server only; none inline, except with the nonce."""

    def prepare(request: HttpRequest) -> str:
        request.csp_nonce = secrets.token_urlsafe(16)  # the debug toolbar looks for it here
        return POLICY.format(nonce=request.csp_nonce)

    def protect(response: HttpResponse, policy: str) -> HttpResponse:
        if not (settings.DEBUG and response.status_code in DJANGO_DEBUG_PAGES):
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            policy = prepare(request)
            return protect(await get_response(request), policy)

    else:

        def middleware(request: HttpRequest) -> HttpResponse:
            policy = prepare(request)
            return protect(get_response(request), policy)

    return middleware
