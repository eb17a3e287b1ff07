from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# ENABLE ALWAYS: otherwise `session_replication_role = replica` goes around the triggers.
GUARD = """
CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entry_rows BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse();
CREATE TRIGGER audit_entry_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse();
ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_rows;
ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_truncate;
"""
UNGUARD = """
DROP TRIGGER audit_entry_rows ON audit_entry;
DROP TRIGGER audit_entry_truncate ON audit_entry;
DROP FUNCTION audit_entry_refuse();
"""


def revoke(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Leave the portal's role with INSERT and SELECT."""
    editor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM {editor.quote_name(settings.PORTAL_ROLE)}")


class Migration(migrations.Migration):
    initial = True
    dependencies = [("audit", "0001_rights")]
    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("version", models.SmallIntegerField()),
                ("at", models.DateTimeField()),
                ("verb", models.TextField()),
                ("actor", models.TextField()),
                ("actor_id", models.BigIntegerField(null=True)),
                ("subject_type", models.TextField()),
                ("subject_id", models.TextField()),
                ("subject", models.TextField()),
                ("service_id", models.BigIntegerField(null=True)),
                ("detail", models.JSONField(default=dict)),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
            ],
            options={
                "verbose_name_plural": "entries",
                "ordering": ["number"],
                "indexes": [
                    models.Index(fields=["service_id", "-number"], name="audit_entry_service"),
                    models.Index(fields=["subject_type", "subject_id", "-number"], name="audit_entry_subject"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="audit_entry_number_from_one"),
                    models.UniqueConstraint(fields=("previous_hash",), name="audit_entry_one_successor"),
                ],
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
