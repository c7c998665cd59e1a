"""Where receivers are defined, and when they are connected: in whole projects."""

from __future__ import annotations

import pytest

from signal_inspector.checks.placing import home_of, ready_of
from tests.checks.worlds import Project, ids_in

SIGNALS = {"stall/signals.py": "from django.dispatch import Signal\norder_placed = Signal()\n"}
RECEIVERS = """
    from django.dispatch import receiver
    from stall.signals import order_placed

    @receiver(order_placed)
    def store(sender, **kwargs): pass
    """
SENDS = {
    "stall/services.py": """
        from stall.signals import order_placed
        def place(): order_placed.send_robust(None)
        """
}
READY = {
    "stall/apps.py": """
        from django.apps import AppConfig
        class StallConfig(AppConfig):
            name = "stall"
            def ready(self):
                import stall.receivers
        """
}
CONNECTED_IN_READY = {**SIGNALS, **SENDS, **READY, "stall/receivers.py": RECEIVERS}


def test_as_it_should_be(project: Project) -> None:
    """Signals, receivers imported by ready(), and a send: nothing to find."""
    project.write(CONNECTED_IN_READY)
    assert project.ids() == []


def test_in_models(project: Project) -> None:
    """W018: defined in models.py; said once, though it is connected before ready(), too."""
    project.write({**SIGNALS, **SENDS, "stall/models.py": RECEIVERS})
    done = project.run("check")
    assert "W018) The receiver (stall/models.py:4) of stall.signals.order_placed" in done.stderr
    assert "is defined among the models." in done.stderr
    assert "HINT: Move it to its own module" in done.stderr
    assert "import that in the ready() of an AppConfig of stall" in done.stderr
    assert project.ids() == [("W018", "stall.models.store")]


def test_in_a_package_of_views(project: Project) -> None:
    """W018: a module of the package ``views`` counts as views.py, also when ready() imports it."""
    project.write({**SIGNALS, **SENDS, **READY})
    project.write(
        {"stall/receivers.py": "import stall.views.orders", "stall/views/orders.py": RECEIVERS}
    )
    assert project.ids() == [("W018", "stall.views.orders.store")]


def test_along_with_models(project: Project) -> None:
    """W016: a module of receivers that models.py imports."""
    project.write({**SIGNALS, **SENDS, "stall/receivers.py": RECEIVERS})
    project.write({"stall/models.py": "import stall.receivers"})
    done = project.run("check")
    assert project.ids() == [("W016", "stall.receivers.store")]
    assert "before all models were loaded (stall/receivers.py:4)" in done.stderr


def test_what_classes_connect_as_they_are_made_is_none(project: Project) -> None:
    """contribute_to_class() and the like must connect while models load."""
    project.write({**SIGNALS, **SENDS})
    project.write(
        {
            "stall/fields.py": """
                from django.db import models
                from stall.signals import order_placed
                class Price(models.IntegerField):
                    def contribute_to_class(self, cls, name, **kwargs):
                        super().contribute_to_class(cls, name, **kwargs)
                        order_placed.connect(self.fill, sender=cls)
                    def fill(self, **kwargs): pass
                """,
            "stall/models.py": """
                from django.db import models
                from stall.fields import Price
                class Order(models.Model):
                    price = Price()
                """,
        }
    )
    assert project.ids() == []


@pytest.mark.parametrize(
    "signal", ["django.core.signals.setting_changed", "django.db.models.signals.class_prepared"]
)
def test_some_signals_are_heard_anywhere(project: Project, signal: str) -> None:
    """Of settings that change, and of models that load: to be connected at an import."""
    module, _, name = signal.rpartition(".")
    receivers = f"""
        from django.dispatch import receiver
        from {module} import {name}
        @receiver({name})
        def forget(**kwargs): pass
        """
    project.write({"stall/cache.py": receivers, "stall/late.py": receivers})
    project.write({"stall/models.py": "import stall.cache"})
    assert project.ids() == []


