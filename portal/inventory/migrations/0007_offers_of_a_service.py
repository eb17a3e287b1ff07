"""What each service's clusters have, and which were not read yet: a person's filters tell of their own services only."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_list_at_scale"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["service", "environment"], name="cluster_offers_environment"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["service", "shown_status"], name="cluster_offers_status"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["service", "version_major"], name="cluster_offers_version"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["service", "topology"], name="cluster_offers_topology"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(fields=["service", "support_phase"], name="cluster_offers_phase"),
        ),
        migrations.AddIndex(
            model_name="cluster",
            index=models.Index(
                fields=["service"],
                name="cluster_unread_of",
                condition=models.Q(read_at=None, gone_at=None),
            ),
        ),
    ]
