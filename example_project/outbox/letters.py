"""E-mails in files: one each, named so that they sort by time."""

from __future__ import annotations

import email
import itertools
import os
import time
from dataclasses import dataclass
from datetime import datetime
from email import policy
from pathlib import Path

from django.conf import settings

NEWEST = 100  # how many are shown

_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Letter:
    name: str
    subject: str
    to: str
    date: datetime
    text: str


def store(content: bytes) -> None:
    """Keep an e-mail. It takes its final name only when it is whole."""
    name = f"{time.time_ns()}-{os.getpid()}-{next(_counter):06}"
    unfinished = settings.MAILBOX_DIR / f"{name}.part"
    unfinished.write_bytes(content)
    unfinished.rename(settings.MAILBOX_DIR / f"{name}.eml")


def letters() -> list[Letter]:
    """The newest e-mails, newest first."""
    paths = sorted(settings.MAILBOX_DIR.glob("*.eml"), reverse=True)
    return [_read(path) for path in paths[:NEWEST]]


def empty() -> None:
    """Throw all e-mails away."""
    for path in settings.MAILBOX_DIR.glob("*.eml"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> Letter:
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    return Letter(
        name=path.stem,
        subject=str(message["subject"]),
        to=str(message["to"]),
        date=message["date"].datetime,
        text=message.get_content().strip(),
    )
