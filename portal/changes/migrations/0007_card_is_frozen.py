"""What the card shows was filed too: old and new, the state of the cluster then, and what was said at a field."""

from django.db import migrations

TRIGGER = """
DROP TRIGGER filed_change_is_frozen ON changes_change;
CREATE TRIGGER filed_change_is_frozen BEFORE UPDATE ON changes_change FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND ({old}) IS DISTINCT FROM ({new}))
    EXECUTE FUNCTION change_refuse_alteration();
"""
ASKED = (
    "reference",
    "kind",
    "name",
    "title",
    "service_id",
    "cluster_id",
    "requester_id",
    "why",
    "parameters",
    "revision",
    "digest",
)
SHOWN = ("shown", "cluster_status", "notes")


def freeze(*columns: str) -> str:
    """The SQL that fixes these columns of a filed change."""
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return TRIGGER.format(old=old, new=new)


class Migration(migrations.Migration):
    dependencies = [("changes", "0006_status_then")]
    operations = [migrations.RunSQL(freeze(*ASKED, *SHOWN), freeze(*ASKED))]
