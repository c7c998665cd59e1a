"""What the checks say of real projects: the example shop, Wagtail and django-allauth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.checks.worlds import PATIENCE, ROOT, ids_in

pytestmark = pytest.mark.programs

#: What the shop shows on purpose: a visitor of its guide meets each of these.
SHOP_WARNINGS = [
    ("W012", "notifications.newsletter.Newsletter.subscribe"),
    ("W014", "notifications.receivers.send_thank_you_email"),
]
SHOP_IN_CHECK = [
    *SHOP_WARNINGS,
    ("W021", "shipping.signals.parcel_tracked"),
    ("I025", "payments.signals.payment_captured"),
    ("I027", "accounts.signals.user_verified"),
    ("I027", "coupons.signals.coupon_redeemed"),
    ("I027", "shipping.signals.parcel_tracked"),
    ("I027", "shop.signals.order_completed"),
]

#: What there is in Wagtail: three receivers in models.py, and one name. Nothing in django-allauth.
WAGTAIL = [
    ("W018", "wagtail.models.i18n.set_locale_on_new_instance"),
    ("W018", "wagtail.models.pages.reassign_root_page_locale_on_delete"),
    ("W018", "wagtail.snippets.models.create_extra_permissions"),
    ("I026", "wagtail.signals.init_new_page"),
]


def ids(directory: Path, *command: str, **environment: str) -> list[tuple[str, str]]:
    """What a command's checks say; it must succeed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), "."]), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Signal Inspector failed" not in done.stderr
    return ids_in(done.stdout + done.stderr)


class TestShop:
    SHOP = ROOT / "example_project"

    @pytest.fixture
    def shop(self, tmp_path: Path) -> dict[str, str]:
        return {"SHOP_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}

    @pytest.mark.parametrize("debug", ["0", "1"])
    def test_check_tells_what_is_shown_on_purpose(self, shop: dict[str, str], debug: str) -> None:
        """The mistakes and the advice of the guide, and not one more, with and without DEBUG."""
        told = ids(self.SHOP, "manage.py", "check", SHOP_DEBUG=debug, **shop)
        assert sorted(told) == sorted(SHOP_IN_CHECK)

    def test_nothing_is_missed_in_files_that_name_no_signals(self, shop: dict[str, str]) -> None:
        """Reading without them gives the same as reading all of the shop."""
        program = (
            "import django; django.setup()\n"
            "from signal_inspector.source_code.project import project_sources as read\n"
            "def told(sources):\n"
            "    return [it for it in sources if it.creations or it.sends or it.connects]\n"
            "whole, brief = read(), read(brief=True)\n"
            "assert told(whole) == told(brief)\n"
            "assert 5 < len(brief) < len(whole) / 2, (len(brief), len(whole))\n"
        )
        assert ids(self.SHOP, "-c", program, **shop) == []

    def test_other_commands_say_nothing(self, shop: dict[str, str]) -> None:
        """Who runs `make demo` meets the two mistakes at the start of the server, once."""
        assert ids(self.SHOP, "manage.py", "migrate", **shop) == []


@pytest.mark.thirdparty
class TestWagtailAndAllauth:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        missing = [name for name in ("wagtail", "allauth") if find_spec(name) is None]
        if missing:
            reason = f"not installed: {' and '.join(missing)} (make test-thirdparty does)"
            if os.environ.get("THIRDPARTY") == "required":
                pytest.fail(reason)
            pytest.skip(reason)

    def check(self, **options: object) -> list[tuple[str, str]]:
        return ids(
            ROOT / "tests" / "thirdparty",
            *("-m", "django", "check"),
            CHECKS=json.dumps(options),
            DJANGO_SETTINGS_MODULE="settings",
        )

    def test_of_third_parties_nothing_is_said(self) -> None:
        """A project that uses both hears nothing of what is in them."""
        assert self.check() == []

    def test_when_asked_what_is_there_is_said(self) -> None:
        """With THIRD_PARTY on, exactly what a reader of their source finds: no false alarm."""
        assert sorted(self.check(THIRD_PARTY=True)) == sorted(WAGTAIL)
