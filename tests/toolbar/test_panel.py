"""The panel in the real toolbar."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

import html5lib
import pytest
from debug_toolbar.store import MemoryStore, get_store
from debug_toolbar.toolbar import DebugToolbar
from django.http import HttpResponse
from django.template import TemplateSyntaxError
from django.test import Client, RequestFactory

from signal_inspector import toolbar
from signal_inspector.conf import forget_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import context, sinks
from signal_inspector.toolbar import panel as panel_module
from signal_inspector.toolbar.cells import printable
from signal_inspector.toolbar.requests import SUMMARY_ID
from tests.toolbar.conftest import PANEL, Shown

STORES = [f"debug_toolbar.store.{name}" for name in ("MemoryStore", "DatabaseStore", "CacheStore")]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("history_table")]


def checked(content: str, container: str = "div") -> Any:
    """The content as a strict HTML parser reads it."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parseFragment(content, container=container)


def text(content: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", "".join(checked(content).itertext()))


@pytest.mark.parametrize("store", STORES)
def test_every_store_gives_the_request_back(shown: Shown, store: str) -> None:
    """What is stored is read back, in every store, and nothing of ours fails."""
    shown.configure(TOOLBAR_STORE_CLASS=store)
    request_id = shown.request_id(shown.client.get("/checkout/"))
    words = text(shown.panel(request_id))
    assert "GET /checkout/" in words
    assert "break_down raised under send, so never was not called" in words
    assert [d["signal"] for d in shown.dispatches(request_id)][:3] == [
        "tests.toolbar.shop.order_placed",
        "tests.toolbar.shop.stock_low",
        "tests.toolbar.shop.order_placed",
    ]
    assert internal_errors.counts() == {}


@pytest.mark.parametrize("store", STORES)
def test_panel_rendered_into_the_page(shown: Shown, store: str) -> None:
    """With RENDER_PANELS the panel is in the page itself, and its links work."""
    shown.configure(TOOLBAR_STORE_CLASS=store, RENDER_PANELS=True)
    page = shown.client.get("/checkout/").content.decode()
    assert "17 dispatches, " in page
    assert "break_down" in page
    url = re.search(r'href="([^"]*dispatches.json[^"]*)"', page)
    assert url is not None
    answer = shown.client.get(url[1].replace("&amp;", "&"))
    assert len(answer.json()) == 17
    assert internal_errors.counts() == {}


@pytest.mark.parametrize("path", ["/checkout/", "/quiet/", "/many/300/", "/async-checkout/"])
def test_panel_is_valid_html(shown: Shown, path: str) -> None:
    """A strict parser has no complaint."""
    content = shown.panel(shown.request_id(shown.client.get(path)))
    assert checked(content).find(".//*[@class='si']") is not None


def test_hostile_values_are_text(shown: Shown) -> None:
    """Markup in arguments and exceptions is shown, not run, and nothing breaks the encoding."""
    content = shown.panel(shown.request_id(shown.client.get("/checkout/")))
    page = checked(content)
    assert "<script>alert(1)</script>" in "".join(page.itertext())
    assert [element for element in page.iter() if element.tag in ("script", "img", "style")] == []
    assert "{{ 7|add:7 }}" in content
    assert "\0" not in content
    content.encode()
    assert "secret-token" not in content


def test_strict_content_security_policy_is_kept(shown: Shown) -> None:
    """No inline script, style or attribute that a policy without unsafe-inline refuses."""
    page = checked(shown.panel(shown.request_id(shown.client.get("/checkout/"))))
    for element in page.iter():
        if isinstance(element.tag, str):
            assert element.tag not in ("script", "style")
            bad = [name for name in element.attrib if name == "style" or name.startswith("on")]
            assert bad == [], element.attrib


def test_script_is_an_external_module(shown: Shown) -> None:
    """The panel names its script for the toolbar to load."""
    request_id = shown.request_id(shown.client.get("/checkout/"))
    query = {"request_id": request_id, "panel_id": PANEL}
    answer = shown.client.get("/__debug__/render_panel/", query).json()
    assert answer["scripts"] == ["/static/signal_inspector/panel.js"]


def test_side_bar(shown: Shown) -> None:
    """The side bar counts what was sent and what failed."""
    page = shown.client.get("/checkout/").content.decode()
    assert re.search(r"<small>17 dispatches, [\d.]+\xa0ms, 2\xa0failed</small>", page)
    assert "<small>nothing sent</small>" in shown.client.get("/quiet/").content.decode()


def test_server_timing(shown: Shown) -> None:
    """The browser's own tools get the time and the number of dispatches."""
    header = shown.client.get("/checkout/").headers["Server-Timing"]
    found = re.search(r'SignalInspectorPanel_dispatches;dur=([\d.]+);desc="([^"]*)"', header)
    assert found is not None
    assert float(found[1]) > 0
    assert found[2] == "17 signal dispatches"
    assert PANEL not in shown.client.get("/quiet/").headers["Server-Timing"]


def test_request_that_sent_nothing_names_those_that_did(shown: Shown) -> None:
    """After a redirect the panel names the recent requests that sent signals, newest first."""
    first = shown.request_id(shown.client.get("/many/3/"))
    second = shown.request_id(shown.client.get("/checkout/?step=2"))
    shown.client.get("/quiet/")
    content = shown.panel(shown.request_id(shown.client.get("/quiet/")))
    page = checked(content)
    assert "This request sent no custom signals." in "".join(page.itertext())
    buttons = [b for b in page.iter("button") if "data-si-open" in b.attrib]
    assert [b.get("data-si-open") for b in buttons] == [second, first]
    assert "".join(buttons[0].itertext()) == "GET /checkout/?step=2"
    switched = shown.client.get(buttons[0].get("data-si-switch")).json()
    assert "17 dispatches" in switched[PANEL]["button"]
    assert "break_down" in shown.client.get(buttons[0].get("data-si-panel")).json()["content"]


def test_secrets_in_a_query_are_not_stored(shown: Shown) -> None:
    """The path of a request is stored without the secrets of its query."""
    request_id = shown.request_id(shown.client.get("/data/?page=3&api_key=rosebud123"))
    stored = json.dumps([shown.stored(request_id), get_store().panel(request_id, SUMMARY_ID)])
    assert "rosebud123" not in stored
    assert "page=3" in stored


def test_strict_mode_stores_the_route(shown: Shown) -> None:
    """In strict mode the panel knows the route of a request, and no value of its path."""
    shown.settings.SIGNAL_INSPECTOR = {"STRICT": True}
    request_id = shown.request_id(shown.client.get("/meet/rosebud/?page=3"))
    store = get_store()
    stored = json.dumps([store.panel(request_id, name) for name in (PANEL, SUMMARY_ID)])
    assert "/meet/<str:name>/" in stored
    assert "rosebud" not in stored


def test_ajax_request_is_kept(shown: Shown) -> None:
    """A request that answers JSON is in the store as well."""
    request_id = shown.request_id(shown.client.get("/data/"))
    assert len(shown.dispatches(request_id)) == 1


def test_limit_is_told(shown: Shown) -> None:
    """Dispatches beyond the limit are counted in the figures, as advice and as the last row."""
    shown.settings.SIGNAL_INSPECTOR = {"LIMITS": {"DISPATCHES": 4}}
    request_id = shown.request_id(shown.client.get("/many/10/"))
    words = text(shown.panel(request_id))
    assert len(shown.dispatches(request_id)) == 4
    assert "6 dispatches above the limit of 4" in words
    assert "6 more dispatches were counted, not kept" in words
    shown.settings.SIGNAL_INSPECTOR = {}


def test_no_stack_is_gathered_where_none_is_wanted(shown: Shown) -> None:
    """ENABLE_STACKTRACES=False saves its cost as well."""
    shown.configure(ENABLE_STACKTRACES=False)
    (sent,) = shown.dispatches(shown.request_id(shown.client.get("/data/")))
    assert "stack" not in sent
    assert sent["caller"]["function"] == "data"


def test_call_stack_leads_to_the_view(shown: Shown) -> None:
    """The stack ends at the line that sent, without what the toolbar hides."""
    content = shown.panel(shown.request_id(shown.client.get("/data/")))
    assert re.search(r"Call stack \(\d+\)", content)
    assert "stock_low.send(Order, left=5)" in content
    timeline = content.split('data-si-view="catalog"')[0]
    assert "django/core/handlers" not in timeline


def test_editor_links(shown: Shown) -> None:
    """Files are links where an editor is configured."""
    shown.settings.SIGNAL_INSPECTOR = {"TOOLBAR": {"EDITOR_URL": "vscode://file/{path}:{line}"}}
    content = shown.panel(shown.request_id(shown.client.get("/data/")))
    assert re.search(r'href="vscode://file/[^"]*tests/toolbar/shop\.py:\d+"', content)
    shown.settings.SIGNAL_INSPECTOR = {}


@pytest.mark.parametrize("render", [False, True])
def test_own_database_work_is_not_recorded(shown: Shown, render: bool) -> None:
    """With every signal inspected, what the toolbar's own store sends is not."""
    shown.settings.SIGNAL_INSPECTOR = {"EXCLUDE": []}
    shown.configure(TOOLBAR_STORE_CLASS=STORES[1], RENDER_PANELS=render)
    request_id = get_last(shown, "/data/")
    senders = {sent["sender"] for sent in shown.dispatches(request_id)}
    assert senders
    assert not any(sender.startswith("debug_toolbar") for sender in senders), senders
    shown.settings.SIGNAL_INSPECTOR = {}


def get_last(shown: Shown, path: str) -> str:
    """Make a request; its id, also where the history panel that would say it is off."""
    before = set(get_store().request_ids())
    shown.client.get(path)
    (new,) = set(get_store().request_ids()) - before
    return str(new)


def test_panel_switched_off_collects_nothing(shown: Shown) -> None:
    """The developer's cookie turns it off."""
    shown.client.cookies[f"djdt{PANEL}"] = "off"
    request_id = shown.request_id(shown.client.get("/checkout/"))
    assert shown.stored(request_id) == {}
    assert context.current.get() is None


def test_view_that_raises(shown: Shown) -> None:
    """What was sent before a view raised is shown, and the context is as it was."""
    client = Client(raise_request_exception=False)
    response = client.get("/fail/")
    assert response.status_code == 500
    assert len(shown.dispatches(shown.request_id(response))) == 1
    assert context.current.get() is None


@pytest.mark.parametrize("render", [False, True])
def test_broken_store_leaves_the_response_alone(shown: Shown, render: bool) -> None:
    """A store that fails on our data costs the panel, not the response."""
    shown.configure(RENDER_PANELS=render)
    real = MemoryStore.save_panel

    def save(request_id: str, panel_id: str, data: Any = None) -> None:
        if panel_id == PANEL:
            raise OSError("no space left")
        real(request_id, panel_id, data)

    with mock.patch.object(MemoryStore, "save_panel", save):
        response = shown.client.get("/checkout/")
    assert response.status_code == 200
    assert internal_errors.counts() == {"storing a request": 1}
    if render:
        assert (
            "Inspector&#x27;s own failures: 1 (storing a request 1)" in response.content.decode()
        )


@pytest.mark.parametrize("render", [False, True])
def test_broken_template_leaves_the_response_alone(shown: Shown, render: bool) -> None:
    """A template that fails is replaced by a sentence, and counted."""
    shown.configure(RENDER_PANELS=render)

    def broken(name: str, context: Any) -> str:
        raise TemplateSyntaxError(name)

    with mock.patch.object(panel_module, "render_to_string", broken):
        response: HttpResponse = shown.client.get("/checkout/")
        content = response.content.decode() if render else shown.panel(shown.request_id(response))
    assert response.status_code == 200
    assert "Inspector&#x27;s own failures" in content
    assert internal_errors.counts()["showing the panel"] == 1


@pytest.mark.parametrize("broken", ["pack", "open_capture", "close_capture", "Capture"])
def test_broken_inspector_leaves_the_response_alone(shown: Shown, broken: str) -> None:
    """Whatever of ours fails, the request is answered and the failure is counted."""
    where = toolbar if broken == "pack" else panel_module
    with mock.patch.object(where, broken, side_effect=RuntimeError(broken)):
        response = shown.client.get("/checkout/")
    assert response.status_code == 200
    assert "ok" in response.content.decode()
    assert sum(internal_errors.counts().values()) == 1
    sinks.hearing.clear()  # what a close that failed has left behind
    context.current.set(None)


def test_own_failures_are_shown(shown: Shown) -> None:
    """The panel says how often the inspector itself failed."""
    internal_errors.report("payload", RuntimeError("x"))
    content = shown.panel(shown.request_id(shown.client.get("/checkout/")))
    assert "Inspector's own failures: 1 (payload 1)" in text(content)


def test_unknown_store_data_is_a_sentence(shown: Shown) -> None:
    """Data of another version in the store is no exception to the toolbar."""
    store = get_store()
    store.set("other")
    store.save_panel("other", PANEL, {"request": {"dispatches": 3}, "packed": {}})
    assert "own failures" in shown.panel("other")
    toolbar = DebugToolbar.fetch("other", PANEL)
    assert "own failures" in toolbar.get_panel_by_id(PANEL).nav_subtitle


def test_settings_are_read_anew(shown: Shown) -> None:
    """A signal that is excluded now is not collected."""
    shown.settings.SIGNAL_INSPECTOR = {"EXCLUDE": ["tests.toolbar.shop.*"]}
    request_id = shown.request_id(shown.client.get("/checkout/"))
    assert shown.dispatches(request_id) == []
    shown.settings.SIGNAL_INSPECTOR = {}
    forget_config()


def test_instrumentation_can_be_switched_on_twice(shown: Shown) -> None:
    """The toolbar asks for idempotence: twice on and twice off collects once."""
    toolbar = DebugToolbar(RequestFactory().get("/checkout/"), lambda request: HttpResponse())
    panel = toolbar.get_panel_by_id(PANEL)
    panel.enable_instrumentation()
    panel.enable_instrumentation()
    assert len(sinks.hearing) == 1
    panel.disable_instrumentation()
    panel.disable_instrumentation()
    assert (sinks.hearing, context.current.get()) == ([], None)


def test_script_that_is_not_collected(shown: Shown) -> None:
    """A manifest that lacks the script costs the script, not the response."""
    with mock.patch.object(panel_module, "static", side_effect=ValueError("not in the manifest")):
        request_id = shown.request_id(shown.client.get("/checkout/"))
        query = {"request_id": request_id, "panel_id": PANEL}
        answer = shown.client.get("/__debug__/render_panel/", query).json()
    assert answer["scripts"] == []
    assert "break_down" in answer["content"]
    assert internal_errors.counts() == {"finding the panel's script": 1}


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x9b", "\ufffe", "\ud800"])
def test_a_name_may_have_any_character(character: str) -> None:
    """What HTML does not allow is replaced, in the pages of the panel."""
    page = printable(f"<p>f{character}[31m</p>")
    assert "".join(checked(page).itertext()) in ("f\ufffd[31m", "f?[31m")
