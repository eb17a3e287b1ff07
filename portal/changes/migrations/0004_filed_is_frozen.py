"""What was filed is what is decided on: once pending, nothing of a change that a decision rests on can be altered."""

from django.db import migrations

FREEZE = """
CREATE FUNCTION change_refuse_alteration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'change % was filed: what it asks for is fixed', OLD.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'filed_change_is_frozen';
END
$$;
CREATE TRIGGER filed_change_is_frozen BEFORE UPDATE ON changes_change FOR EACH ROW
    WHEN (OLD.state <> 'draft' AND (
        OLD.reference, OLD.kind, OLD.name, OLD.title, OLD.service_id, OLD.cluster_id, OLD.requester_id, OLD.why,
        OLD.parameters, OLD.revision, OLD.digest
    ) IS DISTINCT FROM (
        NEW.reference, NEW.kind, NEW.name, NEW.title, NEW.service_id, NEW.cluster_id, NEW.requester_id, NEW.why,
        NEW.parameters, NEW.revision, NEW.digest
    ))
    EXECUTE FUNCTION change_refuse_alteration();
"""
THAW = """
DROP TRIGGER filed_change_is_frozen ON changes_change;
DROP FUNCTION change_refuse_alteration();
"""


class Migration(migrations.Migration):
    dependencies = [("changes", "0003_rules_of_rows")]
    operations = [migrations.RunSQL(FREEZE, THAW)]
