"""An action carries out one operation, and a person is told where ITCare names one twice.

It fails where two operations follow one action already: which of them it carries out is for a person to find out first
(docs/RUNBOOK.md).

The index is built within the transaction, though nobody writes operations meanwhile: for a million of them it took half
a second, and a migration that stops leaves everything as it was, which building it beside the work would not.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0013_ends_taken_back"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="concern",
            name="concern_situation_known",
        ),
        migrations.RemoveIndex(
            model_name="operation",
            name="operation_action",
        ),
        migrations.AlterField(
            model_name="concern",
            name="situation",
            field=models.CharField(
                choices=[
                    ("nothing_found", "Unclear, and ITCare shows nothing of it"),
                    ("several_fit", "Unclear, and several actions of ITCare fit"),
                    ("unsettled", "Unclear, and ITCare cannot be read"),
                    ("overdue", "Runs for longer than anything should"),
                    ("unreachable", "Approved, and cannot be sent for a long time"),
                    ("vanished", "ITCare no longer knows the action that carries it out"),
                    ("stuck", "Looking at it keeps failing"),
                    ("same_action", "ITCare names an action that carries out another operation"),
                    ("late_action", "An action showed up after the operation had ended"),
                    ("relapsed", "ITCare takes back how its action ended"),
                    ("unknown_action", "ITCare did something for the portal that the portal does not remember"),
                    ("drift", "The cluster is not as the last operation left it"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="concern",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "situation__in",
                        [
                            "nothing_found",
                            "several_fit",
                            "unsettled",
                            "overdue",
                            "unreachable",
                            "vanished",
                            "stuck",
                            "same_action",
                            "late_action",
                            "relapsed",
                            "unknown_action",
                            "drift",
                        ],
                    )
                ),
                name="concern_situation_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("upstream_action_id__isnull", False)),
                fields=("upstream_action_id",),
                name="one_operation_an_action",
            ),
        ),
    ]
