from __future__ import annotations

import re
from smtplib import SMTPException

from django.contrib.auth.models import User
from django.core import mail
from django.test import TestCase

from accounts.receivers import send_verification_email, send_welcome_email
from accounts.services import register, verify
from accounts.signals import user_registered, user_verified
from guide.testing import listening_to
from loyalty.models import LoyaltyAccount
from loyalty.receivers import open_account
from signal_inspector.testing import DispatchesMixin, inject_failure, mute, only


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


class UserVerifiedTest(DispatchesMixin, TestCase):
    """The same, seen by what was sent instead of by a mock receiver."""

    def joan(self) -> User:
        return register(
            username="joan", email="joan@mail.example", password="joan", site="http://shop/"
        )

    def test_a_welcome(self):
        """user_verified reaches the receivers of two apps, and a welcome is sent."""
        joan = self.joan()
        verify(joan)
        self.assert_sent_in_order([user_registered, user_verified], exact=True)
        self.assert_sent(user_verified, sender=User, payload={"user": joan}, times=1)
        self.assert_received(send_welcome_email, payload={"user": joan})
        self.assert_received(open_account)
        self.assert_no_failures()
        self.assertEqual(mail.outbox[-1].subject, "Welcome aboard")

    def test_without_mail(self):
        """Muted, a receiver does nothing, and the signal is sent all the same."""
        with mute(send_verification_email, send_welcome_email):
            verify(self.joan())
        self.assert_not_received(send_welcome_email)
        self.assert_received(open_account)
        self.assertEqual(mail.outbox, [])

    @only(send_verification_email, send_welcome_email)
    def test_without_loyalty(self):
        """Only the e-mails: whatever else listens is not called."""
        joan = self.joan()
        verify(joan)
        self.assertEqual(len(mail.outbox), 2)
        self.assertFalse(LoyaltyAccount.objects.filter(user=joan).exists())

    def test_the_mail_server_is_down(self):
        """send() lets the failure out, and the receivers after it do not run."""
        joan = self.joan()
        with (
            inject_failure(send_welcome_email, SMTPException("busy")),
            self.assertRaisesMessage(SMTPException, "busy"),
        ):
            verify(joan)
        self.assert_failed(send_welcome_email, SMTPException)
        self.assertFalse(verify(joan))  # the address counts as verified
