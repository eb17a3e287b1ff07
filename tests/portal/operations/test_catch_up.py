"""After a break: nothing is sent until what happened at ITCare meanwhile was read and shown."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.audit import heads
from portal.audit.models import Entry
from portal.inventory.models import Cluster
from portal.operations import cancel, concerns, continuity, holds, send
from portal.operations.catch_up import LOOKS_FIRST, CatchUp
from portal.operations.models import Action, Attempt, Concern, Continuity, Hold, Operation, Secret
from tests.cast import Cast, queued
from tests.conftest import as_owner
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import (
    LISTS_ACTIONS,
    answering,
    everybody_tries,
    fault,
    followed,
    posts,
    sent,
    time_passes,
)
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def new(cast: Cast, **changes: str | None) -> Operation:
    return queued(cast.developer, cast.approver, **changes)


def away(seconds: float = 3600.0) -> None:
    """The portal was last at work that long ago."""
    Continuity.objects.update(at=F("at") - timedelta(seconds=seconds))


def restored_to_before_it_was_sent(operation: Operation, sealed: Mapping[str, Any]) -> None:
    """Wind the rows back as a backup had them: approved, and nothing known of what was sent since."""
    secret = Secret.objects.create(**sealed) if sealed else None
    with as_owner() as owner:
        owner.execute("DELETE FROM operations_actionmessage")
        owner.execute("DELETE FROM operations_action WHERE operation_id = %s", [operation.pk])
        owner.execute("DELETE FROM operations_attempt WHERE operation_id = %s", [operation.pk])
    Operation.objects.filter(pk=operation.pk).update(
        state="queued",
        sent_at=None,
        ended_at=None,
        last_proof="",
        upstream_action_id=None,
        cluster=None,
        lease_until=None,
        look_at=Now(),
        message="",
        fence=0,
        password=secret,
    )
    Cluster.objects.all().delete()


def sent_and_forgotten(cast: Cast) -> Operation:
    """An operation that was sent after the backup from which the database was restored."""
    operation = new(cast)
    sealed = Secret.objects.values("wrapped_key", "ciphertext").get(operation_to_send=operation)
    assert sent(operation).state == "running"
    restored_to_before_it_was_sent(operation, sealed)
    return operation


def looks() -> Continuity:
    CatchUp().run()
    return Continuity.objects.get()


def test_a_portal_that_was_never_at_work_counts_from_now_and_asks_nobody(db: None) -> None:
    row = looks()
    assert (row.database, row.broken, row.hold, Hold.objects.count()) == (continuity.database(), "", None, 0)


def test_a_portal_at_work_asks_nobody_and_goes_on(cast: Cast) -> None:
    away(60)
    before = Continuity.objects.get().at
    row = looks()
    assert (row.at > before, row.broken, Hold.objects.count(), continuity.unbroken()) == (True, "", 0, True)


def test_after_a_break_no_sender_sends_even_before_the_sweep_has_looked(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    away()
    send.send(operation.pk)
    row = Operation.objects.get()
    assert (row.state, row.failures, row.fence, upstream.writes(), Hold.objects.count()) == ("queued", 0, 0, [], 0)


def test_a_restart_after_a_night_needs_one_list_and_nobody(cast: Cast, settings: Settings) -> None:
    operation = new(cast)
    away(8 * 3600)
    with answering(settings, answer(200, [])) as api:
        row = looks()
        assert [call.method for call in api.received] == ["GET"]
        assert [call.path.rpartition("/")[2] for call in api.received] == ["actions"]
    assert (row.broken, row.hold, continuity.unbroken(), Concern.objects.count()) == ("", None, True, 0)
    (hold,) = Hold.objects.all()
    assert (hold.why, hold.started_by, hold.ended_by) == (f"The portal was away. {LOOKS_FIRST}", None, None)
    assert hold.ended_at is not None
    with answering(settings, answer(200, []), answer(200, []), answer(202, {"id": 7})):
        assert sent(operation).state == "running"


def test_what_is_known_or_still_looked_for_holds_nobody_up(cast: Cast, upstream: Sandbox) -> None:
    known = new(cast)
    assert sent(known).state == "running"
    upstream.set_faults(fault("drop"))
    unclear = sent(new(cast, name="unclear01"))
    upstream.set_faults(fault("empty"))
    numberless = sent(new(cast, name="numberless01"))
    assert (unclear.state, numberless.state, numberless.upstream_action_id) == ("unclear", "running", None)
    away()
    row = looks()
    assert (row.broken, row.hold, continuity.unbroken(), Concern.objects.count()) == ("", None, True, 0)


def test_what_was_sent_after_the_backup_is_not_sent_again_but_shown(cast: Cast, upstream: Sandbox) -> None:
    other = new(cast, name="another01")
    operation = sent_and_forgotten(cast)
    away()
    row = looks()
    assert (row.broken, row.hold is not None) == ("", True)
    (concern,) = Concern.objects.all()
    (action,) = concern.actions.all()
    assert (concern.situation, concern.operation, concern.service) == ("unknown_action", operation, cast.service)
    assert (action.resource_name, action.operation) == ("newpostgre01", None)
    assert "newpostgre01" in concern.words
    held = holds.held()
    assert held is not None
    assert held.why.startswith("The portal was away. ITCare did something meanwhile that the portal does not remember")
    everybody_tries(operation)
    assert looks().hold == held
    assert (posts(upstream), Operation.objects.filter(state="queued").count()) == (1, 2)

    # The person cancels it: that decides, and sends go again.
    cancel.cancel(Operation.objects.get(pk=operation.pk), cast.developer, with_password=True)
    assert looks().hold is None
    assert (holds.held(), Concern.objects.open().count()) == (None, 0)
    assert sent(other).state == "running"
    assert posts(upstream) == 2


def test_an_operation_that_the_backup_does_not_have_is_told_of_on_its_cluster(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    sent(operation)
    ended = followed(operation)
    cluster = ended.cluster
    assert cluster is not None
    with as_owner() as owner:
        owner.execute("DELETE FROM operations_actionmessage")
        owner.execute("DELETE FROM operations_action")
        owner.execute("DELETE FROM operations_attempt")
        owner.execute("DELETE FROM changes_decision")
        owner.execute("DELETE FROM changes_change")
        owner.execute("DELETE FROM operations_operation")
    Cluster.objects.update(wanted_at=None)
    away()
    assert looks().hold is not None
    (concern,) = Concern.objects.all()
    assert (concern.operation, concern.cluster, concern.service) == (None, cluster, cast.service)
    cluster.refresh_from_db()
    assert cluster.wanted_at is not None
    # A person notes the action: nothing needs them any more.
    concerns.close(Concern.objects.open(), "It was ours.", by=cast.approver)
    assert (looks().hold, holds.held()) == (None, None)
    # What was decided is not asked again after the next break.
    away()
    assert (looks().hold, holds.held(), Concern.objects.count()) == (None, None, 1)


def test_letting_sends_go_does_not_send_what_nobody_has_decided_on(cast: Cast, upstream: Sandbox) -> None:
    operation = sent_and_forgotten(cast)
    away()
    looks()
    hold = holds.held()
    assert hold is not None
    holds.let_go(hold, "I have looked.", by=cast.administrator)
    everybody_tries(operation)
    row = Operation.objects.get()
    assert (row.state, row.message, posts(upstream)) == ("queued", Concern.objects.get().words[:500], 1)


def test_a_restore_that_nothing_tells_of_is_seen_just_before_the_write(cast: Cast, upstream: Sandbox) -> None:
    operation = sent_and_forgotten(cast)
    row = sent(operation)
    assert (row.state, posts(upstream), Attempt.objects.count()) == ("queued", 1, 0)
    assert Concern.objects.get().operation == operation
    assert row.message.startswith("ITCare did something for the portal's account")
    # A person looks, finds that it was another's, and closes it: that is the decision.
    concerns.close(Concern.objects.open(), "Somebody tried the name by hand.", by=cast.approver)
    time_passes()
    assert not Concern.objects.open().exists()
    sent(operation)
    assert Operation.objects.get().message != row.message


def test_of_another_account_nothing_is_unknown_once_ours_is_known(cast: Cast, upstream: Sandbox) -> None:
    sent(new(cast))
    followed(Operation.objects.get())
    sent_and_forgotten_by = new(cast, name="another01")
    sent(sent_and_forgotten_by)
    with as_owner() as owner:
        owner.execute("UPDATE operations_action SET submitted_by = 'somebody-else' WHERE submitted_by <> ''")
    Action.objects.filter(operation=sent_and_forgotten_by).update(operation=None)
    Attempt.objects.filter(operation=sent_and_forgotten_by).update(upstream_action_id=None)
    Operation.objects.filter(pk=sent_and_forgotten_by.pk).update(upstream_action_id=None)
    away()
    assert (looks().hold, Concern.objects.count()) == (None, 0)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (fault("refuse", times=None, match=LISTS_ACTIONS, status=500), "ITCare is not available at the moment."),
        (
            fault("refuse", times=None, match=LISTS_ACTIONS, status=200, body=[{"status": "SUCCESS"}]),
            "ITCare's list of actions cannot be read in whole; the portal tries again.",
        ),
    ],
)
def test_as_long_as_itcare_cannot_be_read_nothing_is_sent(
    cast: Cast, upstream: Sandbox, rule: dict[str, object], words: str
) -> None:
    operation = new(cast)
    away()
    upstream.set_faults(rule)
    for _ in range(2):
        row = looks()
        assert (row.broken, continuity.unbroken()) == ("The portal was away.", False)
        (hold,) = Hold.objects.all()
        assert (hold.why, hold.ended_at) == (f"The portal was away. {LOOKS_FIRST} {words}", None)
        everybody_tries(operation)
    assert posts(upstream) == 0
    upstream.set_faults()
    assert (looks().broken, holds.held()) == ("", None)
    assert sent(operation).state == "running"


def test_who_lets_go_answers_for_an_itcare_that_cannot_be_read(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    away()
    upstream.set_faults(fault("refuse", times=None, match=LISTS_ACTIONS, status=200, body=[{"status": "SUCCESS"}]))
    looks()
    hold = holds.held()
    assert hold is not None
    holds.let_go(hold, "Asked at ITCare: nothing happened.", by=cast.administrator)
    everybody_tries(operation)
    assert posts(upstream) == 0
    row = looks()
    assert (row.broken, row.hold, continuity.unbroken(), holds.held()) == ("", None, True, None)
    upstream.set_faults()
    assert sent(operation).state == "running"


def test_a_hold_of_a_person_stays_theirs(cast: Cast, upstream: Sandbox) -> None:
    holds.hold("We move.", by=cast.administrator)
    away()
    assert (looks().broken, continuity.unbroken()) == ("", True)
    held = holds.held()
    assert held is not None
    assert (held.why, held.started_by) == ("We move.", cast.administrator)


def test_another_database_is_told_by_what_postgresql_says_of_itself(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    server, timeline, database, table = continuity.database().split("/")
    assert [len(timeline), server.isdigit(), database.isdigit(), table.isdigit()] == [8, True, True, True]
    for other in (f"1/{timeline}/{database}/{table}", f"{server}/00000002/{database}/{table}"):
        Continuity.objects.update(database=other)
        send.send(operation.pk)
        assert (Operation.objects.get().state, posts(upstream)) == ("queued", 0)
    row = looks()
    assert (row.broken, row.database) == ("", continuity.database())
    assert Hold.objects.get().why.startswith(continuity.RESTORED)


def test_a_table_that_was_made_anew_is_another_database(cast: Cast) -> None:
    before = continuity.database()
    with as_owner() as owner:
        owner.execute("ALTER TABLE operations_operation RENAME TO older")
        owner.execute("CREATE TABLE operations_operation (LIKE older)")
        owner.commit()
        try:
            assert continuity.database() != before
        finally:
            owner.execute("DROP TABLE operations_operation")
            owner.execute("ALTER TABLE older RENAME TO operations_operation")
            owner.commit()
    assert continuity.database() == before


def test_a_published_head_that_the_log_lacks_is_a_restore_and_is_looked_about_once(
    cast: Cast, upstream: Sandbox, settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_HEADS_FILE = str(tmp_path / "heads")
    new(cast)
    heads.publish()
    head = heads.current()
    assert (head is not None, looks().broken, Hold.objects.count()) == (True, "", 0)
    with as_owner() as owner:
        owner.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        owner.execute("DELETE FROM audit_entry WHERE number = %s", [Entry.objects.count()])
        owner.execute("ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_rows")
        owner.execute("ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_truncate")
    row = looks()
    assert (head is not None and row.missed_head == head.hash, row.broken) == (True, "")
    assert Hold.objects.get().why.startswith(continuity.BEHIND)
    looks()
    assert Hold.objects.count() == 1


def test_a_database_that_goes_back_under_a_running_sweep_is_noticed(cast: Cast, upstream: Sandbox) -> None:
    catch_up = CatchUp()
    catch_up.run()
    # Younger than any absence that would be noticed.
    away(30)
    catch_up.run()
    assert Hold.objects.get().why.startswith(continuity.WENT_BACK)
    catch_up.run()
    assert Hold.objects.count() == 1


def test_there_is_one_continuity(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="continuity_one_row"):
        Continuity.objects.create(pk=2)
