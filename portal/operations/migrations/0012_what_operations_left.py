"""What a cluster was when it was first read after an operation, to tell when it has become something else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0010_continuity")]
    operations = [
        migrations.AddField(model_name="operation", name="compared_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="operation",
            name="left",
            field=models.JSONField(help_text="By column of the cluster.", null=True),
        ),
    ]
