"""``signals watch``."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from signal_inspector.core import registry
from signal_inspector.subcommands import OK, Subcommand

_NO_WAY: Final = (
    "Nothing sends dispatches to a watcher. Add the sink to the settings and restart the "
    'server:\n\n    SIGNAL_INSPECTOR = {"SINKS": ["signal_inspector.watch.WatchSink"]}\n\nOr '
    'add "signal_inspector.audit" to INSTALLED_APPS and migrate, to watch the audit log.'
)
_NO_SINK: Final = (
    "No process with these settings sends dispatches to a watcher. Add the sink to the settings "
    'and restart the server:\n\n    SIGNAL_INSPECTOR = {"SINKS": '
    '["signal_inspector.watch.WatchSink"]}'
)
_NO_AUDIT: Final = """\
There is no log to watch: "signal_inspector.audit" is not in INSTALLED_APPS."""


class Watch(Subcommand):
    """Show the dispatches of running processes."""

    name = "watch"
    help = "the dispatches of running processes, live"
    description = (
        "Shows each dispatch of this project's running processes when it ends, until Ctrl-C. "
        "Signals that a receiver sends are shown below that receiver."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add the options for which dispatches to show, and how."""
        group = parser.add_argument_group(
            "which dispatches",
            "A dispatch must match every option. NAME is a glob for the dotted name or its last "
            "part. An option may be given several times; then one of its NAMEs must match.",
        )
        for name in ("signal", "receiver", "sender"):
            group.add_argument(f"--{name}", action="append", default=[], metavar="NAME")
        group.add_argument("--failures", action="store_true", help="dispatches with failures")
        group.add_argument(
            "--slower-than",
            type=_milliseconds,
            metavar="MS",
            help="dispatches that took longer than this many milliseconds",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object per line")
        parser.add_argument(
            "--receivers",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="show a line for each receiver (default: yes)",
        )
        parser.add_argument(
            "--via",
            choices=("auto", "socket", "audit"),
            default="auto",
            help=(
                "get dispatches from the processes themselves, or from the audit as they are "
                "written"
            ),
        )

    def run(self, options: dict[str, Any]) -> int:
        """Show dispatches until interrupted."""
        from signal_inspector.core.listening import context  # noqa: PLC0415

        via = _way(options["via"])
        with context.suppress(), _ended_by_sigterm(), suppress(KeyboardInterrupt):
            (_through_socket if via == "socket" else _through_audit)(self, options)
        return OK


def _way(via: str) -> str:
    """How to receive dispatches, given what the settings allow."""
    from signal_inspector.core.listening.sinks import process_sinks  # noqa: PLC0415
    from signal_inspector.watch import WatchSink  # noqa: PLC0415

    has_sink = any(isinstance(sink, WatchSink) for sink in process_sinks())
    if via in ("auto", "socket") and has_sink:
        return "socket"
    if via in ("auto", "audit") and registry.watch_source("audit") is not None:
        return "audit"
    raise CommandError({"socket": _NO_SINK, "audit": _NO_AUDIT}.get(via, _NO_WAY))


def _through_socket(part: Subcommand, options: dict[str, Any]) -> None:
    from signal_inspector.watch.listening import Listener  # noqa: PLC0415
    from signal_inspector.watch.wire import RefusedError, place, project_words  # noqa: PLC0415

    where = place()
    try:
        listener = Listener(where)
    except (RefusedError, OSError) as error:
        raise CommandError(
            f"Cannot listen in {where.project}: {error} "
            'SIGNAL_INSPECTOR["WATCH"]["DIRECTORY"] may name another directory.'
        ) from error
    with listener, _watching(part, options) as watcher:
        part.say(f"Waiting for dispatches of {project_words()}. Press Ctrl-C to stop.")
        watcher.listen(
            listener,
            "No process has sent anything yet. A process appears here when it sends a signal, "
            "if it runs with these settings as this user and was started after the sink was "
            f"added. The socket is in {where.project}.",
        )


def _through_audit(part: Subcommand, options: dict[str, Any]) -> None:

    opens = registry.watch_source("audit")
    if opens is None:
        raise CommandError(_NO_AUDIT)
    globs = options["signal"]
    asked = registry.Asked(
        signal=globs[0] if len(globs) == 1 else "*",
        failures=options["failures"],
    )
    source = opens(asked)
    try:
        with _watching(part, options) as watcher:
            part.say("Waiting for dispatches in the audit log. Press Ctrl-C to stop.")
            watcher.follow(source)
    finally:
        source.close()


@contextmanager
def _watching(part: Subcommand, options: dict[str, Any]) -> Iterator[Any]:
    """A context with a watcher that shows a summary at its end."""
    from signal_inspector.watch.listening import Filters  # noqa: PLC0415
    from signal_inspector.watch.terminal import Lines, Shown, Signs  # noqa: PLC0415
    from signal_inspector.watch.watcher import Watcher  # noqa: PLC0415

    slower = options["slower_than"]
    shown = Shown(
        filters=Filters(
            signals=tuple(options["signal"]),
            receivers=tuple(options["receiver"]),
            senders=tuple(options["sender"]),
            failures=options["failures"],
            slower_than_ns=-1 if slower is None else int(slower * 1e6),
        ),
        receivers=options["receivers"],
    )
    signs = Signs(part.style, getattr(part.stdout, "encoding", None))
    watcher = Watcher(
        Lines(shown, signs),
        out=lambda line: _write(part, line),
        say=part.say,
        as_json=options["json"],
    )
    try:
        yield watcher
    except KeyboardInterrupt:
        watcher.end()


def _write(part: Subcommand, line: str) -> None:
    part.stdout.write(line)
    part.stdout.flush()


def _milliseconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e12:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of milliseconds of at least 0."
        )
    return found


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, so that nothing is left behind."""
    try:
        before = signal.signal(signal.SIGTERM, _interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
