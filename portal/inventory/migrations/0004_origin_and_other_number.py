"""How a cluster came to be known, and the number to try where the first one does not address it (API.md A5)."""

from django.db import migrations, models

ORIGINS = [
    ("known", "was there when the portal first looked"),
    ("asked", "was asked for here"),
    ("found", "appeared without being asked for here"),
]


class Migration(migrations.Migration):
    dependencies = [("inventory", "0003_all_kinds")]
    operations = [
        # Rows that exist were there before; only what comes from now on is to be settled.
        migrations.AddField(
            model_name="cluster",
            name="origin",
            field=models.CharField(blank=True, choices=ORIGINS, default="known", max_length=10),
        ),
        migrations.AlterField(
            model_name="cluster",
            name="origin",
            field=models.CharField(blank=True, choices=ORIGINS, default="", max_length=10),
        ),
        migrations.AddField(
            model_name="cluster",
            name="other_id",
            field=models.BigIntegerField(
                help_text="Addresses it perhaps, where the first one does not (API.md A5).", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(condition=models.Q(("origin", "")), fields=["first_seen_at"], name="cluster_unsettled"),
        ),
    ]
