"""Who sends, and from where, in a body that is made after the view has returned."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.dispatch import Signal
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.utils.decorators import sync_and_async_middleware
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from signal_inspector import capture
from signal_inspector.audit.attribution.circumstances import Circumstances, current, surroundings
from signal_inspector.audit.middleware import AuditMiddleware
from signal_inspector.audit.models import Origin
from signal_inspector.core import internal_errors
from tests.tracing.spans import Traces

chunk_made = Signal()
seen: list[Circumstances] = []


def look(_number: int = 0) -> bytes:
    seen.append(current())
    return b"x"


def generator() -> Iterator[bytes]:
    try:
        for number in range(3):
            yield look(number)
    finally:
        look()


async def async_generator() -> AsyncIterator[bytes]:
    try:
        for number in range(3):
            await asyncio.sleep(0)
            yield look(number)
    finally:
        look()


class Readable:
    """A file whose reading is code of the project."""

    def __init__(self) -> None:
        self.left = [b"a", b"b", b""]

    def read(self, _size: int = -1) -> bytes:
        look()
        return self.left.pop(0)

    def close(self) -> None:
        look()


def streams(request: HttpRequest) -> StreamingHttpResponse:
    assert str(request.user)
    return StreamingHttpResponse(generator())


def maps(request: HttpRequest) -> StreamingHttpResponse:
    assert str(request.user)
    return StreamingHttpResponse(map(look, range(3)))


def asks_late(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        assert str(request.user)
        yield look()

    return StreamingHttpResponse(body())


def reads(request: HttpRequest) -> FileResponse:
    assert str(request.user)
    return FileResponse(Readable())


def fails(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[bytes]:
        yield look()
        look()
        raise LookupError("no more")

    assert str(request.user)
    return StreamingHttpResponse(body())


async def streams_async(request: HttpRequest) -> StreamingHttpResponse:
    await request.auser()
    return StreamingHttpResponse(async_generator(), content_type="text/event-stream")


urlpatterns = [
    path("streams/", streams),
    path("maps/", maps),
    path("late/", asks_late),
    path("reads/", reads),
    path("fails/", fails),
    path("async/", streams_async),
]

AUDIT = "signal_inspector.audit.middleware.AuditMiddleware"


@sync_and_async_middleware
def knows(get_response: Any) -> Any:
    """Tells who it is without a query, which another thread could not make in a test."""

    async def auser() -> Any:
        return knows.user  # type: ignore[attr-defined]

    async def middleware(request: HttpRequest) -> Any:
        request.user = knows.user  # type: ignore[attr-defined]
        request.auser = auser  # type: ignore[method-assign]
        return await get_response(request)

    return middleware


pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls(__name__),
]


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    seen.clear()
    before = surroundings.get()
    middleware = [
        AUDIT,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    with override_settings(MIDDLEWARE=middleware):
        yield
    assert surroundings.get() is before
    assert internal_errors.counts() == {}


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def check(name: str, user: User, looks: int) -> None:
    """All looks found the one request."""
    assert len(seen) == looks
    [found] = {id(each): each for each in seen}.values()
    assert (found.origin, found.origin_name) == (Origin.REQUEST, name)
    assert (found.actor, found.client) == (f"auth.User:{user.pk}", "127.0.0.1")
    assert found.request_id


@pytest.mark.parametrize(
    ("name", "looks"), [("streams", 4), ("maps", 3), ("late", 1), ("reads", 4), ("async", 4)]
)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_body_belongs_to_its_request(name: str, looks: int, bob: User) -> None:
    """Each kind of body finds actor, client, id and name of the request, up to its very end."""
    client = client_of(bob)
    response = client.get(f"/{name}/")
    assert list(response)
    response.close()
    check(f"GET /{name}/", bob, looks)


@pytest.mark.parametrize(("name", "looks"), [("streams", 4), ("maps", 3), ("async", 4)])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_body_under_asgi(name: str, looks: int, bob: User) -> None:
    """The same, where the body is iterated in an event loop."""

    async def visit() -> None:
        response = await AsyncClient().get(f"/{name}/")
        async for _ in response:
            assert surroundings.get() is None

    knows.user = bob  # type: ignore[attr-defined]
    with override_settings(MIDDLEWARE=[AUDIT, f"{__name__}.knows"]):
        asyncio.run(visit())
    check(f"GET /{name}/", bob, looks)


def test_a_body_that_is_not_read_to_its_end(bob: User) -> None:
    """What a generator does when the client has hung up is the request's too."""
    client = client_of(bob)
    response = client.get("/streams/")
    assert next(iter(response)) == b"x"
    response.close()
    check("GET /streams/", bob, 2)


