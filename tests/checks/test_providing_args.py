"""``providing_args``: in check, and without Django."""

from __future__ import annotations

import pytest

from signal_inspector.checks.sending import providing_args
from tests.checks.worlds import Project, World, write

OLD = """
from django.dispatch import Signal
order_placed = Signal()
order_completed = Signal(providing_args=["order", "user"])
"""


class TestInCheck:
    def test_is_found_where_nothing_imports_it(self, project: Project) -> None:
        """W023: a module that cannot be imported, as long as nobody has tried."""
        project.write({"stall/signals.py": OLD})
        done = project.run("check")
        assert done.returncode == 0
        assert project.ids() == [("W023", "stall.signals.order_completed")]
        assert (
            "W023) stall/signals.py:3: Django 4.0 removed the argument providing_args of"
            in done.stderr
        )
        assert "HINT: Write: order_completed = Signal()  # Arguments: order, user." in done.stderr

    def test_a_class_that_takes_them_is_none(self, project: Project) -> None:
        """A subclass with an __init__ of its own may still have them."""
        project.write(
            {
                "stall/signals.py": """
                    from django.dispatch import Signal
                    class ShopSignal(Signal):
                        def __init__(self, providing_args=()):
                            super().__init__()
                    order_completed = ShopSignal(providing_args=["order"])
                    """,
                "stall/models.py": "import stall.signals",
            }
        )
        assert ("W023", "stall.signals.order_completed") not in project.ids()


class TestHints:
    HEAD = (
        "from functools import partial\nfrom django.dispatch import Signal\n"
        "class ShopSignal(Signal): pass\n"
    )

    @pytest.mark.parametrize(
        ("line", "hint"),
        [
            ("a = Signal(providing_args=['x'])", "a = Signal()  # Arguments: x."),
            (
                "a = ShopSignal(providing_args=['x'], use_caching=True)",
                "a = ShopSignal(use_caching=True)  # Arguments: x.",
            ),
            ("a = Signal(['x'], True)", "a = Signal(use_caching=True)  # Arguments: x."),
            ("a = Signal(**{'providing_args': X, 'use_caching': 1})", "a = Signal(use_caching=1)"),
            (
                "make = partial(Signal, providing_args=['x'])",
                "make = partial(Signal)  # Arguments: x.",
            ),
            ("print(Signal(['x']))", "Signal()  # Arguments: x."),
        ],
    )
    def test_class_and_arguments_stay(self, world: World, line: str, hint: str) -> None:
        """The hint is the same call without the argument."""
        write(world.directory, {"bazaar/old.py": f"{self.HEAD}{line}\n"})
        [found] = world.find(providing_args)
        assert found.hint == f"Write: {hint}"
        assert "importing this module raises TypeError" in found.message

    def test_in_a_function_the_call_fails(self, world: World) -> None:
        """Importing the module does no harm; the name is that of the variable."""
        text = f"{self.HEAD}def make():\n    a = Signal(['x'])\n    return a\n"
        write(world.directory, {"bazaar/old.py": text})
        [found] = world.find(providing_args)
        assert found.hint == "Write: a = Signal()  # Arguments: x."
        assert "of Signal(): this call raises TypeError" in found.message

    @pytest.mark.parametrize(
        "text",
        [
            "try:\n    a = Signal(providing_args=['x'])\nexcept TypeError:\n    a = Signal()",
            "try:\n    a = Signal(['x'])\nexcept (ImportError, TypeError):\n    a = Signal()",
            "try:\n    a = Signal(['x'])\nexcept:\n    a = Signal()",
            "import django\nif django.VERSION < (4,):\n    a = Signal(providing_args=['x'])",
        ],
    )
    def test_what_is_for_older_djangos_is_none(self, world: World, text: str) -> None:
        """A library may support both."""
        write(world.directory, {"bazaar/old.py": f"{self.HEAD}{text}\n"})
        assert world.find(providing_args) == []

    def test_another_exception_is_no_guard(self, world: World) -> None:
        """An ImportError is not what the call raises."""
        text = "try:\n    a = Signal(['x'])\nexcept ImportError:\n    a = Signal()"
        write(world.directory, {"bazaar/old.py": f"{self.HEAD}{text}\n"})
        assert [each.line for each in world.find(providing_args)] == [5]


class TestWithoutDjango:
    def test_where_check_cannot_start(self, project: Project) -> None:
        """django.setup() ends with a TypeError; the command tells where, and ends with 1."""
        project.write({"stall/signals.py": OLD, "stall/models.py": "import stall.signals"})
        assert "TypeError" in project.run("check").stderr
        done = project.python("-m", "signal_inspector.checks", DJANGO_SETTINGS_MODULE="")
        assert done.returncode == 1
        assert done.stderr == ""
        assert done.stdout.startswith(
            "stall/signals.py:3: signal_inspector.W023 Django 4.0 removed the argument "
        )
        assert done.stdout.endswith(
            "    HINT: Write: order_completed = Signal()  # Arguments: order, user.\n"
        )

    @pytest.mark.parametrize("paths", [["stall"], ["stall/signals.py"], ["market", "stall"]])
    def test_paths(self, project: Project, paths: list[str]) -> None:
        """Directories and files; each finding is told once."""
        project.write({"stall/signals.py": OLD})
        done = project.python("-m", "signal_inspector.checks", *paths, *paths)
        assert done.returncode == 1
        assert done.stdout.count("W023") == 1

    def test_nothing_found(self, project: Project) -> None:
        """Exit code 0, and not a word."""
        done = project.python("-m", "signal_inspector.checks", DJANGO_SETTINGS_MODULE="")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_a_file_that_cannot_be_parsed_is_no_success(self, project: Project) -> None:
        """Exit code 2: nobody knows whether something is in it."""
        project.write({"stall/python2.py": "print 'hello'\n"})
        assert project.python("-m", "signal_inspector.checks", "stall").returncode == 2

    def test_what_cannot_be_read_is_told(self, project: Project) -> None:
        """A path that is not there is exit code 2; a file that is no Python is named."""
        project.write({"stall/signals.py": OLD, "stall/python2.py": "print 'hello'\n"})
        done = project.python("-m", "signal_inspector.checks", "stall", "nowhere")
        assert done.returncode == 2
        assert done.stdout.count("W023") == 1
        assert "nowhere: no such file or directory" in done.stderr
        assert (
            "stall/python2.py: not checked: it is not valid for this version of Python"
            in done.stderr
        )

    def test_nothing_is_imported(self, project: Project) -> None:
        """Neither the files, nor the settings, whatever DJANGO_SETTINGS_MODULE says."""
        project.write({"stall/signals.py": f"{OLD}\nraise SystemExit(9)\n"})
        project.write({"market/settings.py": "raise SystemExit(9)"})
        assert project.python("-m", "signal_inspector.checks").returncode == 1


def test_a_module_cannot_say_it(world: World) -> None:
    """The defect is real: Django raises TypeError at the import."""
    write(world.directory, {"bazaar/signals.py": OLD})
    with pytest.raises(TypeError, match="providing_args"):
        world.load(OLD)
