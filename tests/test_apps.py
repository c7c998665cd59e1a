"""The app: what being in INSTALLED_APPS does, and when."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal
from django.test import override_settings

import signal_inspector
from signal_inspector.apps import SignalInspectorConfig
from signal_inspector.checks import check_settings
from signal_inspector.core.listening import sinks
from signal_inspector.core.record.queries import count_query
from signal_inspector.core.wrapper import instrument
from tests.listening import ROOT, Quiet, run_python

order_placed = Signal()


pytestmark = pytest.mark.usefixtures("nothing_failed")


class Heard(Quiet):
    """A sink that settings can name."""


HEARD = f"{__name__}.Heard"


def heard_by() -> list[str]:
    """The sinks of the process, by their class."""
    return [type(sink).__name__ for sink in sinks.process_sinks()]


class TestInstalled:
    def test_the_app_is_found_by_its_package(self) -> None:
        """INSTALLED_APPS needs no more than "signal_inspector"; the app has no models."""
        config = apps.get_app_config("signal_inspector")
        assert type(config) is SignalInspectorConfig
        assert list(config.get_models()) == []

    def test_the_wrapper_is_installed(self) -> None:
        """With the app installed, Signal's methods are wrapped."""
        assert instrument.is_installed()

    @pytest.mark.django_db
    def test_queries_are_counted(self) -> None:
        """A connection carries the wrapper that counts."""
        connection.ensure_connection()
        assert count_query in connection.execute_wrappers

    def test_transactions_are_watched(self) -> None:
        """Django's own methods end transactions under our eyes."""
        assert hasattr(BaseDatabaseWrapper.commit, "__wrapped__")

    def test_settings_are_checked(self) -> None:
        """manage.py check runs the check of our settings."""
        assert check_settings in list[object](registry.registered_checks)

    def test_being_ready_twice_changes_nothing(self) -> None:
        """A second ready() wraps, registers and connects nothing twice."""

        def state() -> tuple[Any, ...]:
            checks = list[object](registry.registered_checks).count(check_settings)
            uids = [entry[0][0] for entry in setting_changed.receivers]
            ours = uids.count("signal_inspector.settings")
            return Signal.send, BaseDatabaseWrapper.commit, checks, ours, heard_by()

        before = state()
        assert before[2:] == (1, 1, [])
        apps.get_app_config("signal_inspector").ready()
        assert state() == before


class TestSettings:
    def test_without_sinks_nobody_listens(self) -> None:
        """The default settings have no sink."""
        assert heard_by() == []

    def test_sinks_of_the_settings_listen(self) -> None:
        """A sink that SINKS names hears every dispatch while the setting holds."""
        with override_settings(SIGNAL_INSPECTOR={"SINKS": [HEARD]}):
            [sink] = sinks.process_sinks()
            order_placed.send(None)
        order_placed.send(None)
        assert isinstance(sink, Heard)
        assert [what for what, _ in sink.heard] == ["started", "finished"]

    def test_sinks_go_with_their_setting(self) -> None:
        """When the setting changes back, its sinks no longer listen."""
        with override_settings(SIGNAL_INSPECTOR={"SINKS": [HEARD]}):
            during = heard_by()
        assert (during, heard_by()) == (["Heard"], [])

    def test_a_sink_is_made_once(self) -> None:
        """A change of another setting makes no new sinks."""
        with override_settings(SIGNAL_INSPECTOR={"SINKS": [HEARD]}):
            [before] = sinks.process_sinks()
            with override_settings(USE_TZ=False):
                [after] = sinks.process_sinks()
        assert before is after

    def test_a_sink_that_cannot_be_imported_is_told(self) -> None:
        """A wrong path in SINKS stops the start with its name."""
        setting = override_settings(SIGNAL_INSPECTOR={"SINKS": ["no.such.Sink"]})
        with pytest.raises(ImproperlyConfigured, match=r"no\.such\.Sink"):
            setting.enable()
        assert heard_by() == []


MODELS = """
from django.dispatch import Signal, receiver

order_placed = Signal()

@receiver(order_placed)
def on_order(**kwargs):
    return "done"
"""

START = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=[{installed}], SIGNAL_INSPECTOR={setting})
django.setup()
from signal_inspector import capture, catalog
from early_shop.models import order_placed
with capture() as dispatches:
    order_placed.send(None)
[entry] = catalog.receivers_of(order_placed)
print(dispatches[0].signal, len(dispatches[0].calls), entry.connected_at is not None)
"""


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A path on which an app can be imported whose models.py connects a receiver."""
    package = tmp_path / "early_shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(MODELS)
    return os.pathsep.join([str(ROOT), str(tmp_path)])


