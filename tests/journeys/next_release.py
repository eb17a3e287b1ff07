"""The portal as its next release may be: a copy of the code that has one more column, and the migration for it."""

import shutil
from pathlib import Path

from tests.running_portal import ROOT

# What the processes need, and no more.
COPIED = ("manage.py", "portal", "templates")
BESIDE = "    look_at = models.DateTimeField(null=True, db_default=Now())\n"
# Rows show whose code made them.
COLUMN = '    made_by = models.CharField(max_length=10, default="new code", db_default="old code")\n'
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "{last}")]
    operations = [
        migrations.AddField(
            "operation", "made_by", models.CharField(max_length=10, default="new code", db_default="old code")
        )
    ]
"""


def next_release(folder: Path) -> Path:
    """Make it in that folder, which must not be there yet; answers the folder."""
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    model = folder / "portal/operations/models/operations.py"
    before = model.read_text(encoding="utf-8")
    assert before.count(BESIDE) == 1
    model.write_text(before.replace(BESIDE, BESIDE + COLUMN), encoding="utf-8")
    migrations = folder / "portal/operations/migrations"
    last = max(file.stem for file in migrations.glob("[0-9]*.py"))
    (migrations / "9999_next_release.py").write_text(MIGRATION.format(last=last), encoding="utf-8")
    return folder
