"""Actions that the portal did not start belong to the history of a cluster."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_parts"), ("operations", "0004_all_kinds")]
    operations = [
        migrations.AddField(
            model_name="action",
            name="cluster",
            field=models.ForeignKey(
                help_text="What it was found in the history of.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="actions",
                to="inventory.cluster",
            ),
        ),
    ]
