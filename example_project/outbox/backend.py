from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from outbox.letters import store


class EmailBackend(BaseEmailBackend):
    """Puts e-mails into files. As with real e-mail, no rollback brings one back."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            store(message.message().as_bytes())
        return len(email_messages)
