"""What searching for the action of an operation keeps: the evidence, and when it was last searched for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0007_acts_of_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="evidence",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Why an action was taken for its own that no answer had named.",
                max_length=300,
            ),
        ),
        migrations.AddField(
            model_name="operation",
            name="found_at",
            field=models.DateTimeField(help_text="When that action was found.", null=True),
        ),
        migrations.AddField(
            model_name="operation",
            name="searched_at",
            field=models.DateTimeField(
                help_text="ITCare was last asked what became of it, and the answer was whole.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="operation",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", False)), fields=["ended_at"], name="operation_ended"
            ),
        ),
    ]
