"""Tampering is found, whoever did it: here the owner, who can switch the triggers off."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal.audit import heads
from portal.audit.chain import START, hash_of
from portal.audit.models import Entry
from portal.audit.record import record
from portal.audit.verify import MOST, verify
from tests.conftest import as_owner
from tests.portal.audit.tampering import last_head, run, tamper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("five_entries")]

REFUSE = """CREATE OR REPLACE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$"""
ROWS = "CREATE OR REPLACE TRIGGER audit_entry_rows BEFORE {} ON audit_entry FOR EACH ROW {} EXECUTE FUNCTION {}()"
ALL_ROWS = ROWS.format("UPDATE OR DELETE", "", "audit_entry_refuse")
TRUNCATE = """CREATE OR REPLACE TRIGGER audit_entry_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse()"""
MINE = "CREATE TRIGGER mine BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse()"
ALWAYS = [
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_rows",
    "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_truncate",
]
REVOKE = "REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON audit_entry FROM ROLE"
PROTECTED = ["DROP TRIGGER IF EXISTS mine ON audit_entry", REFUSE, ALL_ROWS, TRUNCATE, *ALWAYS, REVOKE]


@pytest.fixture
def _protection() -> Iterator[None]:
    """Put the protection back that the test took away."""
    yield
    with as_owner() as owner:
        for statement in PROTECTED:
            run(owner, statement)


def rewritten(number: int, **values: str) -> str:
    """Return the statement that alters an entry so that its own hash fits again."""
    entry = Entry.objects.get(number=number)
    for name, value in values.items():
        setattr(entry, name, value)
    altered = ", ".join(f"{name} = '{value}'" for name, value in {**values, "hash": hash_of(entry)}.items())
    return f"UPDATE audit_entry SET {altered} WHERE number = {number}"  # noqa: S608 - the test's own words


def test_a_log_that_nobody_touched_is_whole(file: Path) -> None:
    verdict = verify(file)
    assert verdict.problems == ()
    assert (verdict.entries, verdict.heads) == (5, 1)
    assert verdict.head == Entry.objects.get(number=5).hash


def test_an_empty_log_is_whole() -> None:
    tamper("DELETE FROM audit_entry")
    verdict = verify()
    assert (verdict.entries, verdict.head, verdict.heads, verdict.problems) == (0, START, 0, ())


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'nobody'",
        "actor_id = 9",
        "verb = 'thing.undone'",
        "subject = 'other'",
        "service_id = 1",
        """detail = '{"comment": "x"}'""",
        "at = at + interval '1 microsecond'",
    ],
)
def test_an_altered_entry_is_found(change: str) -> None:
    tamper(f"UPDATE audit_entry SET {change} WHERE number = 3")  # noqa: S608 - the test's own words
    assert verify().problems == ("Entry 3 was altered: its hash does not fit its words.",)


def test_an_altered_entry_with_a_hash_that_fits_is_found_by_its_successor() -> None:
    tamper(rewritten(3, actor="nobody"))
    assert verify().problems == ("Entry 4 does not follow from the one before it.",)


def test_an_altered_last_entry_is_found_by_its_published_head(file: Path) -> None:
    tamper(rewritten(5, actor="nobody"))
    assert verify().problems == ()
    at = last_head(file).at
    assert verify(file).problems == (f"Entry 5 is not the one that was published at {at}.",)


def test_a_removed_entry_is_found() -> None:
    tamper("DELETE FROM audit_entry WHERE number = 3")
    assert verify().problems == ("Entries are missing: after 2 comes 4.",)


def test_a_removed_beginning_is_found() -> None:
    tamper("DELETE FROM audit_entry WHERE number = 1")
    assert verify().problems == ("Entries are missing: after 0 comes 2.",)


def test_a_tail_that_was_cut_off_is_found_by_its_published_head_only(file: Path) -> None:
    tamper("DELETE FROM audit_entry WHERE number > 3")
    assert verify().problems == ()
    assert verify(file).problems == (f"Entry 5, published at {last_head(file).at}, is gone.",)


def test_an_entry_of_a_version_that_nobody_knows_is_told() -> None:
    tamper("UPDATE audit_entry SET version = 9 WHERE number = 2")
    assert verify().problems == ("Entry 2 cannot be checked: version 9 of the canonical form is not known.",)


def test_a_log_that_is_broken_everywhere_is_told_in_few_sentences() -> None:
    with transaction.atomic():
        for number in range(MOST):
            record("thing.done", actor="a@b.fr", subject_type="thing", subject_id=number, subject="thing")
    tamper("UPDATE audit_entry SET actor = 'nobody'")
    assert len(verify().problems) == MOST


DISABLED = "The trigger audit_entry_rows is not always enabled."
ALTERED = "The trigger audit_entry_rows does not do what it did."


@pytest.mark.usefixtures("_protection")
@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_rows"], DISABLED),
        (["ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_rows"], DISABLED),
        (["DROP TRIGGER audit_entry_truncate ON audit_entry"], "The trigger audit_entry_truncate is gone."),
        ([ROWS.format("UPDATE", "", "audit_entry_refuse"), *ALWAYS], ALTERED),
        ([ROWS.format("UPDATE OR DELETE", "WHEN (OLD.number < 0)", "audit_entry_refuse"), *ALWAYS], ALTERED),
        ([MINE], "The table has a trigger that is not the portal's: mine."),
        (["GRANT UPDATE (actor) ON audit_entry TO ROLE"], "The portal's role portal_app may update entries."),
        (["GRANT DELETE ON audit_entry TO ROLE"], "The portal's role portal_app may delete entries."),
        (["GRANT TRUNCATE ON audit_entry TO ROLE"], "The portal's role portal_app may empty the table."),
        (["GRANT TRIGGER ON audit_entry TO ROLE"], "The portal's role portal_app may put triggers on the table."),
    ],
)
def test_protection_that_was_taken_away_is_found(statements: list[str], problem: str) -> None:
    with as_owner() as owner:
        for statement in statements:
            run(owner, statement)
    assert verify().problems == (problem,)


@pytest.mark.usefixtures("_protection")
def test_triggers_that_let_everything_pass_are_found() -> None:
    with as_owner() as owner:
        run(
            owner,
            "CREATE OR REPLACE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN OLD; END'",
        )
    assert verify().problems == (ALTERED, "The trigger audit_entry_truncate does not do what it did.")


def test_a_portal_that_owns_the_table_is_found(settings: Settings) -> None:
    settings.PORTAL_ROLE = settings.OWNER["USER"]
    assert verify().problems == tuple(
        f"The portal's role portal_owner {words}."
        for words in (
            "may update entries",
            "may delete entries",
            "may empty the table",
            "may put triggers on the table",
            "can become the table's owner",
        )
    )


def test_a_long_log_costs_no_more_queries_than_a_short_one(file: Path) -> None:
    with CaptureQueriesContext(connection) as short:
        assert verify(file).problems == ()
    with transaction.atomic():
        for number in range(30):
            record("thing.done", actor="a@b.fr", subject_type="thing", subject_id=number, subject="thing")
    heads.publish()
    with CaptureQueriesContext(connection) as long:
        verdict = verify(file)
    assert (verdict.entries, verdict.heads, verdict.problems) == (35, 2, ())
    assert len(long) == len(short)


def test_lines_that_are_no_heads_are_told(file: Path) -> None:
    with file.open("a") as lines:
        lines.write('half a line\n{}\n[1]\n{"number": "5", "count": 5, "hash": "x", "at": ""}\n\n')
    assert verify(file).problems == tuple(f"Line {number} of {file} is not a head." for number in range(2, 7))


def test_a_head_that_counted_fewer_entries_is_told(file: Path) -> None:
    head = last_head(file)
    file.write_text(heads.Head(number=5, count=4, hash=head.hash, at="2026-11-01").line())
    assert verify(file).problems == ("When entry 5 was published at 2026-11-01, there were 4 entries.",)


def test_a_file_of_heads_that_is_gone_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert verify(missing).problems == (f"The published heads cannot be read: No such file or directory ({missing}).",)


def test_the_command_says_that_all_is_well(file: Path) -> None:
    out = io.StringIO()
    call_command("audit_verify", stdout=out)
    head = Entry.objects.get(number=5).hash
    assert out.getvalue() == f"The audit log is whole: 5 entries, head {head}, 1 published heads agree.\n"


def test_the_command_says_when_it_had_no_heads(settings: Settings) -> None:
    settings.AUDIT_HEADS_FILE = ""
    out = io.StringIO()
    call_command("audit_verify", stdout=out)
    assert out.getvalue().endswith(", no published heads were compared.\n")


def test_the_command_ends_with_1_and_a_sentence_when_the_log_is_broken(file: Path) -> None:
    tamper("UPDATE audit_entry SET actor = 'nobody' WHERE number = 3", "DELETE FROM audit_entry WHERE number = 5")
    with pytest.raises(CommandError) as broken:
        call_command("audit_verify", "--heads", str(file))
    assert broken.value.returncode == 1
    assert str(broken.value).splitlines() == [
        "The audit log is NOT whole.",
        "Entry 3 was altered: its hash does not fit its words.",
        f"Entry 5, published at {last_head(file).at}, is gone.",
    ]
