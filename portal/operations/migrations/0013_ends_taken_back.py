"""The words of a situation: an action may not only go on after its end, but be told to have ended otherwise."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0012_what_operations_left")]
    operations = [
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
                    ("late_action", "An action showed up after the operation had ended"),
                    ("relapsed", "ITCare takes back how its action ended"),
                    ("unknown_action", "ITCare did something for the portal that the portal does not remember"),
                    ("drift", "The cluster is not as the last operation left it"),
                ],
                max_length=20,
            ),
        ),
    ]
