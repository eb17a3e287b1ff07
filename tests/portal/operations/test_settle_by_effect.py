"""A write whose answer is lost and whose action is never listed: the cluster tells, where the kind's effect shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from portal.audit.models import Entry
from portal.catalog.kinds import KINDS
from portal.inventory.models import Cluster
from portal.operations.models import Action, Concern, Operation
from tests.cast import Cast, queued
from tests.portal.catalog.asking import RESTORE, SOURCE, TARGET, Values, approved, placed
from tests.portal.operations.engine import (
    LISTS_ACTIONS,
    everybody_tries,
    fault,
    followed,
    sent,
    settled,
    story,
    tells,
    time_passes,
)
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

NOT_FOUND = "The action itself was not found."
NOT_YET = "ITCare shows nothing of it yet; it is looked for again."
A_PERSON = "ITCare shows nothing of it: a person must find out. It is not sent again."
# The first action that the stand-in ever starts.
FIRST_ACTION = 77_001
FAR_AHEAD = 4_102_444_800.0


@dataclass(frozen=True)
class Case:
    """A kind, the cluster that it is asked of, and what that shows afterwards, if it shows anything."""

    kind: str
    effect: str = ""
    placing: Mapping[str, Any] = field(default_factory=dict)
    values: Values = field(default_factory=dict)

    @property
    def write(self) -> dict[str, str]:
        """What the call is told from others by."""
        methods = {"create": "POST", "delete": "DELETE"}
        return {"method": methods.get(self.kind, "PATCH"), "path": "/databases/postgresql"}


CASES = [
    Case("create", "the cluster is there and active"),
    Case("delete", "ITCare no longer knows the cluster"),
    Case("start", "the cluster is active", {"status": "INACTIVE"}),
    Case("stop", "the cluster is stopped"),
    Case("resize", "each node of the cluster has 4 CPU, 8 GB", values={"sizing": "4cpu8gb"}),
    Case("enable_ha", "the cluster is highly available", values={"replication_lag": "33"}),
    Case("upgrade", "the cluster runs PostgreSQL 17", {"product_code": "deb12pg15"}, {"target_version": "17"}),
    Case("restore", values=RESTORE),
    Case("install_extension", values={"dbname": "postgres", "extensions": ["hstore"]}),
    Case("update_patch_party", values={"excluded": "true", "exclusion_reason": "We patch it."}),
]
each_kind = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)


def asked(cast: Cast, upstream: Sandbox, case: Case) -> Operation:
    """An approved operation of that kind."""
    if case.kind == "create":
        return queued(cast.developer, cast.approver)
    placed(upstream, cast.service, SOURCE)
    cluster = placed(upstream, cast.service, TARGET, **case.placing)
    return approved(cast, case.kind, cluster, case.values)


def lost(cast: Cast, upstream: Sandbox, case: Case, how: str) -> Operation:
    """The same, sent into a connection that breaks; the list of actions never shows the newest."""
    row = asked(cast, upstream, case)
    upstream.set_faults(fault(how, match=case.write), fault("hide_newest", times=None, match=LISTS_ACTIONS))
    row = sent(row)
    assert row.state == "unclear"
    return row


def looked(row: Operation) -> Operation:
    """Look twice, some time apart: that a cluster does not exist counts only then."""
    settled(row)
    Cluster.objects.update(missed_at=F("missed_at") - timedelta(minutes=3))
    return settled(row)


def test_the_table_has_every_kind_and_three_of_them_show_nothing() -> None:
    assert [case.kind for case in CASES if not case.effect] == ["restore", "install_extension", "update_patch_party"]
    assert {case.kind: bool(case.effect) for case in CASES} == {name: kind.effect_shows for name, kind in KINDS.items()}


@each_kind
def test_the_answer_is_lost_after_it_was_done_and_the_action_is_never_listed(
    cast: Cast, upstream: Sandbox, settings: Settings, case: Case
) -> None:
    row = lost(cast, upstream, case, "drop")
    Caller(upstream).ended(FIRST_ACTION)
    row = looked(row)
    if not case.effect:
        assert (row.state, row.message) == ("unclear", NOT_YET)
        time_passes(settings.SETTLE_GRACE_SECONDS)
        row = settled(row)
        assert (row.state, row.message) == ("unclear", A_PERSON)
        concern = Concern.objects.get()
        assert (concern.situation, concern.operation, list(concern.actions.all())) == ("nothing_found", row, [])
        assert concern.words == (
            f"{A_PERSON} No action since then can be its own. Whether it was done cannot be read off the cluster."
        )
    else:
        assert (row.state, row.upstream_action_id, Concern.objects.count()) == ("succeeded", None, 0)
        assert row.message == f"ITCare shows that it was done: {case.effect}. {NOT_FOUND}"
        assert Entry.objects.get(verb="operation.succeeded").detail["evidence"] == case.effect
        assert story(row)[-1].note == row.message
        assert row.cluster is not None
        assert row.cluster.name == row.name
    assert Action.objects.count() == 0
    everybody_tries(row)
    assert len(upstream.writes()) == 1


@each_kind
def test_it_was_never_done_so_nothing_of_it_shows_and_a_person_is_asked(
    cast: Cast, upstream: Sandbox, settings: Settings, case: Case
) -> None:
    row = looked(lost(cast, upstream, case, "drop_before"))
    assert (row.state, row.message, Concern.objects.count()) == ("unclear", NOT_YET, 0)
    time_passes(settings.SETTLE_GRACE_SECONDS)
    row = settled(row)
    assert (row.state, row.message) == ("unclear", A_PERSON)
    concern = Concern.objects.get()
    seen = "The cluster does not show that it was done."
    if not case.effect:
        seen = "Whether it was done cannot be read off the cluster."
    assert concern.words == f"{A_PERSON} No action since then can be its own. {seen}"
    everybody_tries(row)
    assert (len(upstream.writes()), Concern.objects.count()) == (1, 1)


def test_an_action_that_fits_counts_before_the_effect(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, CASES[4], "drop")
    Caller(upstream).ended(FIRST_ACTION)
    upstream.set_faults()
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", FIRST_ACTION)


@pytest.mark.parametrize("status", ["RESIZING", "ODD"])
def test_a_size_that_is_shown_while_the_cluster_is_worked_on_is_no_end(
    cast: Cast, upstream: Sandbox, status: str
) -> None:
    row = lost(cast, upstream, CASES[4], "drop_before")
    upstream.change_cluster(TARGET, sizing="4cpu8gb", status=status)
    assert settled(row).state == "unclear"
    upstream.change_cluster(TARGET, status="ACTIVE")
    assert settled(row).state == "succeeded"


def test_one_answer_that_the_cluster_does_not_exist_is_no_end_of_a_delete(cast: Cast, upstream: Sandbox) -> None:
    row = lost(cast, upstream, CASES[1], "drop_before")
    own_page = {"method": "GET", "path": rf"/databases/postgresql/{TARGET}$"}
    hidden = fault("hide_newest", times=None, match=LISTS_ACTIONS)
    upstream.set_faults(hidden, fault("refuse", match=own_page, status=404))
    row = looked(row)
    assert (row.state, row.message) == ("unclear", NOT_YET)
    upstream.remove_cluster(TARGET)
    assert looked(row).state == "succeeded"


def test_that_a_new_cluster_is_listed_is_no_end_of_a_create_before_its_own_page_tells(
    cast: Cast, upstream: Sandbox
) -> None:
    row = lost(cast, upstream, CASES[0], "drop")
    Caller(upstream).ended(FIRST_ACTION)
    own_page = {"method": "GET", "path": r"/databases/postgresql/\d+$"}
    hidden = fault("hide_newest", times=None, match=LISTS_ACTIONS)
    upstream.set_faults(hidden, fault("refuse", times=None, match=own_page, status=403))
    assert settled(row).state == "unclear"
    upstream.set_faults(hidden)
    assert settled(row).state == "succeeded"


def test_an_effect_that_another_action_may_have_had_proves_nothing(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    # How ITCare spells the portal's account is known from this one.
    followed(sent(queued(cast.developer, cast.approver, name="another01")))
    row = lost(cast, upstream, CASES[4], "drop_before")
    stranger = {
        "id": 90_000,
        "status": "SUCCESS",
        "message": "Resized",
        "resourceName": row.name,
        "submittedAt": "2199-01-01T00:00:00.000Z",
        "submittedBy": "somebody else",
    }
    upstream.set_faults(tells([stranger]))
    upstream.change_cluster(TARGET, sizing="4cpu8gb")
    assert settled(row).state == "unclear"
    time_passes(settings.SETTLE_GRACE_SECONDS)
    assert settled(row).state == "unclear"
    concern = Concern.objects.get()
    assert [action.upstream_id for action in concern.actions.all()] == [90_000]
    assert concern.words == (
        f"{A_PERSON} No action since then can be its own. Each node of the cluster has 4 CPU, 8 GB, but another action "
        "may have done that. On this name since: Action 90000 (SUCCESS: Resized)."
    )


@pytest.mark.parametrize(
    "other", [{"sizing": "8cpu16gb"}, {"product_code": "deb12pg15"}, {"disk": 80}], ids=lambda other: next(iter(other))
)
def test_a_cluster_of_that_name_which_is_not_what_was_asked_for_was_made_by_another(
    cast: Cast, upstream: Sandbox, other: dict[str, Any]
) -> None:
    row = lost(cast, upstream, CASES[0], "drop_before")
    asked = {"product_code": "deb12pg16", "sizing": "2cpu4gb", "disk": 40, "created_at": FAR_AHEAD}
    upstream.place_cluster(9, name="newpostgre01", **{**asked, **other})
    assert settled(row).state == "unclear"
    upstream.change_cluster(9, **asked)
    assert settled(row).state == "succeeded"


def test_a_cluster_that_cannot_be_read_does_not_mean_that_nothing_is_there(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    row = lost(cast, upstream, CASES[4], "drop")
    Caller(upstream).ended(FIRST_ACTION)
    hidden = fault("hide_newest", times=None, match=LISTS_ACTIONS)
    own_page = {"method": "GET", "path": rf"/databases/postgresql/{TARGET}$"}
    upstream.set_faults(hidden, fault("refuse", times=None, match=own_page, status=403))
    time_passes(settings.SETTLE_GRACE_SECONDS)
    assert (settled(row).state, Concern.objects.count()) == ("unclear", 0)
    Operation.objects.update(sent_at=F("sent_at") - timedelta(seconds=settings.SETTLE_GRACE_SECONDS))
    settled(row)
    assert Concern.objects.get().situation == "unsettled"
    upstream.set_faults(hidden)
    assert settled(row).state == "succeeded"
    closed = Concern.objects.get()
    assert closed.outcome == (f"ITCare shows that it was done: each node of the cluster has 4 CPU, 8 GB. {NOT_FOUND}")
