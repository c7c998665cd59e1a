from __future__ import annotations

from django.db import models


class Customer(models.Model):  # noqa: DJ008
    pass
