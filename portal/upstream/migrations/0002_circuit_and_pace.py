"""Counts requests that ITCare does not answer, and gives turns to send."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("upstream", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="pause",
            name="failures",
            field=models.PositiveSmallIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="pause",
            name="trying_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="Pace",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("next_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="upstream_pace_one_row")],
            },
        ),
    ]
