"""The templates print any view model: every field, escaped, in well-formed HTML."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import html5lib
import pytest
from django.template.loader import render_to_string
from django.utils import translation

from signal_inspector.display.text import DottedName
from signal_inspector.toolbar import dispatch_rows, timeline, view

HOSTILE = """</td></svg><script>alert('1')</script><img src=x onerror="alert(2)">{{ 7 }}&amp;"""


def make(kind: Any, marks: dict[str, str], path: str = "") -> Any:
    """A value of this type whose strings are all hostile, each with a mark of its own."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        if all(get_origin(option) is Literal for option in options):
            return get_args(options[-1])[-1]
        return make(options[0], marks, path)
    if origin is Literal:
        return get_args(kind)[-1]
    if origin is tuple:
        inner = get_args(kind)[0]
        options = get_args(inner) if get_origin(inner) in (Union, types.UnionType) else (inner,)
        return tuple(make(option, marks, path) for option in options)
    if kind is bool:
        return True
    if kind is int:
        return 1
    if kind is str:
        return marks.setdefault(path, f"mark{len(marks)}x {HOSTILE}")
    if kind is DottedName:
        module = make(str, marks, "DottedName.module")
        return DottedName(f"{module}.", make(str, marks, "DottedName.last"))
    hints = get_type_hints(kind)
    made = {
        field.name: field.default
        if field.name == "kind" and field.default is not MISSING
        else make(hints[field.name], marks, f"{kind.__name__}.{field.name}")
        for field in fields(kind)
    }
    return kind(**made)


def parse(html: str, container: str = "div") -> Any:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parseFragment(html, container=container)
    assert parser.errors == []
    return tree


def words(tree: Any) -> str:
    """All texts and attribute values."""
    found = ["".join(tree.itertext())]
    for node in tree.iter():
        found += [value for key, value in node.attrib.items()]
    return "\n".join(found)


@pytest.fixture
def marks() -> dict[str, str]:
    return {}


@pytest.fixture(params=[False, True], ids=["sent", "empty"])
def page(request: pytest.FixtureRequest, marks: dict[str, str]) -> str:
    """The whole panel, of a request that sent signals and of one that did not."""
    made = make(view.PanelView, marks)
    empty = view.PanelView(
        **{
            field.name: getattr(made, field.name)
            for field in fields(made)
            if field.name not in ("is_empty", "request_id")
        },
        is_empty=request.param,
        request_id="0123abcd",
    )
    return render_to_string("signal_inspector/panel.html", {"view": empty})


def test_nothing_is_markup(page: str) -> None:
    """Whatever names, messages and values hold, no element and no handler comes of it."""
    tree = parse(page)
    names = {node.tag.split("}")[-1] for node in tree.iter()}
    assert not names & {"script", "style", "img", "iframe", "link"}
    attributes = {key for node in tree.iter() for key in node.attrib}
    assert not [key for key in attributes if key.startswith("on") or key == "style"]


@pytest.mark.parametrize("page", [False], indirect=True)
def test_every_field_is_printed(page: str, marks: dict[str, str]) -> None:
    """Every text of the view model is on the page, letter for letter."""
    printed = words(parse(page))
    missing = {path for path, mark in marks.items() if mark not in printed}
    # A row prints one of two forms, and the texts of an empty panel are for that one.
    head = ("sender", "function", "project_function", "note", "count")
    other = {f"DispatchRow.{name}" for name in head}
    other.add("TraceLink.note")  # where there is no link
    other |= {"DispatchRow.method", "PanelView.empty_text", "PanelView.request_id"}
    other.add("Argument.url")  # it is redacted
    assert missing == other


@pytest.mark.parametrize("page", [True], indirect=True)
def test_empty_panel(page: str, marks: dict[str, str]) -> None:
    """A request that sent nothing says so, names others, and still has the catalog."""
    printed = words(parse(page))
    for path in ("PanelView.empty_text", "OtherRequest.path", "CatalogReceiver.order"):
        assert marks[path] in printed
    assert "data-si-rows" not in page


@pytest.mark.parametrize("member", [False, True])
def test_rows_by_themselves(marks: dict[str, str], member: bool) -> None:
    """Rows that are fetched are rows of a table, and print what they hold."""
    made = [make(kind, marks) for kind in timeline.Row.__args__]  # type: ignore[attr-defined]
    known = {field.name: getattr(made[0], field.name) for field in fields(made[0])}
    made[0] = dispatch_rows.DispatchRow(**{**known, "member": member})
    html = render_to_string("signal_inspector/rows.html", {"rows": made, "uid": "0123abcd"})
    tree = parse(html, container="tbody")
    assert [child.tag for child in tree] == ["tr"] * len(made)
    printed = words(tree)
    left_out = {path for path, mark in marks.items() if mark not in printed}
    left_out -= {"TraceLink.note"}  # where there is no link
    if member:
        head = {"count", "function", "method", "note", "project_function", "sender"}
        assert left_out == {f"DispatchRow.{name}" for name in head} | {"Argument.url"}
    else:
        assert left_out == {"Argument.url", "DispatchRow.about", "DispatchRow.receivers"}


def test_ids_are_unique(page: str) -> None:
    """No id stands twice, and each carries the request's, as several panels may be on a page."""
    ids = [node.attrib["id"] for node in parse(page).iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("si-0123abcd-") for name in ids)


def test_references_lead_somewhere(page: str) -> None:
    """What glyphs, bars and tabs refer to is in the panel."""
    tree = parse(page)
    ids = {node.attrib["id"] for node in tree.iter() if "id" in node.attrib}
    wanted: set[str] = set()
    for node in tree.iter():
        if node.tag.endswith("use"):
            wanted.add(node.attrib["href"].removeprefix("#"))
        if node.attrib.get("fill", "").startswith("url("):
            wanted.add(node.attrib["fill"][5:-1])
        wanted |= {v for k, v in node.attrib.items() if k in ("aria-controls", "aria-labelledby")}
    assert wanted
    assert wanted <= ids


def test_locale_changes_nothing(settings: Any) -> None:
    """The panel is the same in a language that writes numbers otherwise."""
    settings.USE_THOUSAND_SEPARATOR = True
    context = {"view": make(view.PanelView, {})}
    pages = []
    for language in ("en", "de"):
        with translation.override(language):
            pages.append(render_to_string("signal_inspector/panel.html", context))
    assert pages[0] == pages[1]


def test_internal_error() -> None:
    """Where the view could not be made, a sentence stands, escaped."""
    html = render_to_string("signal_inspector/internal_error.html", {"internal_error": HOSTILE})
    assert HOSTILE in words(parse(html))
