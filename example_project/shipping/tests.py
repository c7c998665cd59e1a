from __future__ import annotations

from guide.testing import ShopTestCase, listening_to
from shipping.signals import parcel_tracked
from shop.models import Order


class TrackingTest(ShopTestCase):
    def setUp(self):
        self.order = self.grace.orders.first()
        self.url = f"/orders/{self.order.pk}/track/"

    async def test_an_async_view_asks_everybody(self):
        """Under ASGI, asend() reaches the async receivers and the plain one."""
        await self.async_client.aforce_login(self.grace)
        with listening_to(parcel_tracked, sender=Order) as noted:
            response = await self.async_client.get(self.url)
        self.assertContains(response, "The courier has parcel-")
        self.assertContains(response, "should arrive tomorrow")
        noted.assert_called_once_with(
            signal=parcel_tracked, sender=Order, order=self.order, user=self.grace
        )

    def test_the_same_under_wsgi(self):
        """The view and its receivers work on a server that is not async."""
        self.client.force_login(self.grace)
        self.assertContains(self.client.get(self.url), "The courier has parcel-")

    def test_asking_again(self):
        """The script on the page gets the answers as JSON."""
        self.client.force_login(self.grace)
        response = self.client.get(self.url, headers={"accept": "application/json"})
        self.assertEqual(len(response.json()["answers"]), 2)

    def test_other_peoples_parcels(self):
        """Nobody tracks somebody else's order."""
        self.client.force_login(self.ada)
        with listening_to(parcel_tracked) as noted:
            self.assertEqual(self.client.get(self.url).status_code, 404)
        noted.assert_not_called()
