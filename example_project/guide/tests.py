from __future__ import annotations

import io

from django.core.management import call_command
from django.test import override_settings

from guide.steps import STEPS
from guide.testing import INLINE, ShopTestCase
from shop.models import Order, Product


class DemoDataTest(ShopTestCase):
    def test_running_it_again_changes_nothing(self):
        """demo_data may be run on a shop that is filled."""
        before = Product.objects.count(), Order.objects.count(), Order.objects.first().total
        call_command("demo_data", stdout=io.StringIO())
        after = Product.objects.count(), Order.objects.count(), Order.objects.first().total
        self.assertEqual(after, before)
        self.assertEqual(before[:2], (28, 41))

    def test_no_migration_is_missing(self):
        """The models are as the migrations say."""
        call_command("makemigrations", check=True, dry_run=True, stdout=io.StringIO())


class GuideTest(ShopTestCase):
    def test_every_button_leads_somewhere(self):
        """Each button of the guide logs in, fills the basket and opens a page that works."""
        page = self.client.get("/guide/")
        for key, step in STEPS.items():
            with self.subTest(key):
                self.assertContains(page, f'action="/guide/{key}/"')
                response = self.client.post(f"/guide/{key}/", follow=True)
                self.assertEqual(response.status_code, 200)
                shown = self.client.get("/guide/").context
                self.assertEqual(shown["user"].username, step.username)
                self.assertEqual(len(shown["basket"]), 13)

    def test_the_graph_is_a_page_of_its_own(self):
        """The graph shows the shop's signals, and lets only its own script and style run."""
        page = self.client.get("/guide/graph/page/")
        self.assertContains(page, "Signals of Bunting")
        self.assertContains(page, "sync_warehouse")
        self.assertRegex(page.content.decode(), "script-src &#x27;sha256-|script-src 'sha256-")
        self.assertEqual(page["Content-Security-Policy"], "frame-ancestors 'none'")

    @override_settings(DEMO=False)
    def test_no_login_without_password(self):
        """On a server that is not a demo nobody gets in without a password."""
        self.assertEqual(self.client.post("/guide/import/").status_code, 404)
        self.assertNotIn("_auth_user_id", self.client.session)

    def test_the_strict_policy_is_kept(self):
        """Every page has the policy, and neither script nor style inline."""
        self.client.force_login(self.admin)
        self.client.post("/spell/", {"word": "AHOY"})
        paths = ["/", "/guide/", "/flags/sierra/", "/basket/", "/checkout/", "/accounts/"]
        paths += ["/accounts/login/", "/accounts/register/", "/mailbox/", "/staff/"]
        paths += ["/staff/import/", "/comments/moderation/", "/traces/"]
        for path in paths:
            with self.subTest(path):
                response = self.client.get(path)
                self.assertEqual(response.status_code, 200)
                policy = response["Content-Security-Policy"]
                self.assertIn("default-src 'none'", policy)
                self.assertNotIn("unsafe", policy)
                self.assertNotRegex(response.content.decode(), INLINE)

    def test_the_admin_works(self):
        """The models of the shop are in the admin, and their lists open."""
        self.client.force_login(self.admin)
        models = ["shop/product", "shop/order", "coupons/coupon", "coupons/redemption"]
        models += ["loyalty/loyaltyaccount", "inventory/stockitem", "comments/comment"]
        models += ["accounts/profile", "staff/dashboardentry"]
        for model in models:
            with self.subTest(model):
                self.assertEqual(self.client.get(f"/admin/{model}/").status_code, 200)
