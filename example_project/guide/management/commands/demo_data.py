from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from guide.demo_data import fill


class Command(BaseCommand):
    help = "Fills the shop with products, people and past orders. Harmless to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            fill()
        self.stdout.write(
            "The shop is filled. Users (the password is the name): admin, ada, grace."
        )
