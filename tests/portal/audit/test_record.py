"""What is recorded, and what the database refuses to let anybody alter."""

import threading
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.db import Error, IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.test.utils import CaptureQueriesContext

from portal.audit.chain import START, hash_of
from portal.audit.models import Entry
from portal.audit.record import Value, record
from portal.sealing import Sealed, SecretText
from tests.conftest import as_owner

REFUSED = "the audit log is only ever added to"


def note(subject: str = "main_orders", **detail: Value) -> Entry:
    return record("thing.done", actor="a@b.fr", subject_type="thing", subject_id=7, subject=subject, detail=detail)


@pytest.mark.django_db
def test_an_entry_holds_what_it_was_given() -> None:
    record(
        "change.approved",
        actor="ada@example.com",
        actor_id=4,
        subject_type="change",
        subject_id=12,
        subject="Create main_orders",
        service_id=3,
        detail={"digest": "ab", "operation": 9, "forced": False, "none": None, "services": ["1", "2"]},
    )
    entry = Entry.objects.get()
    assert (entry.number, entry.version, entry.previous_hash) == (1, 1, START)
    assert (entry.verb, entry.actor, entry.actor_id) == ("change.approved", "ada@example.com", 4)
    assert (entry.subject_type, entry.subject_id, entry.subject) == ("change", "12", "Create main_orders")
    assert entry.service_id == 3
    assert entry.detail == {"digest": "ab", "operation": 9, "forced": False, "none": None, "services": ["1", "2"]}
    assert entry.hash == hash_of(entry)
    assert str(entry) == "1: ada@example.com change.approved Create main_orders"


@pytest.mark.django_db
def test_entries_are_numbered_without_gaps_and_chained() -> None:
    first = note()
    with transaction.atomic():
        note("undone")
        transaction.set_rollback(True)
    second = note()
    assert (first.number, second.number) == (1, 2)
    assert second.previous_hash == first.hash


@pytest.mark.django_db
def test_the_lock_comes_first_then_the_databases_time_then_the_last_entry() -> None:
    with CaptureQueriesContext(connection) as queries:
        entry = note()
    words = ["pg_advisory_xact_lock", "clock_timestamp()", "DESC LIMIT 1", "INSERT INTO"]
    assert [word in query["sql"] for word, query in zip(words, queries, strict=True)] == [True] * 4
    assert Entry.objects.get().at == entry.at


@pytest.mark.django_db(transaction=True)
def test_nothing_is_recorded_outside_of_a_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError, match="open one"):
        note()
    assert Entry.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_leaves_no_entry() -> None:
    with transaction.atomic():
        note()
        transaction.set_rollback(True)
    assert Entry.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [SecretText("geheim"), [SecretText("geheim")], Sealed(b"geheim", b"geheim"), b"geheim", 1.5, {"a": "b"}],
)
def test_only_plain_values_are_recorded_and_the_refusal_does_not_quote_them(value: Value) -> None:
    with pytest.raises(TypeError) as refusal:
        note(password=value)
    assert "geheim" not in str(refusal.value)
    assert Entry.objects.count() == 0


@pytest.mark.django_db
def test_a_secret_is_not_taken_as_text_either() -> None:
    with pytest.raises(TypeError):
        note(SecretText("geheim"))  # type: ignore[arg-type]
    assert Entry.objects.count() == 0


@pytest.mark.django_db
def test_hostile_text_is_recorded_and_still_verifies() -> None:
    note("a\0b \ud800 '; DROP TABLE audit_entry; --", comment="x\0y", **{"k\0": "é" * 10_000})
    entry = Entry.objects.get()
    assert entry.subject == "a\ufffdb ? '; DROP TABLE audit_entry; --"
    assert entry.detail == {"comment": "x\ufffdy", "k\ufffd": "é" * 10_000}
    assert entry.hash == hash_of(entry)


@pytest.mark.django_db
def test_every_field_counts_for_the_hash() -> None:
    entry = note(comment="x")
    altered = {
        "previous_hash": "1" * 64,
        "number": 2,
        "at": entry.at + timedelta(microseconds=1),
        "verb": "thing.undone",
        "actor": "c@d.fr",
        "actor_id": 0,
        "subject_type": "",
        "subject_id": "8",
        "subject": "main_users",
        "service_id": 0,
        "detail": {"comment": "y"},
    }
    untouched = {"version", "hash"}
    assert {field.name for field in Entry._meta.fields} == set(altered) | untouched
    for name, value in altered.items():
        other = Entry.objects.get()
        setattr(other, name, value)
        assert hash_of(other) != entry.hash, name


