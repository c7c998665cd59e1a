from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.core import mail
from django.test import TestCase

from accounts.signals import user_registered, user_verified
from guide.testing import listening_to
from loyalty.models import LoyaltyAccount


class SignUpTest(TestCase):
    def sign_up(self) -> str:
        """Sign up as Joan; returns the path of the link in the e-mail."""
        details = {"username": "joan", "email": "joan@mail.example", "password": "joan"}
        response = self.client.post("/accounts/register/", details)
        self.assertRedirects(response, "/accounts/")
        return re.search(r"http://testserver(\S+)", mail.outbox[-1].body)[1]

    def test_signing_up_sends_a_link(self):
        """user_registered makes send_verification_email write to the new customer."""
        with listening_to(user_registered, sender=User) as noted:
            self.sign_up()
        noted.assert_called_once()
        self.assertEqual([letter.to for letter in mail.outbox], [["joan@mail.example"]])

    def test_the_link_verifies(self):
        """The button behind the link sends user_verified: a welcome, and a loyalty account."""
        link = self.sign_up()
        with listening_to(user_verified, sender=User) as noted:
            self.assertContains(self.client.get(link), "Yes, it is mine")
            noted.assert_not_called()
            self.assertContains(self.client.post(link), "Welcome aboard")
        joan = User.objects.get(username="joan")
        noted.assert_called_once_with(signal=user_verified, sender=User, user=joan)
        self.assertEqual(mail.outbox[-1].subject, "Welcome aboard")
        self.assertTrue(LoyaltyAccount.objects.filter(user=joan).exists())
        self.assertIsNotNone(joan.profile.verified_at)

    def test_verified_once(self):
        """Pressing the button again sends no second signal."""
        link = self.sign_up()
        self.client.post(link)
        with listening_to(user_verified) as noted:
            self.assertContains(self.client.post(link), "has been verified before")
        noted.assert_not_called()

    def test_a_forged_link(self):
        """A link that is not ours verifies nobody."""
        self.sign_up()
        with listening_to(user_verified) as noted:
            response = self.client.post("/accounts/verify/forged/")
        self.assertContains(response, "This link is not good")
        noted.assert_not_called()
