"""What ITCare may tell of patching and backup, and how full a network is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0009_sources"),
    ]

    operations = [
        migrations.AddField(
            model_name="attachment",
            name="description",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="attachment",
            name="free_addresses",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="attachment",
            name="is_default",
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name="attachment",
            name="is_public",
            field=models.BooleanField(help_text="Its range is public.", null=True),
        ),
        migrations.AddField(
            model_name="attachment",
            name="used_percent",
            field=models.BigIntegerField(help_text="0 to 100", null=True),
        ),
        migrations.AddField(
            model_name="cluster",
            name="backup_at",
            field=models.DateTimeField(help_text="Of the last backup.", null=True),
        ),
        migrations.AddField(
            model_name="cluster",
            name="backup_policies",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name="cluster",
            name="backup_system",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="cluster",
            name="backup_type",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="cluster",
            name="exclusion_reason",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="cluster",
            name="patch_excluded",
            field=models.BooleanField(help_text="Left out of patching (API.md 13).", null=True),
        ),
        migrations.AddField(
            model_name="cluster",
            name="patch_group",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="cluster",
            name="patch_tag",
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name="cluster",
            name="patched_at",
            field=models.DateTimeField(null=True),
        ),
    ]
