"""``SIGNAL_INSPECTOR["CHECKS"]``, and which command asks."""

from __future__ import annotations

from typing import Any, ClassVar
from unittest import mock

import pytest
from django.core import checks
from django.core.management import BaseCommand, call_command
from django.test import override_settings

from signal_inspector.checks import TAG, check_signals, signals
from signal_inspector.checks.findings import Checks, Kind
from signal_inspector.checks.signals import asking_command
from signal_inspector.conf import config_problems, read_config
from signal_inspector.core import internal_errors
from tests.checks.worlds import Project

# One of each sort: a receiver that died (W012), and a name that is an order (I026).
STALL = {
    "stall/signals.py": """
        from django.dispatch import Signal
        place_order = Signal()
        class Desk:
            def note(self, **kwargs): pass
        def place(): place_order.send_robust(None)
        """,
    "stall/apps.py": """
        from django.apps import AppConfig
        class StallConfig(AppConfig):
            name = "stall"
            def ready(self):
                from stall.signals import Desk, place_order
                place_order.connect(Desk().note)
        """,
}
DEAD, NAME = ("W012", "stall.signals.Desk.note"), ("I026", "stall.signals.place_order")


@pytest.fixture
def stall(project: Project) -> Project:
    project.write(STALL)
    return project


class TestCommands:
    def test_check_asks_for_all(self, stall: Project) -> None:
        """manage.py check has warnings and information."""
        assert stall.ids("check") == [DEAD, NAME]

    def test_others_say_nothing(self, stall: Project) -> None:
        """Neither does migrate, nor the tests of a project, which call check themselves."""
        assert stall.ids("migrate") == []
        assert stall.ids("test") == []

    def test_runserver_says_what_it_knows_at_once(self, stall: Project) -> None:
        """A server warns as it starts: by its connections, without reading sources."""
        stall.settings("ALLOWED_HOSTS = ['*']")
        stall.write(
            {
                "serve.py": """
                    import django, sys
                    django.setup()
                    from django.core.management.commands import runserver
                    runserver.run = lambda *args, **kwargs: None
                    from django.core.management import execute_from_command_line
                    execute_from_command_line([sys.argv[0], "runserver", "--noreload", "0"])
                    from signal_inspector.source_code import project
                    assert not project._kept
                    """
            }
        )
        done = stall.python("serve.py")
        assert done.returncode == 0, done.stderr
        assert "W012" in done.stdout + done.stderr
        assert "I026" not in done.stdout + done.stderr

    def test_the_outermost_command_counts(self) -> None:
        """A command that calls check is the one that asks."""
        seen: list[str | None] = []

        class Command(BaseCommand):
            requires_system_checks = ()

            def handle(self, *args: Any, **options: Any) -> None:
                call_command("check", tags=["signals"])

        Command.__module__ = "shop.management.commands.sell"

        def asking() -> None:
            seen.append(asking_command())

        with mock.patch.object(signals, "asking_command", asking):
            call_command(Command())
            call_command("check", tags=["signals"])
            checks.run_checks(tags=["signals"])
        assert seen == ["sell", "check", None]


class TestSilencing:
    @pytest.mark.parametrize("key", ["W012", "signal_inspector.W012"])
    @pytest.mark.parametrize("glob", ["stall.signals.Desk.*", "stall.signals.place_order"])
    def test_by_receiver_or_signal(self, stall: Project, key: str, glob: str) -> None:
        """IGNORE has globs on either, by short or full id."""
        stall.settings(f'SIGNAL_INSPECTOR = {{"CHECKS": {{"IGNORE": {{{key!r}: [{glob!r}]}}}}}}')
        assert stall.ids() == [NAME]

    def test_another_glob_does_not(self, stall: Project) -> None:
        """It has to match the whole name."""
        stall.settings('SIGNAL_INSPECTOR = {"CHECKS": {"IGNORE": {"W012": ["stall.signals"]}}}')
        assert stall.ids() == [DEAD, NAME]

    def test_by_signal_for_all_checks(self, stall: Project) -> None:
        """EXCLUDE takes a signal out of all of them."""
        stall.settings('SIGNAL_INSPECTOR = {"CHECKS": {"EXCLUDE": ["stall.*"]}}')
        assert stall.ids() == []

    def test_by_id_as_django_does(self, stall: Project) -> None:
        """SILENCED_SYSTEM_CHECKS holds for these as for others."""
        stall.settings('SILENCED_SYSTEM_CHECKS = ["signal_inspector.W012"]')
        assert stall.ids() == [NAME]

    def test_what_is_not_recorded_is_checked(self, stall: Project) -> None:
        """The general EXCLUDE is about recording; the checks have their own."""
        stall.settings('SIGNAL_INSPECTOR = {"EXCLUDE": ["*"]}')
        assert stall.ids() == [DEAD, NAME]

    def test_check_of_an_app(self, stall: Project) -> None:
        """`check APP` tells of that app alone."""
        stall.settings(apps=("stall", "django.contrib.contenttypes"))
        assert stall.ids("check", "contenttypes") == []
        assert stall.ids("check", "stall") == [DEAD, NAME]


