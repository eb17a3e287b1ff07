"""What is told of an action once more is recognised by a mark on its operation."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0014_one_operation_an_action")]
    operations = [
        migrations.AddField(
            model_name="operation",
            name="told",
            field=models.BigIntegerField(
                help_text="A mark of what ITCare's list last told of its action: the same again is no news.", null=True
            ),
        ),
    ]
