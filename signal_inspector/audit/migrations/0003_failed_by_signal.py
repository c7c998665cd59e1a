"""The failures of one signal, however rare it is among all that failed."""

from __future__ import annotations

from django.db import migrations, models

import signal_inspector.audit.indexes


class Migration(migrations.Migration):
    dependencies = [("signal_audit", "0002_tally")]

    operations = [
        migrations.AddIndex(
            model_name="auditeddispatch",
            index=signal_inspector.audit.indexes.PartialIndex(
                fields=["is_failed", "signal", "id"],
                name="signal_audit_signal_failed",
                where=models.Q(("is_failed__isnull", False)),
            ),
        ),
    ]
