"""Rows that are looked at by the thousand: rewritten in their page, found by their action; and actions that vanish."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0008_searching"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="operation", name="operation_due"),
        migrations.AddIndex(
            model_name="operation", index=models.Index(fields=["upstream_action_id"], name="operation_action")
        ),
        migrations.AddField(
            model_name="operation",
            name="missed_at",
            field=models.DateTimeField(help_text="First answer that ITCare does not know its action.", null=True),
        ),
        # Room in each page for the next version of its rows; what is there already moves as it is written.
        migrations.RunSQL(
            "ALTER TABLE operations_operation SET (fillfactor = 50)",
            "ALTER TABLE operations_operation RESET (fillfactor)",
        ),
    ]
