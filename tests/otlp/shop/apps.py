from __future__ import annotations

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "tests.otlp.shop"
    label = "otlp_shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.otlp.shop import receivers  # noqa: F401 - connects them
