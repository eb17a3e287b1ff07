"""When whole lists of ITCare began to lack a service or a network, and since when it is offered no more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0007_offers_of_a_service"),
    ]

    operations = [
        migrations.AddField(
            model_name="network",
            name="missed_at",
            field=models.DateTimeField(help_text="First of the whole lists since then that lack it.", null=True),
        ),
        migrations.AddField(
            model_name="network",
            name="unlisted_at",
            field=models.DateTimeField(help_text="It has been lacking for long: it is offered no more.", null=True),
        ),
        migrations.AddField(
            model_name="service",
            name="missed_at",
            field=models.DateTimeField(help_text="First of the whole lists since then that lack it.", null=True),
        ),
        migrations.AddField(
            model_name="service",
            name="unlisted_at",
            field=models.DateTimeField(help_text="It has been lacking for long: it is offered no more.", null=True),
        ),
        migrations.AddConstraint(
            model_name="network",
            constraint=models.CheckConstraint(
                condition=models.Q(("unlisted_at", None), ("missed_at__isnull", False), _connector="OR"),
                name="network_missed_before_unlisted",
            ),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(
                condition=models.Q(("unlisted_at", None), ("missed_at__isnull", False), _connector="OR"),
                name="service_missed_before_unlisted",
            ),
        ),
    ]
