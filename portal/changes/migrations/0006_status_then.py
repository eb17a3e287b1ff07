"""What state the cluster was in when something was asked of it: the card shows it beside the state now."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("changes", "0005_all_kinds")]
    operations = [
        migrations.AddField(
            model_name="change",
            name="cluster_status",
            field=models.CharField(blank=True, help_text="Of the cluster, when this was asked.", max_length=40),
        ),
    ]
