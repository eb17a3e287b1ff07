"""What each verb of the audit log means, in words."""

from typing import Final

WORDS: Final = {
    "change.draft": "wrote a draft",
    "change.pending": "asked for",
    "change.approved": "approved",
    "change.rejected": "rejected",
    "change.withdrawn": "withdrew",
    "change.expired": "let expire",
    "change.lapsed": "let lapse",
    "change.ask.refused": "tried to ask, and was refused:",
    "change.submit.refused": "tried to file, and was refused",
    "change.approve.refused": "tried to approve, and was refused",
    "change.reject.refused": "tried to reject, and was refused",
    "change.withdraw.refused": "tried to withdraw, and was refused",
    "operation.queued": "queued",
    "operation.sending": "began to send",
    "operation.running": "saw accepted",
    "operation.found": "found at ITCare",
    "operation.unclear": "lost sight of",
    "operation.succeeded": "saw succeed",
    "operation.failed": "saw fail",
    "operation.cancelled": "cancelled",
    "operation.cancel.refused": "tried to cancel, and was refused",
    "password.reveal.refused": "tried to see the password of, and was refused",
    "password.revealed": "was shown the password of",
    "grant.made": "granted a service:",
    "person.added": "added",
    "person.changed": "changed",
    "person.password_set": "set the password of",
    "team.added": "made the team",
    "team.changed": "changed the team",
    "team.deleted": "deleted the team",
    "cluster.found": "found at ITCare, not asked for here:",
    "cluster.gone": "saw disappear",
    "cluster.changed": "changed the protection of",
    "service.added": "made known the service",
    "service.changed": "changed the grants of",
    "service.unlisted": "saw leave ITCare's list the service",
    "network.unlisted": "saw leave ITCare's list the network",
}


def words_of(verb: str) -> str:
    """Return the verb in words; one that has none is shown as it is."""
    return WORDS.get(verb, verb)
