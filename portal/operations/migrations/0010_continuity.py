"""Whether the portal knows of everything that it did. A portal that was at work already looks first, once."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

SINCE_ITS_CLOCK_STOOD = """
    INSERT INTO operations_continuity (id, database, at, broken, missed_head)
    SELECT 1, '', at, 'The portal was updated.', '' FROM operations_heartbeat WHERE name = 'sweep'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0009_followed_by_thousands"),
    ]

    operations = [
        migrations.CreateModel(
            name="Continuity",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("database", models.CharField(blank=True, help_text="As PostgreSQL tells of itself.", max_length=120)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "broken",
                    models.CharField(
                        blank=True, help_text="Why it must look first; empty once it has.", max_length=200
                    ),
                ),
                (
                    "newest_action_id",
                    models.BigIntegerField(help_text="ITCare's newest, when the portal looked last.", null=True),
                ),
                (
                    "missed_head",
                    models.CharField(
                        blank=True, help_text="Published, not in the audit log, and looked about.", max_length=64
                    ),
                ),
                (
                    "hold",
                    models.ForeignKey(
                        help_text="The portal's own, from a break until it is over.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="operations.hold",
                    ),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="continuity_one_row")],
            },
        ),
        migrations.RunSQL(SINCE_ITS_CLOCK_STOOD, migrations.RunSQL.noop),
    ]
