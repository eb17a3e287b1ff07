"""Rows of concerns and holds which PostgreSQL refuses the portal's own role, and how each is told once."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal.audit.models import Entry
from portal.operations import concerns, holds
from portal.operations.models import Action, Concern, Hold, Situation
from portal.operations.states import LostRaceError, State
from tests.cast import Cast, cluster
from tests.states.rows import operation

pytestmark = pytest.mark.django_db


def refused(constraint: str) -> Any:  # noqa: ANN401 - pytest's context
    """Expect PostgreSQL to name that constraint."""
    return pytest.raises(IntegrityError, match=rf'constraint "{constraint}"')


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("concern_closed_says_how", {"closed_at": Now()}),
        ("concern_closed_says_how", {"outcome": "Done."}),
        ("concern_situation_known", {"situation": "odd"}),
    ],
)
def test_a_forbidden_concern(cast: Cast, constraint: str, values: dict[str, Any]) -> None:
    told = {"situation": Situation.OVERDUE, "words": "It runs too long.", "operation": operation(cast)}
    with refused(constraint), transaction.atomic():
        Concern.objects.create(**{**told, **values})
    with refused("concern_closed_says_how"), transaction.atomic():
        Concern.objects.create(**told, closed_by=cast.approver)
    assert Concern.objects.create(**told).closed_at is None


def test_one_matter_is_open_once(cast: Cast) -> None:
    about = operation(cast)
    here = cluster(cast.service, 1)
    for same in ({"operation": about}, {"cluster": here}, {}):
        Concern.objects.create(situation=Situation.DRIFT, words="Odd.", **same)
        with pytest.raises(IntegrityError), transaction.atomic():
            Concern.objects.create(situation=Situation.DRIFT, words="Odd.", **same)
    assert Concern.objects.open().count() == 3


def test_a_concern_is_raised_once_and_keeps_up_with_the_evidence(cast: Cast) -> None:
    about = operation(cast, State.UNCLEAR)
    actions = [Action.objects.create(upstream_id=number) for number in (7, 8)]
    assert concerns.raise_concern(Situation.SEVERAL_FIT, "Two fit.", operation=about, actions=actions)
    assert not concerns.raise_concern(Situation.SEVERAL_FIT, "One fits.", operation=about, actions=actions[:1])
    row = Concern.objects.get()
    assert (row.words, list(row.actions.all())) == ("One fits.", actions[:1])
    assert concerns.close_of(about, "Settled.", Situation.SEVERAL_FIT, by=cast.approver) == 1
    assert concerns.close_of(about, "Settled again.") == 0
    row.refresh_from_db()
    assert (row.outcome, row.closed_by) == ("Settled.", cast.approver)
    told = Entry.objects.order_by("number").values_list("verb", "actor", "subject_id", "service_id")
    assert list(told) == [
        ("concern.raised", "portal", str(about.pk), cast.service.pk),
        ("concern.closed", cast.approver.email, str(about.pk), cast.service.pk),
    ]
    assert concerns.raise_concern(Situation.SEVERAL_FIT, "Again two.", operation=about)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("hold_has_a_reason", {"why": ""}),
        ("hold_ended_says_why", {"ended_at": Now()}),
        ("hold_ended_says_why", {"outcome": "Over."}),
    ],
)
def test_a_forbidden_hold(constraint: str, values: dict[str, Any]) -> None:
    with refused(constraint), transaction.atomic():
        Hold.objects.create(**{"why": "Maintenance.", **values})


def test_there_is_one_switch(cast: Cast) -> None:
    assert holds.hold("Maintenance.", by=cast.administrator)
    assert not holds.hold("Maintenance.", by=cast.administrator)
    held = holds.held()
    assert held is not None
    holds.let_go(held, "It is over.", by=cast.administrator)
    assert holds.held() is None
    with pytest.raises(LostRaceError):
        holds.let_go(held, "It is over.", by=cast.administrator)
    assert list(Entry.objects.order_by("number").values_list("verb", flat=True)) == ["sends.held", "sends.let_go"]