class TestLate:
    def test_a_module_that_the_urlconf_imports(self, project: Project) -> None:
        """W017: connected when Django's own check of the URLs has imported it."""
        project.write({**SIGNALS, **SENDS, "stall/pages.py": RECEIVERS})
        project.write({"market/urls.py": "import stall.pages\nurlpatterns = []"})
        assert project.ids() == [("W017", "stall.pages.store")]

    def test_a_module_that_nobody_imports(self, project: Project) -> None:
        """W017: the receiver that never fires, as its module was forgotten in ready()."""
        project.write({**SIGNALS, **SENDS, "stall/receivers.py": RECEIVERS})
        done = project.run("check")
        assert project.ids() == [("W017", "stall.receivers.store")]
        assert "(stall/receivers.py:4), but is not imported at start-up." in done.stderr
        assert "HINT: Import stall.receivers in the ready() of an AppConfig" in done.stderr

    def test_receivers_of_migrate_are_none(self, project: Project) -> None:
        """The commands that send them import each app's ``management`` first."""
        hear = (
            "from django.db.models.signals import {0}\n"
            "def make(**kwargs): pass\n"
            "{0}.connect(make)\n"
        )
        project.write({"stall/management/__init__.py": hear.format("post_migrate")})
        assert project.ids() == []
        project.write({"stall/management/__init__.py": hear.format("post_save")})
        assert [number for number, _ in project.ids()] == ["W017"]

    def test_views_are_not_to_be_imported(self, project: Project) -> None:
        """W017 does not advise what W018 would have something against."""
        project.write({**SIGNALS, **SENDS, "stall/views.py": RECEIVERS})
        done = project.run("check")
        assert "W017" in done.stderr
        assert (
            "HINT: Move it to its own module, such as receivers.py, and import that in"
            in done.stderr
        )

    def test_by_a_function(self, project: Project) -> None:
        """W017 names the function that connects when it is called."""
        project.write({**SIGNALS, **SENDS})
        project.write(
            {
                "stall/lazy.py": """
                    from stall.signals import order_placed
                    def store(**kwargs): pass
                    def arrange(): order_placed.connect(store)
                    """,
            }
        )
        done = project.python(
            "-c",
            "import django; django.setup()\n"
            "from stall.lazy import arrange; arrange()\n"
            "from django.core.management import call_command; call_command('check')",
        )
        assert ids_in(done.stderr) == [("W017", "stall.lazy.store")]
        assert "after start-up, by arrange (stall/lazy.py:3)" in done.stderr

    def test_what_is_not_installed_is_none(self, project: Project) -> None:
        """An app that these settings leave out is not imported, and need not be."""
        project.write({**CONNECTED_IN_READY, "market/other/receivers.py": RECEIVERS})
        assert project.ids() == []

    def test_tests_and_commands_connect_for_themselves(self, project: Project) -> None:
        """What only tests or a command connect is none."""
        project.write({**CONNECTED_IN_READY, "stall/tests.py": RECEIVERS})
        project.write({"stall/management/commands/sell.py": RECEIVERS})
        assert project.ids() == []


@pytest.mark.parametrize(
    ("dotted", "path", "home"),
    [
        ("shop.models.store", "/srv/shop/models.py", "models"),
        ("shop.views.Order.store", "/srv/shop/views.py", "views"),
        ("shop.models.orders.store", "/srv/shop/models/orders.py", "models"),
        ("shop.models.store", "C:\\srv\\shop\\models\\__init__.py", "models"),
        ("shop.receivers.store", "/srv/shop/receivers.py", ""),
        ("shop.receivers.store", "/srv/models/receivers.py", ""),
        ("shop.receivers.models", "/srv/shop/receivers.py", ""),
        ("shop.remodels.store", "/srv/shop/remodels.py", ""),
        ("shop.store", "", ""),
    ],
)
def test_home(dotted: str, path: str, home: str) -> None:
    """A module or package called models or views, by name and by file."""
    assert home_of(dotted, path) == home


def test_the_place_for_it_is_named() -> None:
    """The AppConfig of the app that a module is in; any, where it is in no app."""
    assert ready_of("signal_inspector.audit.sink") == (
        "signal_inspector.audit.apps.SignalAuditConfig.ready()"
    )
    assert (
        ready_of("tests.payload_app.models") == "the ready() of an AppConfig of tests.payload_app"
    )
    assert ready_of("elsewhere.receivers") == "the ready() of an AppConfig"
