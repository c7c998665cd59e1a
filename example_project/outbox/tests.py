from __future__ import annotations

import tempfile
from pathlib import Path

from django.core.mail import EmailMessage
from django.test import SimpleTestCase, override_settings

from outbox import letters
from outbox.backend import EmailBackend


class MailboxTest(SimpleTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        settings = override_settings(MAILBOX_DIR=Path(directory.name))
        settings.enable()
        self.addCleanup(settings.disable)

    def send(self, subject: str) -> int:
        message = EmailMessage(subject, "See http://shop.example/", to=["ada@mail.example"])
        return EmailBackend().send_messages([message])

    def test_letters_are_shown(self):
        """What the shop sends is read in the mailbox, the newest first."""
        self.assertEqual(self.send("Früher"), 1)
        self.send("Later")
        self.assertEqual([letter.subject for letter in letters.letters()], ["Later", "Früher"])
        self.assertEqual(letters.letters()[0].to, "ada@mail.example")

    def test_emptying(self):
        """Emptying the mailbox leaves no file."""
        self.send("Once")
        letters.empty()
        self.assertEqual(letters.letters(), [])
