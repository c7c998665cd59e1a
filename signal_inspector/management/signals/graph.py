"""``signals graph``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from signal_inspector import graph as formats
from signal_inspector.display.numbers import plural
from signal_inspector.display.text import did_you_mean, printable
from signal_inspector.graph import model
from signal_inspector.graph.building import Graph, project_graph
from signal_inspector.management.signals.base import add_loading, installed_app, load
from signal_inspector.subcommands import OK, Subcommand

FORMATS: Final = ("mermaid", "dot", "svg", "html", "json")


class Draw(Subcommand):
    """Draw which functions send and receive which signals."""

    name = "graph"
    help = "who sends and receives which signal, as a drawing, a page or data"
    description = (
        "Draws the senders, signals and receivers of this project, and which receivers send "
        "further signals. It uses the connected receivers, the source, and recorded dispatches. "
        'svg and html need pip install "django-signal-inspector[graph]".'
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default=None,
            help=(
                "mermaid (the default) for Markdown, dot for Graphviz, svg for an image, html "
                "for a page to explore, json for programs; the name in --output FILE selects it "
                "too"
            ),
        )
        parser.add_argument(
            "--app",
            action="append",
            default=[],
            metavar="APP",
            help="only what this app sends or receives; may be given several times",
        )
        parser.add_argument(
            "--signal",
            action="append",
            default=[],
            metavar="NAME",
            help=(
                "only this signal and what follows from it: a name, its end, or a glob; may be "
                "given several times"
            ),
        )
        parser.add_argument("--output", default="", metavar="FILE", help="write to this file")
        parser.add_argument(
            "--no-recorded",
            dest="recorded",
            action="store_false",
            help="leave out recorded dispatches, so that the result is the same everywhere",
        )
        parser.add_argument(
            "--recorded",
            dest="recorded",
            action="store_true",
            default=True,
            help="ask the audit which receivers sent further signals (the default)",
        )
        parser.add_argument(
            "--third-party",
            action="store_true",
            help="read the source of installed packages too, which takes a few seconds",
        )
        add_loading(parser)

    def run(self, options: dict[str, Any]) -> int:
        """Write the graph."""
        form = options["format"] or _format_of(options["output"])
        wanted = [installed_app(name).label for name in options["app"]]
        load(self, options)
        whole = project_graph(
            recorded=options["recorded"],
            third_party=options["third_party"],
            on_problem=lambda text: self.say(self.style.WARNING(printable(text))),
        )
        _check_signals(options["signal"], whole)
        graph = model.select(whole, apps=wanted, signals=options["signal"])
        # A lone surrogate, which a name in JSON may contain, becomes an escape, as in JSON.
        text = _rendered(graph, form).encode("utf-8", "backslashreplace").decode("utf-8")
        if not options["output"]:
            self.print_document(text)
            return OK
        path = Path(options["output"])
        try:
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise CommandError(f"Cannot write {path}: {error.strerror}") from error
        parts = [plural(len(graph.signals), "signal"), plural(len(graph.functions), "function")]
        parts += [plural(len(graph.cycles), "cycle")] if graph.cycles else []
        self.say(f"{printable(str(path))}: {', '.join(parts)}.")
        return OK


def _rendered(graph: Graph, form: str) -> str:
    try:
        match form:
            case "json":
                return json.dumps(formats.as_json(graph), indent=2, ensure_ascii=False) + "\n"
            case "dot":
                return formats.as_dot(graph)
            case "svg":
                return formats.as_svg(graph)
            case "html":
                return formats.as_html(graph, title=_project())
            case _:
                return formats.as_mermaid(graph)
    except formats.LayoutMissingError as error:
        raise CommandError(str(error)) from error


def _format_of(output: str) -> str:
    """The format that a file's suffix stands for; Mermaid if it stands for none."""
    by_suffix = {"gv": "dot", "htm": "html"} | {each: each for each in FORMATS}
    return by_suffix.get(Path(output).suffix.lower().lstrip("."), "mermaid")


def _project() -> str:
    """The name of the project for a person: usually the directory of its manage.py."""
    base = getattr(settings, "BASE_DIR", "")
    return Path(base).name if base and isinstance(base, str | Path) else ""


def _check_signals(patterns: list[str], graph: Graph) -> None:
    names = [signal.name for signal in graph.signals]
    for pattern in patterns:
        if not model.matching(names, pattern):
            found = did_you_mean(pattern, names)
            raise CommandError(f"--signal: no inspected signal is called {pattern!r}.{found}")