def test_a_body_that_fails(bob: User) -> None:
    """The exception goes out as it is, and what was sent before it has its request."""
    response = client_of(bob).get("/fails/")
    with pytest.raises(LookupError, match="no more"):
        list(response)
    check("GET /fails/", bob, 2)


def middleware_of(response: StreamingHttpResponse) -> Any:
    return AuditMiddleware(lambda request: response)(RequestFactory().get("/"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: StreamingHttpResponse(generator()),
        lambda: StreamingHttpResponse([b"a", b"b"]),
        lambda: StreamingHttpResponse(async_generator()),
        lambda: FileResponse(tempfile.TemporaryFile()),  # noqa: SIM115 - the response closes it
    ],
)
def test_the_response_is_the_views(make: Callable[[], StreamingHttpResponse]) -> None:
    """It is the same object, of the same kind; a file is still handed to the server as one."""
    response = make()
    before = response.is_async, dict(response.headers), getattr(response, "file_to_stream", None)
    assert middleware_of(response) is response
    assert before == (
        response.is_async,
        dict(response.headers),
        getattr(response, "file_to_stream", None),
    )
    assert hasattr(response.streaming_content, "__anext__") is response.is_async
    response.close()


def test_a_file_goes_by_the_servers_wrapper(bob: User, tmp_path: Path) -> None:
    """A WSGI server that sends files by itself is given the file."""
    place = tmp_path / "file"
    place.write_bytes(b"content")
    given: list[Any] = []

    def wrapper(file: Any, size: int) -> list[bytes]:
        given.append(file)
        return [file.read()]

    opened = place.open("rb")
    with override_settings(ROOT_URLCONF=__name__):
        environ = RequestFactory()._base_environ(PATH_INFO="/file/")  # type: ignore[attr-defined]
        environ["wsgi.file_wrapper"] = wrapper
        urlpatterns.append(path("file/", lambda request: FileResponse(opened)))
        try:
            body = WSGIHandler()(environ, lambda *args: None)
        finally:
            urlpatterns.pop()
    assert given == [opened]
    assert list(body) == [b"content"]
    opened.close()


def test_a_response_that_is_never_iterated_keeps_nothing_alive() -> None:
    """The request goes with its response, without the garbage collector."""
    request = RequestFactory().get("/")
    response = AuditMiddleware(lambda request: StreamingHttpResponse(generator()))(request)
    kept = weakref.ref(request)
    gc.disable()
    try:
        del request, response
        assert kept() is None
    finally:
        gc.enable()


def test_a_body_that_has_ended_keeps_no_request_alive() -> None:
    """What copied the context in a body holds the circumstances, not the request."""
    request = RequestFactory().get("/")
    held: list[Any] = []

    def body() -> Iterator[bytes]:
        held.append(surroundings.get())
        yield b""

    response: Any = AuditMiddleware(lambda request: StreamingHttpResponse(body()))(request)
    assert list(response) == [b""]
    kept = weakref.ref(request)
    del request, response
    gc.collect()
    assert kept() is None
    assert held[0].circumstances.origin is Origin.REQUEST


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
@pytest.mark.parametrize("traced", [True, False])
def test_a_body_belongs_to_the_trace_of_its_request(sampler: Sampler, traced: bool) -> None:
    """Its dispatches have the trace's id though the span has ended, with the sink and without."""
    traces = Traces(ParentBased(sampler))
    chunk_made.connect(lambda **kwargs: None, weak=False)

    def body() -> Iterator[bytes]:
        chunk_made.send(None)
        yield b""

    middleware = AuditMiddleware(lambda request: StreamingHttpResponse(body()))
    with traces.listening() if traced else contextlib.nullcontext(), capture() as dispatches:
        with traces.tracer.start_as_current_span("request") as span:
            response: Any = middleware(RequestFactory().get("/"))
        assert list(response) == [b""]
    known = span.get_span_context()
    [dispatch] = dispatches
    assert dispatch.trace_id == f"{known.trace_id:032x}"
    assert dispatch.trace_sampled is (sampler is ALWAYS_ON)
    if traced and sampler is ALWAYS_ON:
        sent = traces.named("chunk_made")
        assert sent.parent is not None
        assert sent.parent.span_id == known.span_id
    else:
        assert {each.name for each in traces.spans} <= {"request"}
