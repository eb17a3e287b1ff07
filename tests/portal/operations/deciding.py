"""What people do about a concern, as one who has just looked, and what came of it."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.operations import acts, resolve
from portal.operations.acts import Act
from portal.operations.models import Action, Concern, Operation
from tests.portal.operations.needing import seen
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

WHY: Final = "I asked cegedim.cloud."


def acted(act: Act, concern: Concern, user: User, *, mark: str | None = None, action: Action | None = None) -> object:
    """Do it, as one who has just looked."""
    last = seen(concern) if mark is None else mark
    if act == Act.ADOPT:
        resolve.adopt(concern, user, WHY, seen=last, action=action.pk if action else 0)
        return None
    does: dict[Act, Callable[..., object]] = {
        **{each: partial(resolve.end, act=each) for each in resolve.ENDS},
        Act.SEND: resolve.send_again,
        Act.SEND_NOW: resolve.send_now,
        Act.NOTED: resolve.note,
    }
    return does[act](concern, user, WHY, seen=last)


def offered(concern: Concern, user: User) -> dict[str, str]:
    """What the person is offered, each with the sentence that says why not."""
    row = Concern.objects.get(pk=concern.pk)
    return {str(offer.act): offer.why_not for offer in acts.offers(row, user)}


def done(upstream: Sandbox, row: Operation) -> list[int]:
    """The actions that the upstream really carried out on that cluster."""
    return [action["id"] for action in Caller(upstream).get("/actions") if action["resourceName"] == row.name]


def entries() -> list[tuple[str, str, dict[str, Any]]]:
    return list(Entry.objects.order_by("number").values_list("verb", "actor", "detail"))
