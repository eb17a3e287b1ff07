"""From a valid form to a draft, and from a draft to a pending change."""

import uuid
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.record import record
from portal.catalog import copying
from portal.catalog.base import Kind, KindForm
from portal.changes.models import Change, State
from portal.inventory.models import Cluster, Service
from portal.operations.models import Secret, bound, digest, erase
from portal.operations.start import SEND, busy
from portal.operations.states import LostRaceError

# The constraint that a form which is sent twice at once runs into.
_FORM_TAKEN: Final = "one_change_a_form"


class NotPossibleError(Exception):
    """The change cannot be submitted or approved as it stands; the message is the sentence for people."""


def already(user: User, form_token: uuid.UUID) -> Change | None:
    """The change that this very form has led to before."""
    return Change.objects.filter(requester=user, form_token=form_token).first()


def save_draft(
    *, user: User, kind: Kind, form: KindForm, form_token: uuid.UUID, cluster: Cluster | None, draft: Change | None
) -> Change:
    """Keep a valid form as a draft: a new one, or in the place of the person's own draft.

    A typed password is sealed before any SQL. A form that was sent twice at once leads to one draft.

    Raises:
        LostRaceError: the draft was submitted meanwhile.
    """
    name, service_number = kind.target(form.parameters, cluster)
    service = Service.objects.get(upstream_id=service_number)
    reference = draft.reference if draft else uuid.uuid4()
    secret = Secret.seal(form.secret, bound_to=bound(reference, SEND)) if form.secret else None
    revision = cluster.revision if cluster else ""
    values = {
        "form_token": form_token,
        "name": name,
        "title": kind.title(form.parameters, cluster),
        "service": service,
        "cluster": cluster,
        "why": form.cleaned_data["reason"],
        "parameters": form.parameters,
        "shown": [asdict(row) for row in kind.rows(form.parameters, cluster)],
        "notes": dict(form.warnings),
        "revision": revision,
        "cluster_status": cluster.status if cluster else "",
        "digest": digest(
            reference=reference,
            kind=kind.name,
            service=service.upstream_id,
            revision=revision,
            parameters=form.parameters,
        ),
        "expires_at": Now() + timedelta(seconds=settings.DRAFT_SECONDS),
    }
    try:
        with transaction.atomic():
            if secret:
                secret.save()
            if draft:
                return _replace(draft, values, secret)
            change = Change.objects.create(
                reference=reference, kind=kind.name, requester=user, password=secret, **values
            )
            record(
                "change.draft",
                actor=user.email,
                actor_id=user.pk,
                subject_type="change",
                subject_id=change.pk,
                subject=change.title,
                service_id=service.pk,
                detail={"digest": change.digest},
            )
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != _FORM_TAKEN:
            raise
        return Change.objects.get(requester=user, form_token=form_token)
    return change


def _replace(draft: Change, values: dict[str, object], secret: Secret | None) -> Change:
    rows = Change.objects.filter(pk=draft.pk, state=State.DRAFT)
    # Read under a lock: a form in another tab may have replaced the secret that the caller saw.
    earlier = rows.select_for_update().values_list("password_id", flat=True).first()
    if rows.update(**values, password=secret, changed_at=Now()) != 1:
        message = "the draft was submitted meanwhile"
        raise LostRaceError(message)
    erase(earlier)
    return Change.objects.get(pk=draft.pk)


def in_the_way(change: Change, *, held: str | None = None) -> list[str]:
    """A sentence for each thing that keeps an open change from being carried out as things are.

    Args:
        change: the change.
        held: the sentence for something unfinished on the cluster, from a caller who has looked already.
    """
    broken = change.entry.broken(change.parameters, change.cluster, change.service)
    lacks = copying.why_not_asked(change.entry, change.parameters, change.requester)
    if held is None:
        held = busy(name=change.name, cluster=change.cluster)
    return [*broken, *filter(None, [lacks, held])]


def submit(change: Change, user: User) -> None:
    """File the draft: from now on nothing of it changes, and approvers see it.

    Raises:
        NotPossibleError: a condition no longer holds.
        LostRaceError: it is no longer a draft.
    """
    if sentences := in_the_way(change):
        raise NotPossibleError(" ".join(sentences))
    with transaction.atomic():
        change.move(
            State.PENDING,
            actor=user,
            submitted_at=Now(),
            expires_at=Now() + timedelta(seconds=settings.CHANGE_SECONDS),
        )
