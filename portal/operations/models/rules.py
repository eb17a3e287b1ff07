"""The rules that the database keeps of operations: each constraint says why."""

from typing import Final

from django.db import models
from django.db.models import F, Q

from portal.operations.states import (
    ENDED,
    NEVER_RELEASED,
    NOTHING_EXECUTED,
    RELEASED_BY_TWO,
    UNFINISHED,
    UNSENT,
    Proof,
    State,
)

INDEXES: Final = [
    # No index holds what each look writes (look_at, lease, fence, failures): PostgreSQL then rewrites a row in its
    # page, ten times as fast as with all indexes, and thousands are looked at again and again. What is due is found
    # among the unfinished.
    models.Index(fields=["service", "-id"], name="operation_service"),
    models.Index(fields=["cluster", "-id"], name="operation_cluster"),
    models.Index(fields=["state", "-id"], name="operation_state"),
    models.Index(fields=["kind", "state"], name="operation_kind"),
    # What ended lately is watched for actions that show up late.
    models.Index(fields=["ended_at"], name="operation_ended", condition=Q(ended_at__isnull=False)),
]
CONSTRAINTS: Final = [
    # ITCare takes one change at a time (API.md A24), and two at once could not be told apart.
    models.UniqueConstraint(
        fields=["cluster"],
        condition=Q(state__in=UNFINISHED, cluster__isnull=False),
        name="one_unfinished_operation_a_cluster",
    ),
    # Before the cluster exists its name is all there is: two creates of one name must not both run.
    models.UniqueConstraint(
        fields=["name"],
        condition=Q(state__in=UNFINISHED, kind="create"),
        name="one_unfinished_create_a_name",
    ),
    # Two that follow one action would both end with it, and one of them was perhaps never carried out. Also the index
    # by which the operations of a list of actions are found.
    models.UniqueConstraint(
        fields=["upstream_action_id"],
        condition=Q(upstream_action_id__isnull=False),
        name="one_operation_an_action",
    ),
    # Only with an id, or the proof that it was accepted, is there something to follow.
    models.CheckConstraint(
        condition=~Q(state=State.RUNNING) | Q(upstream_action_id__isnull=False) | Q(last_proof=Proof.ACCEPTED),
        name="running_was_accepted",
    ),
    # A failure without a reason cannot be acted on.
    models.CheckConstraint(condition=~Q(state=State.FAILED) | ~Q(reason=""), name="failed_has_a_reason"),
    # A row that nobody looks at again would hang for ever.
    models.CheckConstraint(
        condition=Q(state__in=UNFINISHED, look_at__isnull=False, ended_at=None)
        | Q(state__in=ENDED, look_at=None, ended_at__isnull=False),
        name="unfinished_is_looked_at_again",
    ),
    # Once a call may have been executed the password is erased: nobody can send it a second time.
    models.CheckConstraint(condition=Q(state__in=UNSENT) | Q(password=None), name="password_only_unsent"),
    # What was not created has no password to show.
    models.CheckConstraint(
        condition=~Q(state__in=[State.FAILED, State.CANCELLED]) | Q(reveal=None), name="no_reveal_of_a_failure"
    ),
    # Sent at most once: back in the queue only with proof that nothing was executed, or released by a person;
    # by two where a second execution would destroy data or the first is known to have been accepted, and never
    # where the password is gone.
    models.CheckConstraint(
        condition=~Q(state=State.QUEUED)
        | Q(last_proof="", sent_at=None)
        | Q(last_proof__in=NOTHING_EXECUTED)
        | (Q(released_by__isnull=False, last_proof=Proof.UNKNOWN) & ~Q(kind__in=[NEVER_RELEASED, *RELEASED_BY_TWO]))
        | (
            Q(released_by__isnull=False, also_released_by__isnull=False)
            & Q(last_proof__in=[Proof.UNKNOWN, Proof.ACCEPTED])
            & ~Q(kind=NEVER_RELEASED)
        ),
        name="queued_again_only_with_proof",
    ),
    # The second person is neither the first nor the one who asked.
    models.CheckConstraint(
        condition=Q(also_released_by=None)
        | (Q(released_by__isnull=False) & ~Q(also_released_by=F("released_by")) & ~Q(also_released_by=F("requester"))),
        name="second_release_is_another_person",
    ),
    # A lease without an end would keep everybody else away for ever.
    models.CheckConstraint(
        condition=~Q(state=State.SENDING) | Q(lease_until__isnull=False), name="sending_holds_a_lease"
    ),
    # What an earlier attempt proved proves nothing of this one, and a release is for one attempt: the rule of
    # the queue rests on both.
    models.CheckConstraint(
        condition=~Q(state=State.SENDING)
        | Q(sent_at__isnull=False, last_proof="", released_by=None, also_released_by=None),
        name="sending_has_proved_nothing",
    ),
]
