"""What needs a person, the switch that holds all sends, and releases by two where data would be destroyed."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0006_list_at_scale"),
        ("operations", "0005_action_of_a_cluster"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Concern",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "situation",
                    models.CharField(
                        choices=[
                            ("nothing_found", "Unclear, and ITCare shows nothing of it"),
                            ("several_fit", "Unclear, and several actions of ITCare fit"),
                            ("unsettled", "Unclear, and ITCare cannot be read"),
                            ("overdue", "Runs for longer than anything should"),
                            ("unreachable", "Approved, and cannot be sent for a long time"),
                            ("vanished", "ITCare no longer knows the action that carries it out"),
                            ("stuck", "Looking at it keeps failing"),
                            ("late_action", "An action showed up after the operation had ended"),
                            ("relapsed", "Its action had ended, and goes on"),
                            ("unknown_action", "ITCare did something for the portal that the portal does not remember"),
                            ("drift", "The cluster is not as the last operation left it"),
                        ],
                        max_length=20,
                    ),
                ),
                ("words", models.CharField(help_text="The sentence for people.", max_length=1000)),
                ("raised_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, help_text="How it ended, in words.", max_length=500)),
            ],
            options={
                "ordering": ["raised_at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("why", models.CharField(max_length=500)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, help_text="Why it ended.", max_length=500)),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="operation",
            name="queued_again_only_with_proof",
        ),
        migrations.RemoveConstraint(
            model_name="operation",
            name="sending_has_proved_nothing",
        ),
        migrations.AddField(
            model_name="operation",
            name="also_released_by",
            field=models.ForeignKey(
                help_text="Agrees, where two have to.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="operation",
            name="settled_by",
            field=models.ForeignKey(
                help_text="Said how it ended, or which action is its own.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
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
                ],
                default="",
                max_length=40,
            ),
        ),
        migrations.AlterField(
            model_name="operation",
            name="released_by",
            field=models.ForeignKey(
                help_text="Says that it may be sent once more.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
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
                        ("released_by__isnull", False),
                        models.Q(("kind__in", ["create", "delete", "restore"]), _negated=True),
                    ),
                    models.Q(
                        ("also_released_by__isnull", False),
                        ("kind__in", ("delete", "restore")),
                        ("released_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="queued_again_only_with_proof",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("also_released_by", None),
                    models.Q(
                        ("released_by__isnull", False),
                        models.Q(("also_released_by", models.F("released_by")), _negated=True),
                        models.Q(("also_released_by", models.F("requester")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="second_release_is_another_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "sending"), _negated=True),
                    models.Q(
                        ("also_released_by", None),
                        ("last_proof", ""),
                        ("released_by", None),
                        ("sent_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="sending_has_proved_nothing",
            ),
        ),
        migrations.AddField(
            model_name="concern",
            name="actions",
            field=models.ManyToManyField(
                help_text="Those of ITCare that it is about.", related_name="concerns", to="operations.action"
            ),
        ),
        migrations.AddField(
            model_name="concern",
            name="closed_by",
            field=models.ForeignKey(
                help_text="Nobody: the portal.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="concern",
            name="cluster",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="concerns", to="inventory.cluster"
            ),
        ),
        migrations.AddField(
            model_name="concern",
            name="operation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="concerns",
                to="operations.operation",
            ),
        ),
        migrations.AddField(
            model_name="concern",
            name="service",
            field=models.ForeignKey(
                help_text="Who may see it.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="inventory.service",
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="ended_by",
            field=models.ForeignKey(
                help_text="Nobody: the portal.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="started_by",
            field=models.ForeignKey(
                help_text="Nobody: the portal.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="concern",
            index=models.Index(
                condition=models.Q(("closed_at", None)), fields=["raised_at", "id"], name="concern_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="concern",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None), ("operation__isnull", False)),
                fields=("operation", "situation"),
                name="one_open_concern_an_operation",
            ),
        ),
        migrations.AddConstraint(
            model_name="concern",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None), ("operation", None)),
                fields=("cluster", "situation"),
                name="one_open_concern_a_cluster",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="concern",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at", None), ("closed_by", None), ("outcome", "")),
                    models.Q(("closed_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="concern_closed_says_how",
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
            model_name="hold",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("ended_at",),
                name="one_hold_at_a_time",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(condition=models.Q(("why", ""), _negated=True), name="hold_has_a_reason"),
        ),
        migrations.AddConstraint(
            model_name="hold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("ended_by", None), ("outcome", "")),
                    models.Q(("ended_at__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="hold_ended_says_why",
            ),
        ),
    ]
