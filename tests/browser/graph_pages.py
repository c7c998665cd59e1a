"""The page of the example shop's graph, and others, as files that a browser opens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from signal_inspector.graph import as_html
from tests.browser.shops import SHOP

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from signal_inspector.graph.model import Graph


def shop_page(path: Path) -> str:
    """Have the shop write its graph here; the address."""
    environment = {key: it for key, it in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(
        [sys.executable, "manage.py", "signals", "graph", "--no-recorded", "--output", str(path)],
        cwd=SHOP,
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return path.as_uri()


def page_of(graph: Graph, path: Path) -> str:
    """Write the page of any graph; the address."""
    path.write_text(as_html(graph, title="shop"), encoding="utf-8")
    return path.as_uri()


def box(page: Page, name: str) -> Locator:
    """The box with this title."""
    return page.locator("#picture .box").filter(has=page.locator(".title", has_text=name)).first
