from __future__ import annotations

import logging
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from guide import history
from guide.demo_data import PAST_ORDERS, fill


class Command(BaseCommand):
    help = "Fills the shop with products, people and past orders. Harmless to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            was_empty = fill(PAST_ORDERS - history.ORDERS)
        if was_empty:
            # What goes wrong there is meant to, and is in the audit: no news for the console.
            logging.disable()
            history.buy()
            logging.disable(logging.NOTSET)
        self.stdout.write(
            "The shop is filled. Users (the password is the name): admin, ada, grace; "
            "hedy and joan for the audit."
        )
