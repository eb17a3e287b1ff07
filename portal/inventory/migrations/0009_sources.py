"""Clusters whose backup can be restored, so that asking whether there is one stays quick with 100,000 of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0008_unlisted"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(
                fields=["version_major", "service", "name", "id"],
                name="cluster_source",
                condition=models.Q(("backup_status", True), ("gone_at", None), ("status", "ACTIVE")),
            ),
        ),
    ]
