"""The example shop, as its guide says: a terminal beside runserver, and an order."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.shops import Mode, Shops, environment
from tests.watch.terminals import SHOP, terminal

pytestmark = pytest.mark.programs

ORDER = {
    "name": "G. Hopper",
    "address": "1 Long Lane\nArlington",
    "card_number": "4242 4242 4242 4242",
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    made = Shops(tmp_path_factory.mktemp("watched"))
    yield made
    made.stop()


def order(shop: str) -> str:
    """Order as Grace; the order's number."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
    )

    def post(path: str, **fields: str) -> str:
        opener.open(shop + path if path != "/spell/" else shop, timeout=60).close()
        token = next(str(cookie.value) for cookie in jar if cookie.name == "csrftoken")
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        request = urllib.request.Request(shop + path, data, {"Referer": shop + path})
        with opener.open(request, timeout=60) as answer:
            return str(answer.geturl())

    post("/accounts/login/", username="grace", password="grace")
    post("/spell/", word="AHOY")
    number = re.search(r"/orders/(\d+)/", post("/checkout/", **ORDER))
    assert number is not None
    return number[1]


@pytest.mark.parametrize("server", ["runserver", "uvicorn"])
def test_an_order(shops: Shops, server: str, tmp_path: Path) -> None:
    """It is seen as it happens: what failed, and what a receiver sent in turn."""
    shop = shops.url(Mode(asgi=server == "uvicorn"))
    env = {**environment(tmp_path), "COLUMNS": "80", "DJANGO_SETTINGS_MODULE": "config.settings"}
    with terminal("--no-color", "--via", "socket", manage=SHOP, env=env) as watcher:
        key = f"order=shop.Order:{order(shop)}"
        watcher.wait(lambda: any("order_completed" in line for line in watcher.lines))
        assert watcher.end() == 0
    text = "".join(watcher.lines)
    assert re.search(r"⬡ shop\.signals\.order_placed  1 of 3 raised, swallowed +\d+\.\d ms", text)
    assert "      LoyaltyAccount.DoesNotExist: LoyaltyAccount matching query" in text
    assert "    → ✓ inventory.signals.warehouse_synced" in text
    assert "card_token=redacted" in text
    assert key in text
    assert any(server in line for line in watcher.said)
    assert max(len(line.rstrip("\n")) for line in watcher.lines) <= 80
