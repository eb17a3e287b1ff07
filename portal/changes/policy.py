"""Who may do what with a change. Answers a sentence that says why not, or an empty one."""

from portal.accounts.models import User
from portal.changes.models import Change, State
from portal.inventory.models import Service


def why_not_ask(user: User) -> str:
    """Why the person cannot file requests at all."""
    if not Service.objects.askable_by(user).exists():
        return "Only developers of a team that has a service can ask for this. Your team's administrator can help."
    return ""


def verdicts(user: User, change: Change) -> tuple[str, str]:
    """Why the person may not decide this change, whatever its state, and why they may not agree to it."""
    if not user.is_active:
        return ("This account was deactivated.",) * 2
    if change.requester_id == user.pk:
        return ("You asked for it: somebody else decides.",) * 2
    own, copied = change.service.upstream_id, change.entry.copies_from(change.parameters)
    theirs = Service.objects.decidable_by(user).filter(upstream_id__in=[own, own if copied is None else copied])
    numbers = set(theirs.values_list("upstream_id", flat=True))
    if own not in numbers:
        return ("Only approvers of the service's team decide this request.",) * 2
    if copied is not None and copied not in numbers:
        return (
            "",
            "Data of the source's service would be copied: only an approver of that service's team too can agree.",
        )
    return "", ""


def why_not_decide(user: User, change: Change) -> str:
    """Why the person may not decide this change, whatever its state."""
    return verdicts(user, change)[0]


def why_not_approve(user: User, change: Change) -> str:
    """Why the person may not agree to this change, whatever its state: it takes the right to data it copies, too."""
    return verdicts(user, change)[1]


def why_not_own(user: User, change: Change) -> str:
    """Why the person may not submit, change or withdraw it."""
    if change.requester_id != user.pk:
        return "Only the person who asked can do this."
    if not Service.objects.askable_by(user).filter(pk=change.service_id).exists():
        return "You are no longer a developer of this service's team."
    return ""


def is_open(change: Change) -> bool:
    """Whether it still waits for something."""
    return change.state in {State.DRAFT, State.PENDING}
