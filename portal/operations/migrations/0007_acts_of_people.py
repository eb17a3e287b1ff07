"""What people do about concerns: when a release was given, giving up without knowing, and the mails."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0006_needs_a_person")]

    operations = [
        migrations.RemoveConstraint(
            model_name="operation",
            name="queued_again_only_with_proof",
        ),
        migrations.AddField(
            model_name="concern",
            name="tell_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                help_text="When a mail about it is due, until one was sent.",
            ),
        ),
        migrations.AddField(
            model_name="concern",
            name="told_at",
            field=models.DateTimeField(help_text="When people were sent a mail about it.", null=True),
        ),
        migrations.AddField(
            model_name="operation",
            name="released_at",
            field=models.DateTimeField(
                help_text="When the evidence was last found good enough to send again.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="operation",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "None"),
                    ("condition", "A condition no longer held when it was to be sent"),
                    ("moved", "The cluster moved since the approval"),
                    ("refused", "ITCare refused it"),
                    ("failed_upstream", "ITCare could not finish it"),
                    ("unreachable", "ITCare could not be reached"),
                    ("secret_lost", "The administrator password can no longer be opened"),
                    ("settled", "A person found out that it was not done"),
                    ("given_up", "A person gave it up without knowing whether it was done"),
                ],
                default="",
                max_length=40,
            ),
        ),
        migrations.AddIndex(
            model_name="concern",
            index=models.Index(
                condition=models.Q(("closed_at", None), ("told_at", None)), fields=["tell_at"], name="concern_untold"
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "queued"), _negated=True),
                    models.Q(("last_proof", ""), ("sent_at", None)),
                    ("last_proof__in", ("not_sent", "refused")),
                    models.Q(
                        ("last_proof", "unknown"),
                        ("released_by__isnull", False),
                        models.Q(("kind__in", ["create", "delete", "restore"]), _negated=True),
                    ),
                    models.Q(
                        ("also_released_by__isnull", False),
                        ("released_by__isnull", False),
                        ("last_proof__in", ["unknown", "accepted"]),
                        models.Q(("kind", "create"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="queued_again_only_with_proof",
            ),
        ),
    ]