class TestThirdParty:
    INSTALLED: ClassVar = {f"site-packages/{path}": text for path, text in STALL.items()}

    @pytest.fixture
    def installed(self, project: Project) -> Project:
        project.write({"site-packages/stall/models.py": "", **self.INSTALLED})
        (project.directory / "site-packages" / "__init__.py").unlink()
        for path in (project.directory / "stall").iterdir():
            path.unlink()
        (project.directory / "stall").rmdir()
        return project

    @pytest.mark.parametrize("told", [True, False])
    def test_installed_packages(self, installed: Project, told: bool) -> None:
        """What is in site-packages is looked at when THIRD_PARTY is on."""
        installed.settings(
            "import sys; sys.path.append('site-packages')\n"
            f"SIGNAL_INSPECTOR = {{'CHECKS': {{'THIRD_PARTY': {told}}}}}"
        )
        assert installed.ids() == ([DEAD, NAME] if told else [])


class TestSettings:
    def test_defaults(self) -> None:
        """Without settings."""
        assert read_config({}).room(Checks) == Checks()

    @pytest.mark.parametrize(
        ("wrong", "message", "hint"),
        [
            (
                {"IGNORE": {"W112": ["a.*"]}},
                "[\"IGNORE\"] has the key 'W112', which is not the id of a signal check.",
                'Did you mean "W012"?',
            ),
            (
                {"IGNORE": {"shop.*": ["W012"]}},
                "has the key 'shop.*'",
                "Known ids: W011, W012,",
            ),
            ({"IGNORE": {3: []}}, "has a key of type int", "Known ids: W011"),
            (
                {"IGNORE": {"W012": "shop.*"}},
                'is wrong at ["W012"]: it must be a list of strings, not a string.',
                "Put the string in a list",
            ),
            ({"IGNORE": ["W012"]}, "must be a dict, not a list.", "Write a dict"),
            ({"THIRD_PARTIES": True}, "is not a setting", "Did you mean THIRD_PARTY?"),
        ],
    )
    def test_mistakes_are_named(self, wrong: dict[str, Any], message: str, hint: str) -> None:
        """With what was meant; and the defaults hold."""
        [problem] = config_problems({"CHECKS": wrong})
        assert message in problem.message
        assert problem.hint.startswith(hint)
        assert read_config({"CHECKS": wrong}).room(Checks) == Checks()


class TestFailures:
    def test_of_one_check_leaves_the_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A rule that raises is reported; the command goes on, with what the others say."""
        from signal_inspector.checks.findings import Finding

        def broken(facts: object) -> Any:
            raise ZeroDivisionError

        def whole(facts: object) -> Any:
            yield Finding(kind=Kind.NAME, subject="s", message="m", hint="h", names=())

        monkeypatch.setattr(signals, "FROM_CONNECTIONS", (broken, whole))
        monkeypatch.setattr(signals, "FROM_SOURCE", ())
        assert [each.id for each in check_signals(None)] == ["signal_inspector.I026"]
        assert internal_errors.counts() == {"the check broken": 1}

    def test_of_all_is_reported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing that is wrong with the checks stops a command."""
        monkeypatch.setattr(signals, "get_options", mock.Mock(side_effect=ZeroDivisionError))
        assert check_signals(None) == []
        assert internal_errors.counts() == {"the checks of signals": 1}


def test_registered_under_two_tags() -> None:
    """Its own, and Django's for signals."""
    registered = {check.__name__: check for check in checks.registry.registry.get_checks()}
    assert registered["check_signals"] is check_signals
    assert set(check_signals.tags) == {TAG, "signals"}  # type: ignore[attr-defined]


def test_each_id_is_used_once() -> None:
    """W is a warning and I information; none is that of another check."""
    numbers = [kind.number for kind in Kind]
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers).intersection({"W001", "W002", "W003", "W004"})
    for kind in Kind:
        assert kind.level == (checks.WARNING if kind.number[0] == "W" else checks.INFO)


@override_settings(SIGNAL_INSPECTOR={"CHECKS": {"THIRD_PARTY": True}})
def test_settings_are_read_anew() -> None:
    """The options are those of now."""
    from signal_inspector.checks.findings import get_options

    assert get_options().third_party is True
