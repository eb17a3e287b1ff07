"""A decision copies the requester of its change; the composite foreign key keeps the copy true."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("changes", "0001_initial")]
    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE changes_decision ADD CONSTRAINT decision_copies_the_requester
            FOREIGN KEY (change_id, requester_id) REFERENCES changes_change (id, requester_id)
            """,
            "ALTER TABLE changes_decision DROP CONSTRAINT decision_copies_the_requester",
        ),
    ]
