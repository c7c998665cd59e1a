"""The log in projects without the admin, and without what else Django offers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.listening import run_python

pytestmark = pytest.mark.programs

PROJECT = """
import json, sys
from django.conf import settings

settings.configure(
    SECRET_KEY="for the tests alone",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS={installed},
    MIDDLEWARE={middleware},
    ROOT_URLCONF="__main__",
    STATIC_URL="/static/",
    USE_TZ=True,
    DEBUG={debug},
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    TEMPLATES=[
        {{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}},
    ],
    DEBUG_TOOLBAR_CONFIG={{"SHOW_TOOLBAR_CALLBACK": lambda request: True}},
    DEBUG_TOOLBAR_PANELS={panels},
)
import django

django.setup()
from django.core.management import call_command
from django.dispatch import Signal
from django.http import HttpResponse
from django.template import engines
from django.test import Client
from django.urls import include, path
from signal_inspector.core import internal_errors

order_placed = Signal()


def view(request):
    order_placed.send(None, order=7)
    return HttpResponse(engines["django"].from_string("<body>hello</body>").render({{}}))


urlpatterns = [path("", view)]
if "debug_toolbar" in settings.INSTALLED_APPS:
    urlpatterns.append(path("debug/", include("debug_toolbar.urls")))
call_command("migrate", verbosity=0)
client = Client(raise_request_exception=False)
statuses = [client.get("/").status_code for _ in range(2)]
for command in [
    ["stats"],
    ["tail", "--no-follow"],
    ["export"],
    ["prune"],
    ["purge", "--object=a.B:1", "--no-input"],
]:
    call_command("signal_audit", *command, stdout=sys.stderr)
call_command("check", fail_level="WARNING", stdout=sys.stderr)
from signal_inspector.audit.models import AuditedDispatch

print(json.dumps([statuses, AuditedDispatch.objects.count(), internal_errors.counts()]))
"""

OURS = ["signal_inspector", "signal_inspector.audit"]
AUTH = ["django.contrib.auth", "django.contrib.contenttypes"]
TOOLBAR = ["django.contrib.staticfiles", "debug_toolbar"]


def first_pages(installed: list[str]) -> Any:
    """The statuses of the first two pages of a process, what the log holds, our own failures."""
    middleware = ["signal_inspector.audit.middleware.AuditMiddleware"]
    with_toolbar = "debug_toolbar" in installed
    if with_toolbar:
        middleware.append("debug_toolbar.middleware.DebugToolbarMiddleware")
    panels = ["signal_inspector.toolbar.SignalInspectorPanel"] if with_toolbar else []
    source = PROJECT.format(
        installed=installed, middleware=middleware, debug=with_toolbar, panels=panels
    )
    return json.loads(run_python(source, PYTHONWARNINGS="default"))


class TestWithoutTheAdmin:
    @pytest.mark.parametrize(
        "installed",
        [
            OURS,
            [*OURS, *AUTH],
            [*AUTH, *OURS],
            [*OURS, "django.contrib.contenttypes"],
            [*OURS, "django.contrib.sessions"],
            [*TOOLBAR, *OURS],
        ],
        ids=["bare", "first", "last", "contenttypes", "sessions", "toolbar"],
    )
    def test_the_first_page_of_a_process_is_rendered(self, installed: list[str]) -> None:
        """Templates, requests, checks and commands work, and the log has every dispatch."""
        assert first_pages(installed) == [[200, 200], 2, {}]