@pytest.mark.django_db
def test_text_cannot_move_from_one_field_to_the_next() -> None:
    entry = note()
    entry.subject_type, entry.subject_id = "thin", "g7"
    assert hash_of(entry) != entry.hash


@pytest.mark.django_db
def test_a_form_of_another_version_is_not_guessed() -> None:
    entry = note()
    entry.version = 2
    with pytest.raises(ValueError, match="version 2"):
        hash_of(entry)


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_make_one_chain() -> None:
    together = threading.Barrier(2, timeout=10)
    failures: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(10):
                together.wait()
                with transaction.atomic():
                    note()
        except Exception as failure:  # noqa: BLE001 - told by the test
            failures.append(failure)
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)
    assert failures == []
    entries = list(Entry.objects.order_by("number"))
    assert [entry.number for entry in entries] == list(range(1, 21))
    assert [entry.previous_hash for entry in entries] == [START, *(entry.hash for entry in entries[:-1])]


@pytest.mark.django_db(transaction=True)
def test_a_second_writer_waits_for_the_first_ones_commit() -> None:
    begun, written = threading.Event(), threading.Event()
    numbers: list[int] = []

    def second() -> None:
        begun.wait(timeout=10)
        with transaction.atomic():
            numbers.append(note().number)
        written.set()
        connection.close()

    writer = threading.Thread(target=second)
    writer.start()
    with transaction.atomic():
        numbers.append(note().number)
        begun.set()
        assert not written.wait(timeout=0.3)
    writer.join(timeout=10)
    assert numbers == [1, 2]


ALTER = ["UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ALTER)
def test_the_portals_role_may_not_alter_entries(statement: str) -> None:
    note()
    with (
        pytest.raises(Error, match="permission denied for table audit_entry"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert Entry.objects.get().actor == "a@b.fr"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "DROP TABLE audit_entry",
        "CREATE TABLE other (id integer)",
        "CREATE TEMPORARY TABLE audit_entry (number bigint)",
        "SET session_replication_role = replica",
        "CREATE TRIGGER mine BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse()",
        "CREATE OR REPLACE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    ],
)
def test_the_portals_role_may_not_take_the_protection_away(statement: str) -> None:
    with (
        pytest.raises(Error, match=r"permission denied|must be owner"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", ALTER)
def test_the_owner_is_refused_by_the_triggers(statement: str) -> None:
    with transaction.atomic():
        note()
    with as_owner() as owner, pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED):
        owner.execute(statement.encode())
    assert Entry.objects.get().actor == "a@b.fr"


@pytest.mark.django_db(transaction=True)
def test_two_successors_of_one_entry_are_refused() -> None:
    with transaction.atomic():
        entry = note()
    rival = Entry.objects.get()
    rival.number, rival.hash = entry.number + 1, "f" * 64
    with pytest.raises(IntegrityError, match="audit_entry_one_successor"):
        rival.save(force_insert=True)


@pytest.mark.django_db
def test_the_chain_has_a_first_number() -> None:
    entry = note()
    entry.number, entry.previous_hash = 0, "e" * 64
    with pytest.raises(IntegrityError, match="audit_entry_number_from_one"):
        entry.save(force_insert=True)


@pytest.mark.django_db
def test_rights_are_given_before_any_table_is_made() -> None:
    loader = MigrationLoader(connection)
    assert {
        key for key in loader.graph.nodes if ("audit", "0001_rights") not in loader.graph.forwards_plan(key)
    } == set()


@pytest.mark.django_db
def test_the_portals_role_reaches_every_other_table() -> None:
    missing = {}
    with connection.cursor() as cursor:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            cursor.execute(
                """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                   AND NOT has_table_privilege(%s, oid, %s) ORDER BY relname""",
                [settings.PORTAL_ROLE, right],
            )
            missing[right] = [name for (name,) in cursor.fetchall()]
    migrations = "django_migrations"
    assert missing == {
        "SELECT": [],
        "INSERT": [migrations],
        "UPDATE": ["audit_entry", migrations],
        "DELETE": ["audit_entry", migrations],
    }
