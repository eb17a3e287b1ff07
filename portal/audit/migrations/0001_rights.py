"""Gives the portal's role its rights, before any table but Django's own list of migrations exists."""

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

STATEMENTS = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT ON django_migrations TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    # A temporary table of the same name would stand before audit_entry.
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
)


def grant(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Let the portal's role read and write rows, and own nothing."""
    role = editor.quote_name(settings.PORTAL_ROLE)
    database = editor.quote_name(editor.connection.settings_dict["NAME"])
    for statement in STATEMENTS:
        editor.execute(statement.format(role=role, database=database))


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    # Default privileges reach only the tables that are made after them: these are the roots of all other migrations.
    run_before = [
        ("accounts", "0001_initial"),
        ("contenttypes", "0001_initial"),
        ("sessions", "0001_initial"),
    ]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
