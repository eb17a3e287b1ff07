"""The code of an action is evidence once it was learned from our own actions (API.md A20), and never more than that."""

import pytest

from portal.operations import fitting
from portal.operations.fitting import Known
from portal.operations.models import Action, Operation
from portal.operations.states import State
from tests.cast import Cast, queued
from tests.portal.catalog.asking import SOURCE, TARGET, approved, placed
from tests.portal.operations.engine import fault, followed, sent, settled, tells
from tests.portal.operations.test_settle import told
from tests.sandbox_server import Sandbox
from tests.states.rows import operation

pytestmark = pytest.mark.django_db(transaction=True)

STOPS, STARTS, CREATES = "postgresql_stop", "postgresql_start", "postgresql_create"


def unclear_stop(cast: Cast, upstream: Sandbox) -> Operation:
    """A stop of which nothing is done and nobody knows."""
    cluster = placed(upstream, cast.service, TARGET)
    row = approved(cast, "stop", cluster, {})
    upstream.set_faults(fault("drop_before", match={"method": "PATCH", "path": "/databases/postgresql"}))
    row = sent(row)
    assert row.state == "unclear"
    return row


def stopped_before(cast: Cast, upstream: Sandbox) -> None:
    """Another cluster was stopped, so that the code of that is known."""
    followed(sent(approved(cast, "stop", placed(upstream, cast.service, SOURCE), {})))


def seen(upstream: Sandbox, row: Operation, code: str | None) -> Operation:
    """Look while the list shows one action of our account with that code."""
    account = Action.objects.values_list("submitted_by", flat=True).first()
    upstream.set_faults(tells([told(90_001, resourceName=row.name, process=code, submittedBy=account)]))
    return settled(row)


def test_codes_and_account_are_learned_from_what_succeeded(cast: Cast, upstream: Sandbox) -> None:
    assert Known.learn() == Known(frozenset(), {})
    followed(sent(queued(cast.developer, cast.approver)))
    stopped_before(cast, upstream)
    upstream.set_faults(fault("action_error", match={"method": "PATCH"}))
    failed = approved(cast, "resize", placed(upstream, cast.service, TARGET), {"sizing": "4cpu8gb"})
    assert followed(sent(failed)).state == "failed"
    known = Known.learn()
    assert known.codes == {"create": {CREATES}, "stop": {STOPS}}
    assert known.accounts == {"portal-account"}


@pytest.mark.parametrize(
    ("code", "state"),
    # The last is not known of any kind, and may be another word for what was asked for.
    [(STOPS, "running"), (CREATES, "unclear"), (None, "running"), ("postgresql_halt", "running")],
)
def test_a_code_that_is_known_of_other_kinds_only_does_not_fit(
    cast: Cast, upstream: Sandbox, code: str | None, state: str
) -> None:
    followed(sent(queued(cast.developer, cast.approver)))
    stopped_before(cast, upstream)
    assert seen(upstream, unclear_stop(cast, upstream), code).state == state


def test_a_code_of_another_kind_fits_as_long_as_none_of_its_own_is_known(cast: Cast, upstream: Sandbox) -> None:
    followed(sent(queued(cast.developer, cast.approver)))
    assert seen(upstream, unclear_stop(cast, upstream), CREATES).state == "running"


def test_a_code_that_two_kinds_share_fits_both() -> None:
    known = Known(frozenset(), {"start": frozenset({"change"}), "stop": frozenset({"change", STOPS})})
    told_apart = [known.of_another_kind(code, "start") for code in ("change", STOPS, STARTS, "")]
    assert told_apart == [False, True, False, False]


def test_one_of_two_candidates_is_left_once_its_code_is_known(cast: Cast, upstream: Sandbox) -> None:
    followed(sent(queued(cast.developer, cast.approver)))
    stopped_before(cast, upstream)
    row = unclear_stop(cast, upstream)
    two = [told(90_001 + place, resourceName=row.name, process=code) for place, code in enumerate((CREATES, STOPS))]
    upstream.set_faults(tells([{**each, "submittedBy": "portal-account"} for each in two]))
    row = settled(row)
    assert (row.state, row.upstream_action_id) == ("running", 90_002)


def test_only_the_newest_actions_teach(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "LEARNED_FROM", 2)
    for number, kind in enumerate(("create", "stop", "start")):
        row = operation(cast, State.SUCCEEDED, kind=kind)
        Action.objects.create(upstream_id=number, operation=row, process=f"code of {kind}")
    assert set(Known.learn().codes) == {"stop", "start"}
