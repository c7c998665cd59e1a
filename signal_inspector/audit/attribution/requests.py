"""What is known about a request: id, client, route, user. Reading this runs no query."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, cast

from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import LazyObject

from signal_inspector.audit.attribution.circumstances import Circumstances, origin_name
from signal_inspector.audit.models import Origin
from signal_inspector.audit.sanitize import clean
from signal_inspector.audit.settings import Audit, get_settings
from signal_inspector.conf import get_config
from signal_inspector.core.record.ids import next_sequence, time_ns, uuid7_text

_NAME_LENGTH: Final = 500
#: What makes a route a regular expression; a route of path() has only < and > around arguments.
_REGEX_MARKS: Final = re.compile(r"[\\^$(\[]")
_REQUEST_ID_LENGTH: Final = 200
_HEADER_LENGTH: Final = 4_000  # characters of X-Forwarded-For that are read
_ID_MARKS: Final = frozenset("-_.:/+=@|~")


def circumstances_of(request: HttpRequest) -> Circumstances:
    """The circumstances of a request that begins; its actor is not known yet. Never raises."""
    settings = get_settings()
    return Circumstances(
        origin=Origin.REQUEST,
        origin_name=_name(request),
        request_id=_request_id(request, settings),
        client=client_address(request, settings),
    )


def known_user(request: HttpRequest) -> Model | None:
    """The user of the request, if the application has asked for it by now and it is logged in.

    A lazy ``request.user`` is not evaluated: this would run a query, and raise under ASGI.
    """
    held: dict[str, Any] = vars(request)
    user = held.get("user")
    if isinstance(user, LazyObject):
        user = vars(user).get("_wrapped")
    for found in (user, held.get("_cached_user"), held.get("_acached_user")):
        # By the class: isinstance() would evaluate a lazy object that stands for a user.
        if issubclass(type(found), Model):
            return cast("Model", found)
    return None


def client_address(request: HttpRequest, settings: Audit) -> str | None:
    """The address of the client, as far as trusted proxies vouch for it; None if unknown.

    Each trusted proxy appends the address that it was called from. So with N proxies, the client's
    address is the Nth from the right: anybody may have written what is before it. For a request
    that did not pass through all the proxies, the address that it came from is used.
    """
    remote = _text(request.META.get("REMOTE_ADDR"))
    if settings.client_header:
        return _address(_header(request, settings.client_header) or remote)
    if not settings.trusted_proxies:
        return _address(remote)
    forwarded = _text(request.META.get("HTTP_X_FORWARDED_FOR"))[-_HEADER_LENGTH:]
    hops = forwarded.split(",") if forwarded else []
    proxies = settings.trusted_proxies
    return _address(hops[-proxies] if len(hops) >= proxies else remote)


def known_route(request: HttpRequest) -> str:
    """The route, ``GET /reset/<uidb64>/<token>/``; "" if Django has found no view, or none yet.

    A path may contain anything, even tokens that log a user in; a route comes only from the code.
    """
    match = vars(request).get("resolver_match")
    route = getattr(match, "route", None)
    if not isinstance(route, str):
        return ""
    return clean(f"{_method(request)} /{readable(route).removeprefix('/')}".strip(), _NAME_LENGTH)


@lru_cache(maxsize=1_000)
def readable(route: str) -> str:
    """A route with ``<name>`` for each variable part, even if it is a regular expression."""
    if _REGEX_MARKS.search(route) is None:
        return route
    parser: Any = import_module("re._parser")
    try:
        parsed = parser.parse(route)
    except (re.error, RecursionError):  # a route of path() with a mark in it
        return route
    names = {number: name for name, number in parsed.state.groupdict.items()}
    return re.sub("(?:<var>)+", "<var>", _in_words(parsed, names))


def _in_words(parsed: Any, names: dict[int, str]) -> str:
    """What a part of a parsed regular expression matches, as a short text."""
    words = ""
    for code, value in parsed:
        kind = str(code)
        if kind == "LITERAL":
            words += chr(value)
        elif kind == "SUBPATTERN":
            group, *_, inside = value
            words += _in_words(inside, names) if group is None else f"<{names.get(group, 'var')}>"
        elif kind.endswith("_REPEAT"):
            words += _in_words(value[-1], names)
        elif kind not in ("AT", "ASSERT", "ASSERT_NOT"):
            words += "<var>"
    return words


def keeps_paths() -> bool:
    """Whether the log keeps the path of a request instead of its route."""
    return get_settings().paths == "path" and not get_config().strict


def _name(request: HttpRequest) -> str:
    """The method, such as ``POST``; with the path, secrets redacted, if paths are kept."""
    if keeps_paths():
        return origin_name(f"{_method(request)} {request.path}".strip())
    return clean(_method(request), _NAME_LENGTH)


def _method(request: HttpRequest) -> str:
    return request.method or ""


def _request_id(request: HttpRequest, settings: Audit) -> str:
    """The id in the header if it is valid, otherwise a new one."""
    given = _header(request, settings.request_id_header) if settings.request_id_header else ""
    given = given.strip()[:_REQUEST_ID_LENGTH]
    if given.isascii() and all(char.isalnum() or char in _ID_MARKS for char in given):
        return given or uuid7_text(time_ns(), next_sequence())
    return uuid7_text(time_ns(), next_sequence())


def _header(request: HttpRequest, name: str) -> str:
    key = name.upper().replace("-", "_")
    return _text(request.META.get(f"HTTP_{key}"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _address(text: str) -> str | None:
    """An address in its usual form, without port and zone; None if the text is no address."""
    text = text.strip().strip('"')
    if text.startswith("["):  # "[2001:db8::1]:443"
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # "192.0.2.1:443"
        text = text.partition(":")[0]
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