class TestStart:
    def test_listed_first_it_sees_models_connect(self, shop: str) -> None:
        """An app listed after ours has its models' connections noted."""
        source = START.format(installed="'signal_inspector', 'early_shop'", setting={})
        assert run_python(source, PYTHONPATH=shop).split() == [
            "early_shop.models.order_placed",
            "1",
            "True",
        ]

    def test_listed_last_it_still_sees_models_connect(self, shop: str) -> None:
        """Django makes all apps before it imports any models, so the order does not matter."""
        source = START.format(installed="'early_shop', 'signal_inspector'", setting={})
        assert run_python(source, PYTHONPATH=shop).split()[1:] == ["1", "True"]

    def test_a_wrong_sink_stops_the_start(self, shop: str) -> None:
        """django.setup() raises ImproperlyConfigured, which names setting and path."""
        setting = {"SINKS": ["no.such.Sink"]}
        source = START.format(installed="'signal_inspector', 'early_shop'", setting=setting)
        source = f"try:\n{_indented(source)}\nexcept Exception as error:\n    print(repr(error))\n"
        out = run_python(source, PYTHONPATH=shop)
        assert out.startswith("ImproperlyConfigured(")
        assert "no.such.Sink" in out

    def test_wrong_settings_do_not(self, shop: str) -> None:
        """A setting that cannot be understood leaves the defaults, and the process starts."""
        source = START.format(installed="'signal_inspector', 'early_shop'", setting="'nonsense'")
        assert run_python(source, PYTHONPATH=shop).split()[1:] == ["1", "True"]

    def test_it_starts_where_there_are_no_forks(self, shop: str) -> None:
        """A platform without os.register_at_fork(), such as Windows, runs it as well."""
        source = START.format(installed="'signal_inspector', 'early_shop'", setting={})
        # What Python's own modules register, they have registered by then.
        first = "import asyncio, concurrent.futures.thread, logging, os, random"
        source = f"{first}\ndel os.register_at_fork\n{source}"
        assert run_python(source, PYTHONPATH=shop).split()[1:] == ["1", "True"]

    def test_it_starts_without_a_database(self, shop: str) -> None:
        """A project without DATABASES records every detail of a dispatch."""
        source = START.format(installed="'signal_inspector', 'early_shop'", setting={})
        out = run_python(source + "print(dispatches[0].in_transaction)\n", PYTHONPATH=shop)
        assert out.split()[-1] == "False"

    def test_what_only_commands_need_is_not_imported(self) -> None:
        """A server that checks nothing and lists nothing reads no source and knows no rules."""
        out = run_python(
            "import sys, django\n"
            "from django.conf import settings\n"
            "settings.configure(INSTALLED_APPS=['signal_inspector'],\n"
            "    SIGNAL_INSPECTOR={'CHECKS': {'THIRD_PARTY': True}})\n"
            "django.setup()\n"
            "rooms = ('catalog', 'source_code', 'graph', 'watch', 'audit', 'toolbar', 'tracing',"
            " 'testing', 'checks.signals', 'payload.redaction', 'payload.failures',"
            " 'display', 'management', 'subcommands', 'core.registry', 'checks.findings')\n"
            "print([room for room in rooms if f'signal_inspector.{room}' in sys.modules])\n"
        )
        assert out == "[]\n"

    def test_what_requests_and_commands_need_is_not_imported(self) -> None:
        """With every room installed: no page, no reading of source, no words for values."""
        pytest.importorskip("debug_toolbar")
        pytest.importorskip("opentelemetry")
        out = run_python(
            "import sys, django\n"
            "from django.conf import settings\n"
            "contrib = ('admin', 'auth', 'contenttypes', 'messages', 'sessions')\n"
            "settings.configure(INSTALLED_APPS=['signal_inspector', 'signal_inspector.audit',\n"
            "    *(f'django.contrib.{app}' for app in contrib), 'debug_toolbar'],\n"
            "    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}},\n"
            "    SIGNAL_INSPECTOR={'SINKS': ['signal_inspector.tracing.TracingSink']},\n"
            "    DEBUG_TOOLBAR_PANELS=['signal_inspector.toolbar.SignalInspectorPanel'])\n"
            "django.setup()\n"
            "import signal_inspector.toolbar.panel\n"  # as the toolbar's own checks do
            "later = ('audit.admin.pages', 'audit.log_source', 'audit.operations.retry',"
            " 'audit.search', 'audit.stats.overview',"
            " 'catalog.entries', 'graph', 'payload.failures', 'payload.redaction', 'source_code',"
            " 'toolbar.requests', 'toolbar.view', 'watch.listening', 'watch.sink')\n"
            "print([name for name in later if f'signal_inspector.{name}' in sys.modules])\n"
        )
        assert out == "[]\n"

    def test_the_first_failure_may_be_one_of_a_full_stack(self) -> None:
        """What puts it in words is there by then: an import would not find room."""
        out = run_python(
            "import sys\n"
            "import django\n"
            "from django.conf import settings\n"
            "settings.configure(INSTALLED_APPS=['signal_inspector'], LOGGING_CONFIG=None)\n"
            "django.setup()\n"
            "from django.dispatch import Signal\n"
            "from signal_inspector import capture\n"
            "from signal_inspector.core import internal_errors\n"
            "sys.setrecursionlimit(400)  # each send looks through the stack\n"
            "order_placed = Signal()\n"
            "def again(**kwargs):\n"
            "    order_placed.send(None)\n"
            "order_placed.connect(again)\n"
            "with capture() as dispatches:\n"
            "    try:\n"
            "        order_placed.send(None)\n"
            "    except RecursionError:\n"
            "        pass\n"
            "print(dispatches[0].calls[0].failure.message)\n"
            "print('gathering an exception' in internal_errors.counts())\n"
        )
        assert out == "maximum recursion depth exceeded\nFalse\n"


def _indented(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())


class TestPublicNames:
    def test_are_those_of_the_documents(self) -> None:
        """The package offers these names and no others."""
        assert sorted(signal_inspector.__all__) == [
            "Details",
            "Dispatch",
            "Failure",
            "Observer",
            "Outcome",
            "ReceiverCall",
            "Redactor",
            "Sink",
            "capture",
            "install",
            "suppress",
            "uninstall",
        ]
        assert all(hasattr(signal_inspector, name) for name in signal_inspector.__all__)

    def test_need_no_settings(self) -> None:
        """Importing the package neither needs settings nor installs anything."""
        out = run_python(
            "from signal_inspector import *\n"
            "from django.conf import settings\n"
            "from django.dispatch import Signal\n"
            "wrapped = hasattr(Signal.send, '__wrapped__')\n"
            "print(settings.configured, Signal.send.__module__, wrapped)\n"
        )
        assert out.split() == ["False", "django.dispatch.dispatcher", "False"]
