"""When each part of a cluster was read, for itself; and where ITCare shows a cluster's measurements."""

import django.db.models.deletion
from django.db import migrations, models

NAMES = [
    ("nodes", "Nodes"),
    ("databases", "Databases"),
    ("extensions", "Extensions"),
    ("networks", "Networks"),
    ("versions", "Versions"),
    ("history", "History"),
]


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_origin_and_other_number")]
    operations = [
        migrations.AddField(
            model_name="cluster",
            name="metrology_url",
            field=models.CharField(blank=True, default="", max_length=500),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="cluster",
            name="parts_read_at",
            field=models.DateTimeField(help_text="Its parts were last asked for.", null=True),
        ),
        migrations.CreateModel(
            name="Part",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(choices=NAMES, max_length=20)),
                ("read_at", models.DateTimeField(null=True)),
                ("failed", models.CharField(blank=True, help_text="Why the last reading failed.", max_length=300)),
                (
                    "wanted_at",
                    models.DateTimeField(help_text="Somebody waits for a fresh reading since then.", null=True),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="inventory.cluster"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="part",
            constraint=models.UniqueConstraint(fields=("cluster", "name"), name="part_once_a_cluster"),
        ),
        migrations.AddIndex(
            model_name="part",
            index=models.Index(
                condition=models.Q(("wanted_at__isnull", False)), fields=["wanted_at"], name="part_wanted"
            ),
        ),
    ]
