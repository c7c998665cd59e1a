from __future__ import annotations

from django.core import mail

from comments.models import Comment
from comments.receivers import notify_moderators
from comments.signals import comment_flagged
from guide.testing import ShopTestCase, listening_to
from signal_inspector.testing import DispatchesMixin, expect_swallowed, inject_failure, where


class CommentTest(ShopTestCase):
    def setUp(self):
        self.rude = Comment.objects.get(text__startswith="BUY CHEAP FLAGS")
        self.client.force_login(self.ada)

    def test_reporting_tells_the_moderators(self):
        """comment_flagged makes notify_moderators write to the staff."""
        with listening_to(comment_flagged) as noted:
            response = self.client.post(f"/comments/{self.rude.pk}/flag/")
        self.assertRedirects(response, "/flags/quebec/")
        noted.assert_called_once_with(
            signal=comment_flagged, sender=Comment, comment=self.rude, user=self.ada
        )
        self.assertEqual([letter.to for letter in mail.outbox], [[self.admin.email]])
        self.assertIn("BUY CHEAP FLAGS", mail.outbox[0].body)

    def test_moderators_decide(self):
        """A reported comment waits for the staff, who keep it or remove it."""
        self.client.post(f"/comments/{self.rude.pk}/flag/")
        self.client.force_login(self.admin)
        self.assertContains(self.client.get("/comments/moderation/"), "BUY CHEAP FLAGS")
        self.client.post(f"/comments/{self.rude.pk}/decide/", {"remove": ""})
        self.assertNotContains(self.client.get("/comments/moderation/"), "BUY CHEAP FLAGS")
        self.assertNotContains(self.client.get("/flags/quebec/"), "BUY CHEAP FLAGS")

    def test_only_moderators_decide(self):
        """A customer is asked to log in as somebody else."""
        response = self.client.post(f"/comments/{self.rude.pk}/decide/", {"remove": ""})
        self.assertRedirects(response, f"/accounts/login/?next=/comments/{self.rude.pk}/decide/")
        self.rude.refresh_from_db()
        self.assertFalse(self.rude.removed)

    def test_commenting(self):
        """What a customer says is on the page of the flag, and harmless there."""
        self.client.post("/comments/on/papa/", {"text": "<script>alert(1)</script>"})
        response = self.client.get("/flags/papa/")
        self.assertContains(response, "&lt;script&gt;alert(1)")
        self.assertNotContains(response, "<script>alert(1)")


class CommentFlaggedTest(DispatchesMixin, ShopTestCase):
    def setUp(self):
        self.rude = Comment.objects.get(text__startswith="BUY CHEAP FLAGS")
        self.client.force_login(self.ada)

    def report(self):
        return self.client.post(f"/comments/{self.rude.pk}/flag/")

    def test_the_moderators_are_notified(self):
        """comment_flagged carries the comment as it is stored, and who reports it."""
        self.report()
        self.assert_sent(
            comment_flagged,
            sender=Comment,
            payload={"comment": where(lambda comment: comment.flagged), "user": self.ada},
        )
        self.assert_received(notify_moderators, times=1)
        self.assert_max_queries_per_receiver(1)

    def test_the_mail_server_is_down(self):
        """send_robust() swallows it: the customer is thanked, and the moderators miss it."""
        with (
            inject_failure(notify_moderators, ConnectionRefusedError),
            expect_swallowed(ConnectionRefusedError, receiver=notify_moderators, times=1),
        ):
            self.assertRedirects(self.report(), "/flags/quebec/")
        self.assertEqual(mail.outbox, [])
