"""What the overview is drawn from: dispatches counted by slots of time."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signal_audit", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("slot", models.BigIntegerField()),
                ("seconds", models.IntegerField()),
                ("content", models.TextField()),
            ],
            options={
                "verbose_name_plural": "tallies",
                "db_table": "signal_audit_tally",
                "default_permissions": (),
            },
        ),
    ]
