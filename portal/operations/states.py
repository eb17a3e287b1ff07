"""The states of operations and attempts, which moves between them exist, and how each is shown."""

from typing import Final

from django.db import models

from portal.web.looks import Look


class State(models.TextChoices):
    """Where an operation stands (ARCHITECTURE 3)."""

    QUEUED = "queued"
    SENDING = "sending"
    RUNNING = "running"
    UNCLEAR = "unclear"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED: Final = (State.QUEUED, State.SENDING, State.RUNNING, State.UNCLEAR)
ENDED: Final = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
# ITCare was asked for it, or is being asked.
ASKED: Final = (State.SENDING, State.RUNNING, State.UNCLEAR)
# The only states in which a sealed password may still be needed.
UNSENT: Final = (State.QUEUED, State.SENDING)

MOVES: Final[dict[str, tuple[State, ...]]] = {
    # Unclear only if it had been sent before, and was released by people; running if a person finds the action of a
    # sending that the portal does not remember.
    State.QUEUED: (State.SENDING, State.RUNNING, State.FAILED, State.CANCELLED, State.UNCLEAR),
    State.SENDING: (State.QUEUED, State.RUNNING, State.FAILED, State.SUCCEEDED, State.UNCLEAR),
    State.RUNNING: (State.SUCCEEDED, State.FAILED),
    State.UNCLEAR: (State.RUNNING, State.SUCCEEDED, State.FAILED, State.QUEUED),
    State.SUCCEEDED: (),
    State.FAILED: (),
    State.CANCELLED: (),
}

LOOKS: Final[dict[str, Look]] = {
    State.QUEUED: Look("Queued", "clock", "busy", "Approved; it is sent as soon as it can be."),
    State.SENDING: Look("Sending", "send", "busy", "The call to ITCare is being made."),
    State.RUNNING: Look("Running", "loader-circle", "busy", "ITCare carries it out."),
    State.UNCLEAR: Look(
        "Unclear",
        "triangle-alert",
        "warn",
        "Nobody can tell whether ITCare received it. It is not sent again; the portal looks for it at ITCare.",
    ),
    State.SUCCEEDED: Look("Succeeded", "check", "good"),
    State.FAILED: Look("Failed", "x", "bad"),
    State.CANCELLED: Look("Cancelled", "ban", "off"),
}


class Proof(models.TextChoices):
    """What an attempt proved about the upstream write (SAFETY 2)."""

    OPEN = "", "still open"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


# Proofs that nothing was executed: the only ones after which an operation may be queued again.
NOTHING_EXECUTED: Final = (Proof.NOT_SENT, Proof.REFUSED)


# Kinds that a person may not send again after an unclear attempt (its password is gone: one asks anew), and those where
# a second person must agree (a second execution would destroy data). What ITCare is known to have accepted is sent
# again by two people only, whatever its kind (SAFETY 2).
NEVER_RELEASED: Final = "create"
RELEASED_BY_TWO: Final = ("delete", "restore")


class Reason(models.TextChoices):
    """Why an operation failed, for machines; the sentence for people stands beside it."""

    NONE = ""
    CONDITION = "condition", "A condition no longer held when it was to be sent"
    MOVED = "moved", "The cluster moved since the approval"
    REFUSED = "refused", "ITCare refused it"
    FAILED_UPSTREAM = "failed_upstream", "ITCare could not finish it"
    UNREACHABLE = "unreachable", "ITCare could not be reached"
    SECRET_LOST = "secret_lost", "The administrator password can no longer be opened"
    SETTLED = "settled", "A person found out that it was not done"
    GIVEN_UP = "given_up", "A person gave it up without knowing whether it was done"


class LostRaceError(Exception):
    """Somebody else moved the row first; nothing was changed."""
