"""Judges a deployment from the outside when all has calmed down: python -m tests.faults.verdict STATE ROOT.

STATE is the stand-in's file, ROOT its address. Runs in the deployment's environment, prints figures as a line of JSON.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import django

django.setup()

# The settings must be there before any model is.
from django.db.models import Max, Min, QuerySet  # noqa: E402

from portal.audit.models import Entry  # noqa: E402
from portal.changes.models import Change  # noqa: E402
from portal.changes.models import State as Asked  # noqa: E402
from portal.operations.models import Operation  # noqa: E402
from portal.operations.states import ENDED, State  # noqa: E402
from tests.faults.judge import carried_out, judge  # noqa: E402
from tests.sandbox_server import Sandbox  # noqa: E402


def figures(done: Counter[tuple[str, str]]) -> dict[str, float]:
    """Compare what was approved, what is believed, and what was done."""
    operations = list(Operation.objects.all())
    asked = Counter((row.kind, row.name) for row in operations)
    succeeded = Counter((row.kind, row.name) for row in operations if row.state == State.SUCCEEDED)
    unclear = [row for row in operations if _entries(row).filter(verb="operation.unclear").exists()]
    waits = [row for row in operations if row.state not in ENDED]
    approved = Change.objects.filter(state=Asked.APPROVED)
    return {
        "operations": len(operations),
        "unclear": len(unclear),
        "settled by itself": sum(row.state in ENDED and row.settled_by_id is None for row in unclear),
        "by a person": len(waits),
        "lost": (succeeded - done).total() + approved.filter(operation=None).count(),
        "doubled": sum((done[what] - count for what, count in asked.items() if done[what] > count), 0)
        + sum(count for what, count in done.items() if what not in asked),
        "longest time to settle, s": max((_took(row) for row in unclear), default=0.0),
    }


def _entries(operation: Operation) -> QuerySet[Entry]:
    return Entry.objects.filter(subject_type="operation", subject_id=str(operation.pk))


def _took(operation: Operation) -> float:
    """Seconds from when it became unclear until it was known, or a person was asked."""
    began = _entries(operation).filter(verb="operation.unclear").aggregate(at=Min("at"))["at"]
    known = _entries(operation).filter(at__gt=began, verb__in=["operation.running", "operation.succeeded"])
    known |= _entries(operation).filter(at__gt=began, verb__in=["operation.failed", "concern.raised"])
    end: Any = known.aggregate(at=Min("at"))["at"] or _entries(operation).aggregate(at=Max("at"))["at"]
    took: float = round((end - began).total_seconds(), 1)
    return took


def main() -> None:
    """Judge, and tell."""
    state, root = sys.argv[1:]
    upstream = Sandbox(Path(state), "", "", (), root=root)
    told = figures(carried_out(upstream))
    print(json.dumps(told))  # noqa: T201 - the answer
    judge(upstream)


if __name__ == "__main__":
    main()
