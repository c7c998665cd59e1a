"""Who sends, and from where: ``circumstances``, ``middleware``, ``requests``, ``tasks``, …"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import include, path, re_path, resolve
from django.utils.functional import SimpleLazyObject

from signal_inspector.audit.attribution import circumstances, processes, requests
from signal_inspector.audit.attribution.circumstances import (
    Circumstances,
    Surroundings,
    actor_of,
    audit_circumstances,
    current,
    surroundings,
)
from signal_inspector.audit.attribution.requests import client_address, known_user
from signal_inspector.audit.middleware import AuditMiddleware
from signal_inspector.audit.models import Origin
from signal_inspector.audit.settings import Audit, get_settings
from signal_inspector.core import internal_errors
from tests.listening import run_python
from tests.payload_app.models import RushOrder

MIDDLEWARE = [
    "signal_inspector.audit.middleware.AuditMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
seen: list[Circumstances] = []


def sees(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
    seen.append(current())
    return HttpResponse()


def sees_the_user(request: HttpRequest) -> HttpResponse:
    seen.append(current())
    assert str(request.user)
    return HttpResponse()


def fails(request: HttpRequest) -> HttpResponse:
    seen.append(current())
    raise RuntimeError("the view")


async def sees_async(request: HttpRequest) -> HttpResponse:
    seen.append(current())
    await asyncio.sleep(0)
    assert current() is seen[-1]
    assert await sync_to_async(current)() is seen[-1]
    await request.auser()
    return HttpResponse()


urlpatterns = [
    path("sees/", sees),
    re_path("^magic/(?P<key>.*)", sees),
    path("accounts/", include([re_path(r"^reset/(?P<uid>[\w-]+)/(\w+)/$", sees)])),
    path("accounts/verify/<token>/", sees),
    *i18n_patterns(path("welcome/<slug:key>/", sees)),
    path("user/", sees_the_user),
    path("fails/", fails),
    path("async/", sees_async),
]


early: list[str] = []


def sees_it_early(get_response: Any) -> Any:
    """Hears of a request before it is resolved, sync or async."""

    def note() -> None:
        seen.append(current())
        early.append(current().origin_name)

    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> Any:
            note()
            return await get_response(request)

        return amiddleware

    def middleware(request: HttpRequest) -> Any:
        note()
        return get_response(request)

    return middleware


sees_it_early.async_capable = True  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _outside() -> Iterator[None]:
    """Each test begins, and ends, outside of any request."""
    seen.clear()
    early.clear()
    assert surroundings.get() is None
    with override_settings(MIDDLEWARE=MIDDLEWARE, ROOT_URLCONF=__name__):
        yield
    assert surroundings.get() is None
    assert internal_errors.counts() == {}


def audit(**settings: Any) -> Any:
    return override_settings(SIGNAL_INSPECTOR={"AUDIT": settings})


class TestMiddleware:
    def test_a_request(self) -> None:
        """A request tells its method and path without the query, its client and its id."""
        Client().post("/sees/?token=secret", headers={"X-Request-ID": "abc-1"})
        (around,) = seen
        assert around.origin is Origin.REQUEST
        assert around.origin_name == "POST /sees/"
        assert around.client == "127.0.0.1"
        assert around.request_id == "abc-1"
        assert (around.actor, around.actor_label) == ("", "")

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/accounts/verify/Ng:1xXsUj:zUI3Mbc2/", "GET /accounts/verify/<token>/"),
            ("/accounts/reset/MQ/c7g2xl0123456789/", "GET /accounts/reset/<uid>/<var>/"),
            ("/en-us/welcome/3f9a8b7c6d5e/", "GET /en-us/welcome/<slug:key>/"),
            ("/magic/eyJhbGciOiJIUzI1NiJ9/", "GET /magic/<key>"),
            ("/nobody/answers/c7g2xl0123456789/", "GET"),
        ],
    )
    @pytest.mark.parametrize("client", [Client, AsyncClient])
    def test_the_route(self, path: str, name: str, client: type[Any]) -> None:
        """A request is told by its route, with no value of its path; by nothing without one."""
        with override_settings(MIDDLEWARE=[*MIDDLEWARE, f"{__name__}.sees_it_early"]):
            get = client().get
            (async_to_sync(get) if client is AsyncClient else get)(path)
        # It was heard of before the request was resolved, too: by the same object.
        assert {each.origin_name for each in seen} == {name}

    def test_before_the_route_is_known(self) -> None:
        """What is written before the request is resolved knows the method alone."""
        with override_settings(MIDDLEWARE=[MIDDLEWARE[0], f"{__name__}.sees_it_early"]):
            Client().get("/accounts/verify/Ng:1xXsUj/")
        assert early == ["GET"]

    def test_a_name_that_waits_for_the_route(self) -> None:
        """Circumstances inside, of another actor, learn the route as those around do."""

        def get_response(request: HttpRequest) -> HttpResponse:
            with audit_circumstances(actor="billing"):
                assert current().origin_name == "POST"
                request.resolver_match = resolve(request.path)
                seen.append(current())
            return HttpResponse()

        AuditMiddleware(get_response)(RequestFactory().post("/accounts/verify/x/"))
        assert seen[0].origin_name == "POST /accounts/verify/<token>/"

    def test_the_path_if_it_is_asked_for(self) -> None:
        """A token that a link carries in its path is not kept, and a long path is cut."""
        with audit(PATHS="path"):
            Client().get("/magic/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N/")
            Client().get(f"/magic/{'ab/' * 3_000}")
        assert seen[0].origin_name == "GET /magic/[redacted]/"
        assert len(seen[1].origin_name) == 500

    def test_links_that_let_their_reader_in(self) -> None:
        """Also of a path that is kept the token of such a link goes."""
        with audit(PATHS="path"):
            Client().get("/accounts/verify/c7g2xl-0123456789abcdef0123456789abcdef/")
        assert seen[0].origin_name.startswith("GET /accounts/verify/")
        assert "0123456789abcdef" not in seen[0].origin_name

    @pytest.mark.django_db
    def test_strict_mode(self) -> None:
        """Strict mode keeps the route whatever PATHS says, and no name of a user."""
        strict = {"STRICT": True, "AUDIT": {"PATHS": "path"}}
        with override_settings(SIGNAL_INSPECTOR=strict):
            Client().get("/accounts/verify/zUI3Mbc2/")
            assert actor_of(User(pk=7, username="anna")) == ("auth.User:7", "")
            with audit_circumstances(name="card 4111") as around:
                assert "4111" not in around.origin_name
        assert seen[0].origin_name == "GET /accounts/verify/<token>/"

    @pytest.mark.parametrize(
        ("route", "words"),
        [
            ("", ""),
            ("orders/<int:pk>/", "orders/<int:pk>/"),
            ("c++/<name>.json", "c++/<name>.json"),
            (r"^orders/(?P<pk>\d+)/$", "orders/<pk>/"),
            (r"^orders/(?P<pk>(a|b)\(\d{2,3})/?$", "orders/<pk>/"),
            (r"^(\d+)/(?:page-(?P<page>\d+)/)?\Z", "<var>/page-<page>/"),
            (r"^[0-9]+/\w*x\.(?:json|xml)(?!y)$", "<var>/<var>x.<var>"),
            (r"shop/<int:pk>/(?P<rest>.*)$", "shop/<int:pk>/<rest>"),
            (r"^\.well-known/a$", ".well-known/a"),
            ("odd(/<int:pk>/", "odd(/<int:pk>/"),
        ],
    )
    def test_routes_can_be_read(self, route: str, words: str) -> None:
        """Of a regular expression the names of its groups are kept."""
        assert requests.readable(route) == words

    def test_a_request_that_fails(self) -> None:
        """What the view raises goes on, and nothing of the request stays behind."""
        with pytest.raises(RuntimeError, match="the view"):
            Client().get("/fails/")
        assert seen[0].origin_name == "GET /fails/"

    @pytest.mark.django_db
    def test_the_user(self, django_assert_num_queries: Any) -> None:
        """The user is known once the application has asked for it, with no query of ours."""
        client = Client()
        client.force_login(User.objects.create(username="mira"))
        with django_assert_num_queries(2):  # the view's own: the session, the user
            client.get("/user/")
        (around,) = seen
        assert around.actor == f"auth.User:{User.objects.get().pk}"
        assert around.actor_label == "mira"

    @pytest.mark.django_db
    def test_a_user_nobody_asked_for(self, django_assert_num_queries: Any) -> None:
        """A user whom the application never looks at is not looked up by us."""
        client = Client()
        client.force_login(User.objects.create(username="mira"))
        with django_assert_num_queries(0):
            client.get("/sees/")
        assert seen[0].actor == ""

    @pytest.mark.django_db(transaction=True)
    def test_asgi(self) -> None:
        """Under ASGI an async view, what it runs in threads, and its user are the request's."""

        async def visit() -> None:
            client = AsyncClient()
            user = await User.objects.acreate(username="mira")
            await client.aforce_login(user)
            await client.get("/async/", headers={"X-Request-ID": "abc-2"})

        async_to_sync(visit)()
        (around,) = seen
        assert around.request_id == "abc-2"
        assert around.actor_label == "mira"

    @pytest.mark.django_db(transaction=True)
    def test_a_sync_view_under_asgi(self) -> None:
        """A sync view that Django runs in a thread under ASGI belongs to its request too."""

        async def visit() -> None:
            client = AsyncClient()
            await client.aforce_login(await User.objects.acreate(username="mira"))
            await client.get("/user/")

        async_to_sync(visit)()
        assert [(around.origin_name, around.actor_label) for around in seen] == [
            ("GET /user/", "mira")
        ]

    def test_it_stays_sync_or_async(self) -> None:
        """Nothing is adapted for its sake: it is async just where what it calls is."""

        async def get_response(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        assert iscoroutinefunction(AuditMiddleware(get_response))
        assert not iscoroutinefunction(AuditMiddleware(sees))

    def test_requests_at_once(self) -> None:
        """Requests that overlap in one event loop keep apart."""

        async def get_response(request: HttpRequest) -> HttpResponse:
            before = current().request_id
            await asyncio.sleep(0.001)
            assert current().request_id == before
            return HttpResponse(before)

        async def visit() -> list[bytes]:
            middleware: Any = AuditMiddleware(get_response)
            get = RequestFactory().get
            every = [middleware(get("/", headers={"X-Request-ID": f"r{n}"})) for n in range(20)]
            return [answer.content for answer in await asyncio.gather(*every)]

        assert asyncio.run(visit()) == [b"r%d" % n for n in range(20)]

    def test_the_request_is_not_kept_alive(self) -> None:
        """What is kept of a request keeps neither it nor its user."""
        kept: list[weakref.ref[HttpRequest]] = []

        def get_response(request: HttpRequest) -> HttpResponse:
            kept.append(weakref.ref(request))
            return sees(request)

        context = copy_context()
        context.run(AuditMiddleware(get_response), RequestFactory().get("/"))
        gc.collect()
        assert kept[0]() is None
        assert seen[0].origin_name == "GET"

    def test_our_failure_is_not_the_requests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the request cannot be read it is served all the same, and the failure is counted."""
        monkeypatch.setattr(requests, "client_address", None)
        assert AuditMiddleware(sees)(RequestFactory().get("/")).status_code == 200
        assert internal_errors.counts() == {"reading a request for the audit": 1}
        internal_errors.reset()


class TestKnownUser:
    def test_a_time_limit_at_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a signal handler raises while we look a last time goes on, and nothing stays."""

        class TimeLimitError(Exception):
            """As of Celery."""

        def look(self: Surroundings) -> None:
            raise TimeLimitError

        monkeypatch.setattr(Surroundings, "look", look)
        mine = audit_circumstances(name="mine")
        mine.__enter__()
        around = surroundings.get()
        assert around is not None
        around.find_actor = object
        with pytest.raises(TimeLimitError):
            mine.__exit__(None, None, None)
        assert around.find_actor is None
        assert surroundings.get() is None

    def test_a_lazy_user(self) -> None:
        """A lazy user stays lazy; once evaluated it is the user."""
        user = User(pk=7)
        request = HttpRequest()
        request.user = SimpleLazyObject(lambda: user)  # type: ignore[assignment]
        assert known_user(request) is None
        assert "_wrapped" in vars(request.user)
        assert not isinstance(vars(request.user)["_wrapped"], User)
        assert request.user.pk == 7
        assert known_user(request) is user

    @pytest.mark.parametrize("name", ["user", "_cached_user", "_acached_user"])
    def test_wherever_it_stands(self, name: str) -> None:
        """The user is found where Django, or the application, has put it."""
        request = HttpRequest()
        user = User(pk=7)
        setattr(request, name, user)
        assert known_user(request) is user

    @pytest.mark.parametrize("user", [None, AnonymousUser(), "mira", object()])
    def test_nobody(self, user: Any) -> None:
        """Who is not logged in is nobody."""
        request = HttpRequest()
        request.user = user
        assert known_user(request) is None

    def test_authentication_middleware(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Looking for the user does not make Django's own middleware fetch it."""
        monkeypatch.setattr(get_user.__module__ + ".get_user", None)
        request = RequestFactory().get("/")
        request.session = {}  # type: ignore[assignment]
        AuthenticationMiddleware(lambda request: HttpResponse()).process_request(request)
        assert known_user(request) is None


class TestClient:
    @pytest.mark.parametrize(
        ("proxies", "forwarded", "remote", "expected"),
        [
            (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
            (1, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
            (1, "6.6.6.6, 203.0.113.9", "192.0.2.1", "203.0.113.9"),
            (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "10.0.0.2", "203.0.113.9"),
            (2, "6.6.6.6", "192.0.2.1", "192.0.2.1"),
            (1, "", "192.0.2.1", "192.0.2.1"),
            (1, "not-an-ip", "192.0.2.1", None),
            (1, "unknown", "192.0.2.1", None),
            (1, "203.0.113.9:4711", "192.0.2.1", "203.0.113.9"),
            (1, "[2001:db8::1]:443", "192.0.2.1", "2001:db8::1"),
            (1, "2001:DB8:0::1", "192.0.2.1", "2001:db8::1"),
            (1, '"[2001:db8::1]"', "192.0.2.1", "2001:db8::1"),
            (1, "fe80::1%eth0", "192.0.2.1", "fe80::1"),
            (1, "::ffff:192.0.2.7", "192.0.2.1", "192.0.2.7"),
            (1, "," * 9_000, "192.0.2.1", None),
            (1, "9" * 9_000, "192.0.2.1", None),
            (0, "", "", None),
            (0, "", None, None),
            (0, "", "unix:/run/app.sock", None),
        ],
    )
    def test_behind_proxies(
        self, proxies: int, forwarded: str, remote: str | None, expected: str | None
    ) -> None:
        """The address is the one that the outermost trusted proxy saw; what is none is None."""
        request = HttpRequest()
        request.META = {"HTTP_X_FORWARDED_FOR": forwarded, "REMOTE_ADDR": remote}
        assert client_address(request, Audit(trusted_proxies=proxies)) == expected

    def test_a_header_of_ones_own(self) -> None:
        """Where a header holds the client alone it is taken, and else the address that called."""
        settings = Audit(client_header="CF-Connecting-IP")
        request = HttpRequest()
        request.META = {"HTTP_CF_CONNECTING_IP": "203.0.113.9", "REMOTE_ADDR": "192.0.2.1"}
        assert client_address(request, settings) == "203.0.113.9"
        del request.META["HTTP_CF_CONNECTING_IP"]
        assert client_address(request, settings) == "192.0.2.1"


class TestRequestId:
    @pytest.mark.parametrize("given", ["abc-1", "Root=1-67;x", "a" * 300, "é", "a b", "\x00", ""])
    def test_what_is_taken(self, given: str) -> None:
        """A header is taken, up to 200 characters, if it is made of what ids are made of."""
        request = HttpRequest()
        request.META = {"HTTP_X_REQUEST_ID": given}
        found = requests.circumstances_of(request).request_id
        if given in ("abc-1", "a" * 300):
            assert found == given[:200]
        else:
            assert found.count("-") == 4

    def test_another_header_or_none(self) -> None:
        """The header's name is a setting; with an empty one every request gets an id of ours."""
        request = HttpRequest()
        request.META = {"HTTP_X_REQUEST_ID": "abc-1", "HTTP_X_TRACE": "abc-2"}
        with audit(REQUEST_ID_HEADER="X-Trace"):
            assert requests.circumstances_of(request).request_id == "abc-2"
        with audit(REQUEST_ID_HEADER=""):
            ids = {requests.circumstances_of(request).request_id for _ in range(3)}
        assert len(ids) == 3
        assert "abc-1" not in ids


class TestActors:
    @pytest.mark.parametrize(
        ("actor", "expected"),
        [
            (User(pk=7, username="mira"), ("auth.User:7", "mira")),
            (User(username="mira"), ("", "")),
            (RushOrder(pk=7), ("payload_app.Order:7", "")),
            (AnonymousUser(), ("", "")),
            (None, ("", "")),
            ("billing", ("billing", "billing")),
            ("a\0b", ("a\\x00b", "a\\x00b")),
        ],
    )
    def test_who_it_is(self, actor: object, expected: tuple[str, str]) -> None:
        """A user is its model and key with its name; whoever has no key is nobody."""
        assert actor_of(actor) == expected

    def test_long_names_fit(self) -> None:
        """Key and label never exceed their columns."""
        key, label = actor_of("x" * 900)
        assert (len(key), len(label)) == (200, 150)
        assert len(actor_of(User(pk="k" * 900, username="n" * 900))[0]) == 200

    def test_names_can_be_left_out(self) -> None:
        """With ACTOR_LABELS off only the key of a user is kept."""
        with audit(ACTOR_LABELS=False):
            assert actor_of(User(pk=7, username="mira")) == ("auth.User:7", "")

    @pytest.mark.parametrize(
        ("actor", "expected"),
        [
            ("anna@example.org", ("[redacted]", "[redacted]")),
            (User(pk="anna", username="anna"), ("auth.User:[redacted]", "")),
            (User(pk=7, username="anna"), ("auth.User:7", "")),
        ],
        ids=["text", "user by text", "user by number"],
    )
    def test_strict_mode_keeps_no_text(self, actor: object, expected: tuple[str, str]) -> None:
        """In strict mode an actor is told by a number alone."""
        with override_settings(SIGNAL_INSPECTOR={"STRICT": True}):
            assert actor_of(actor) == expected

    def test_a_secret_is_no_actor(self) -> None:
        """What looks like a secret in the text that names an actor is left out."""
        assert actor_of("job token=hunter2") == ("job token=[redacted]",) * 2

    def test_a_key_that_cannot_be_told(self) -> None:
        """A key whose text cannot be had makes nobody of its user, and is reported."""

        class Key:
            def __str__(self) -> str:
                raise RuntimeError("no text")

        with audit_circumstances(actor=User(pk=Key())):
            assert current().actor == ""
        assert internal_errors.counts() == {"naming an actor": 1}
        internal_errors.reset()

    def test_a_lazy_actor(self) -> None:
        """A lazy user that is given as the actor is taken once it is there, not made for it."""
        actor = SimpleLazyObject(lambda: User(pk=7))
        assert actor_of(actor) == ("", "")
        assert actor.pk == 7
        assert actor_of(actor) == ("auth.User:7", "")

    def test_a_deferred_name_is_not_fetched(self) -> None:
        """A name that has not been loaded is not loaded for the log."""
        user = User(pk=7)
        del vars(user)["username"]
        assert actor_of(user) == ("auth.User:7", "")


class TestContext:
    def test_saying_what_it_is(self) -> None:
        """Inside the context manager dispatches are of the task it names, and after it no more."""
        with audit_circumstances(origin="task", name="nightly", actor="cron", request_id="j-1"):
            around = current()
        assert around.origin is Origin.TASK
        assert around.origin_name == "nightly"
        assert (around.actor, around.request_id) == ("cron", "j-1")
        assert current() is not around

    def test_it_nests(self) -> None:
        """What an inner one leaves out it has from the one around it."""
        with audit_circumstances(origin="task", name="outer", actor=User(pk=7)) as outer:
            with audit_circumstances(name="inner", actor="billing"):
                assert (current().origin, current().origin_name) == (Origin.TASK, "inner")
                assert current().actor == "billing"
            assert current() is outer
            with audit_circumstances(name="other"):
                assert current().actor == "auth.User:7"

    def test_ids_of_any_type(self) -> None:
        """An id that is no text, as of a job, is kept by its text."""
        with audit_circumstances(request_id=UUID(int=7), name=3) as around:  # type: ignore[arg-type]
            pass
        assert (around.request_id, around.origin_name) == (str(UUID(int=7)), "3")

    def test_secrets_in_a_name(self) -> None:
        """A name may be a line that something was started by: secrets in it are not kept."""
        token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
        with audit_circumstances(name=f"run {token}") as around:
            assert around.origin_name == "run [redacted]"

    def test_an_unknown_origin(self) -> None:
        """An origin that there is not is a mistake at once."""
        with pytest.raises(KeyError):
            audit_circumstances(origin="cronjob")

    def test_the_actor_found_inside(self) -> None:
        """Inside a request the user that becomes known later is the actor here too."""

        def get_response(request: HttpRequest) -> HttpResponse:
            with audit_circumstances(name="import"):
                request.user = User(pk=7)
                seen.append(current())
            return HttpResponse()

        AuditMiddleware(get_response)(RequestFactory().get("/"))
        assert (seen[0].origin_name, seen[0].actor) == ("import", "auth.User:7")

    def test_threads(self) -> None:
        """A plain thread is of the process; one that runs a copied context is of the request."""
        found: list[str] = []
        with audit_circumstances(name="mine"):
            context = copy_context()
            inherits = getattr(sys.flags, "thread_inherit_context", 0)
            for target in (
                lambda: found.append(current().origin_name),
                lambda: context.run(lambda: found.append(current().origin_name)),
            ):
                thread = threading.Thread(target=target)
                thread.start()
                thread.join()
        assert found[1] == "mine"
        assert inherits or found[0] != "mine"


class TestProcess:
    @pytest.mark.parametrize(
        ("argv", "expected"),
        [
            (
                ["manage.py", "send_reminders", "--all"],
                (Origin.COMMAND, "manage.py send_reminders"),
            ),
            (["/srv/app/manage.py", "shell"], (Origin.SHELL, "manage.py shell")),
            (["/usr/bin/django-admin", "check", "-v"], (Origin.COMMAND, "django-admin check")),
            (["manage.py", "--password", "rosebud"], (Origin.OTHER, "manage.py")),
            (["/lib/django/__main__.py", "check"], (Origin.COMMAND, "django-admin check")),
            (["manage.py"], (Origin.OTHER, "manage.py")),
            (["/srv/nightly.py", "--now"], (Origin.OTHER, "nightly.py")),
            (["/usr/bin/gunicorn", "shop.wsgi"], (Origin.OTHER, "gunicorn")),
            (["/usr/bin/ipython"], (Origin.SHELL, "ipython")),
            (["-c"], (Origin.OTHER, "")),
            ([""], (Origin.OTHER, "")),
            ([], (Origin.OTHER, "")),
            (["manage.py", "a\0" * 900], (Origin.COMMAND, None)),
        ],
    )
    def test_what_it_was_started_as(
        self, argv: list[str], expected: tuple[Origin, str | None], monkeypatch: Any
    ) -> None:
        """A management command is called by its name, a shell and a script by theirs."""
        monkeypatch.setattr(sys, "argv", argv)
        if argv and argv[0].endswith("__main__.py"):
            spec = types.SimpleNamespace(parent="django")
            monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
        origin, name = processes.process_origin()
        assert origin is expected[0]
        assert name == expected[1] or (expected[1] is None and len(name) == 500)

    def test_a_prompt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An interactive interpreter is a shell."""
        monkeypatch.setattr(sys, "argv", [""])
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
        assert processes.process_origin() == (Origin.SHELL, "python")

    def test_it_is_found_out_once(self) -> None:
        """All that runs in no request shares one object."""
        circumstances.process_circumstances.cache_clear()
        assert current() is current()


class TestTasks:
    def test_a_task(self) -> None:
        """From its start to its end what is sent is the task's."""
        circumstances.task_started("shop.tasks.nightly", "t-1")
        around = current()
        circumstances.task_ended("t-1")
        assert (around.origin, around.origin_name) == (Origin.TASK, "shop.tasks.nightly")
        assert around.request_id == "t-1"
        assert current() is not around

    def test_a_task_inside_a_request(self) -> None:
        """A task that runs at once inside a request is a task, sent by the request's actor."""

        def get_response(request: HttpRequest) -> HttpResponse:
            request.user = User(pk=7)
            circumstances.task_started("nightly", "t-1")
            seen.append(current())
            circumstances.task_ended("t-1")
            return sees(request)

        AuditMiddleware(get_response)(RequestFactory().get("/x/"))
        assert [(each.origin_name, each.actor) for each in seen] == [
            ("nightly", "auth.User:7"),
            ("GET", "auth.User:7"),
        ]

    def test_an_end_without_a_start(self) -> None:
        """The end of a task that began elsewhere changes nothing."""
        with audit_circumstances(name="mine") as around:
            circumstances.task_ended("t-9")
            assert current() is around

    def test_celery(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the project uses Celery its tasks tell what they are by themselves."""
        celery = types.ModuleType("celery.signals")
        celery.task_prerun, celery.task_postrun = Signal(), Signal()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "celery.signals", celery)
        monkeypatch.setattr(circumstances, "hears_celery", False)
        circumstances.connect_task_signals()
        circumstances.connect_task_signals()
        task = types.SimpleNamespace(name="shop.tasks.nightly")
        celery.task_prerun.send(None, task_id="c-1", task=task)  # type: ignore[attr-defined]
        around = current()
        celery.task_postrun.send(None, task_id="c-1", task=task)  # type: ignore[attr-defined]
        assert (around.origin_name, around.request_id) == ("shop.tasks.nightly", "c-1")
        assert current() is not around

    def test_celery_that_is_imported_late(self) -> None:
        """Celery may be imported after the project has started: its first task is known too."""
        pytest.importorskip("celery")
        assert run_python(LATE_CELERY, PYTHONWARNINGS="default").splitlines() == [
            "other -c None",
            "task shop.nightly True",  # sent before it was known that there are tasks
            "task shop.nightly True",
            "task shop.inner True",
            "task shop.nightly True",
            "other -c None",  # called as a function it is none
            "other -c None",
        ]

    def test_djangos_tasks(self) -> None:
        """Django's own tasks (6.0 and later) tell what they are by themselves."""
        django_tasks: Any = pytest.importorskip(
            "django.tasks", reason="Django 6.0 has tasks first"
        )
        circumstances.connect_task_signals()
        backend = "django.tasks.backends.immediate.ImmediateBackend"
        with override_settings(TASKS={"default": {"BACKEND": backend}}):
            result = django_tasks.task(_sees_in_a_task).enqueue()
        assert result.status == django_tasks.TaskResultStatus.SUCCESSFUL
        (around,) = seen
        assert around.origin is Origin.TASK
        assert around.origin_name == f"{__name__}._sees_in_a_task"
        assert around.request_id == result.id


LATE_CELERY = """
import sys
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["signal_inspector", "signal_inspector.audit"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
)
import django

django.setup()
from django.core.management import call_command
from django.dispatch import Signal
from signal_inspector.audit.models import AuditedDispatch

call_command("migrate", verbosity=0)
order_placed = Signal()
order_placed.send(None)
assert not any(name.split(".")[0] == "celery" for name in sys.modules)

import celery

app = celery.Celery()
app.conf.task_always_eager = True
ids = []


@app.task(name="shop.nightly", bind=True)
def nightly(self):
    ids.append(self.request.id)
    order_placed.send(None)
    order_placed.send(None)
    inner.delay()
    order_placed.send(None)


@app.task(name="shop.inner", bind=True)
def inner(self):
    ids.append(self.request.id)
    order_placed.send(None)


nightly.delay()
inner()
order_placed.send(None)
for row in AuditedDispatch.objects.order_by("id"):
    known = row.request_id and row.request_id in ids
    print(row.get_origin_display(), row.origin_name or "-c", known)
"""


def _sees_in_a_task() -> None:
    seen.append(current())


def test_settings_are_those_of_now() -> None:
    """Settings of the audit are read anew when a test changes them."""
    finder: Callable[[], Audit] = get_settings
    with audit(TRUSTED_PROXIES=2):
        assert finder().trusted_proxies == 2
    assert finder().trusted_proxies == 0
