"""What stands between a fault and harm, how to take each out of a copy of the portal, and which tests then fail."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPERATIONS: Final = "tests/portal/operations"
SENDING: Final = "portal/operations/send.py"
CHORES: Final = "tests/faults/test_chores.py::test_killed_at_each_point"


@dataclass(frozen=True)
class Cut:
    """Words of the code that are replaced, wherever they stand in the file; without the guard the code still runs."""

    file: str
    words: str
    by: str

    def __call__(self, copy: Path) -> None:
        """Take the guard out.

        Raises:
            LookupError: the code no longer says so.
        """
        path = copy / self.file
        text = path.read_text(encoding="utf-8")
        if self.words not in text:
            message = f"{self.file} no longer says {self.words!r}"
            raise LookupError(message)
        path.write_text(text.replace(self.words, self.by), encoding="utf-8")

    def __str__(self) -> str:
        return f"`{self.file}`"


@dataclass(frozen=True)
class Dropped:
    """A constraint of the operations' tables that a last migration drops."""

    model: str
    constraint: str

    def __call__(self, copy: Path) -> None:
        """Write that migration."""
        folder = copy / "portal/operations/migrations"
        newest = max(path.stem for path in folder.glob("0*.py"))
        lines = (
            "from django.db import migrations",
            "class Migration(migrations.Migration):",
            f'    dependencies = [("operations", "{newest}")]',
            f'    operations = [migrations.RemoveConstraint("{self.model}", "{self.constraint}")]',
        )
        (folder / "9999_without_a_guard.py").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def __str__(self) -> str:
        return f"constraint `{self.constraint}`"


@dataclass(frozen=True)
class Guard:
    """One thing that stands between a fault and harm.

    Attributes:
        name: what it is.
        against: what it keeps from happening.
        out: takes it out of a copy of the checkout.
        tests: files, or single tests, at least one of which must fail without it.
    """

    name: str
    against: str
    out: Callable[[Path], None]
    tests: tuple[str, ...]


GUARDS: Final = (
    Guard(
        "the fence in every move",
        "who was overtaken writes over what another has found out",
        Cut("portal/operations/models/operations.py", "rows = rows.filter(fence=fence)", "pass"),
        (f"{OPERATIONS}/test_claims.py",),
    ),
    Guard(
        "the fence of who gives a row back",
        "who was overtaken ends the lease of another",
        Cut("portal/operations/leases.py", "(pk=operation.pk, fence=operation.fence", "(pk=operation.pk"),
        (f"{OPERATIONS}/test_claims.py",),
    ),
    Guard(
        "the lease when a row is claimed",
        "two send the same row",
        Cut(
            "portal/operations/models/operations.py",
            "free = Q(lease_until=None) | Q(lease_until__lte=Now())",
            "free = Q()",
        ),
        (f"{OPERATIONS}/test_claims.py",),
    ),
    Guard(
        "the lease in the statement that says sending",
        "a write leaves with too little of its lease left",
        Cut(SENDING, ", lease_until__gt=Now() + enough", ""),
        (f"{OPERATIONS}/test_send.py",),
    ),
    Guard(
        "the look at the lease before the call",
        "who was held up after it said sending writes when others have given the row up",
        Cut(SENDING, "if left < settings.ITCARE_TOTAL_SECONDS:", "if left < -settings.LEASE_SECONDS * 1000:"),
        (f"{OPERATIONS}/test_held_up.py",),
    ),
    Guard(
        "the lease of who is sending",
        "a call that is still being made is called unclear",
        Cut(SENDING, "state=State.SENDING, lease_until__lte=Now()", "state=State.SENDING"),
        (f"{OPERATIONS}/test_claims.py",),
    ),
    Guard(
        "the fence before an answer is noted",
        "who was overtaken writes an old answer over a newer one, into the timeline of what has ended",
        Cut("portal/operations/follow.py", "        lock_own(operation)\n        return note", "        return note"),
        ("tests/faults/test_frozen.py::test_frozen_with_an_old_answer_it_does_not_undo_what_others_did",),
    ),
    Guard(
        "the watermark by number",
        "an older action of that name is taken for ours",
        Cut("portal/operations/fitting.py", "action.id <= attempt.watermark_action_id", "action.id < 0"),
        (f"{OPERATIONS}/test_settle.py", f"{OPERATIONS}/test_settle_clock.py"),
    ),
    Guard(
        "the watermark by time",
        "an action that began before the write is taken for ours",
        Cut("portal/operations/fitting.py", "return after(action.submitted_at, attempt)", "return True"),
        (f"{OPERATIONS}/test_settle.py", f"{OPERATIONS}/test_settle_clock.py"),
    ),
    Guard(
        "the whole list before nothing counts",
        "what a part of a list does not show is taken for not there",
        Cut("portal/operations/fitting.py", "whole = listed.complete and (", "whole = True or ("),
        (f"{OPERATIONS}/test_settle_in_part.py",),
    ),
    Guard(
        "the digest in the statement that says sending",
        "something else is sent than what was approved",
        Cut(SENDING, "digest=operation.computed_digest(), ", ""),
        (f"{OPERATIONS}/test_send.py",),
    ),
    Guard(
        "the hold in the statement that says sending",
        "something is sent after sends were put on hold",
        Cut(SENDING, " & holds.nothing_holds()", ""),
        (f"{OPERATIONS}/test_holds.py",),
    ),
    Guard(
        "the lock of the switch",
        "a hold and the statement that says sending miss each other",
        Cut(SENDING, "            holds.share_the_switch()\n", ""),
        (f"{OPERATIONS}/test_holds.py",),
    ),
    Guard(
        "continuity in the statement that says sending",
        "a database that has just been restored sends what was sent before",
        Cut(SENDING, " & continuity.goes_on()", ""),
        (f"{OPERATIONS}/test_held_up.py",),
    ),
    Guard(
        "the look for what nobody remembers",
        "what a restored database has forgotten is sent a second time",
        Cut(SENDING, "unknown.doubt(operation, watermark)", '""'),
        (f"{OPERATIONS}/test_catch_up.py", f"{OPERATIONS}/test_restored.py"),
    ),
    Guard(
        "the look before a released one is sent again",
        "what had arrived after all is sent a second time",
        Cut(SENDING, "released.held_back(operation, watermark)", "False"),
        (f"{OPERATIONS}/test_resolve_again.py::test_what_had_arrived_after_all_is_not_sent_again_but_found",),
    ),
    Guard(
        "no note on what waits in doubt",
        "one person who only notes it has a restore done that may have been done already",
        Cut("portal/operations/acts.py", " and not doubted", ""),
        (f"{OPERATIONS}/test_doubts.py",),
    ),
    Guard(
        "the grace before nothing there counts",
        "a person is asked while the action may still show up",
        Cut("portal/operations/settle.py", "patient = not unsettled.grace_is_over(acted[-1])", "patient = False"),
        (f"{OPERATIONS}/test_settle_person.py",),
    ),
    Guard(
        "the grace before a person may send again",
        "what is on its way is sent a second time",
        Cut("portal/operations/acts.py", "now - last.started_at < grace", "False"),
        (f"{OPERATIONS}/test_resolve_again.py::test_not_before_the_grace_period_is_over",),
    ),
    Guard(
        "one unfinished operation a cluster",
        "two changes of one cluster, which nobody could tell apart",
        Dropped("operation", "one_unfinished_operation_a_cluster"),
        ("tests/states/test_forbidden_operations.py",),
    ),
    Guard(
        "one unfinished create a name",
        "two clusters of one name",
        Dropped("operation", "one_unfinished_create_a_name"),
        ("tests/portal/changes/test_races.py",),
    ),
    Guard(
        "the look whose an action is already",
        "two operations follow one action, and one of them is believed to be what the other did",
        Cut("portal/operations/actions.py", "raise TakenError(action.id)", "pass"),
        (f"{OPERATIONS}/test_same_action.py",),
    ),
    Guard(
        "one operation an action",
        "two operations that are written at the same instant follow one action",
        Dropped("operation", "one_operation_an_action"),
        ("tests/states/test_forbidden_operations.py",),
    ),
    Guard(
        "queued again only with proof",
        "what may have been executed is sent again without anybody having said so",
        Dropped("operation", "queued_again_only_with_proof"),
        ("tests/states/test_forbidden_operations.py",),
    ),
    Guard(
        "what an earlier attempt proved proves nothing of the next",
        "a second release by what was said of the first",
        Dropped("operation", "sending_has_proved_nothing"),
        ("tests/states/test_forbidden_operations.py",),
    ),
    Guard(
        "one open attempt",
        "two open writes of one operation",
        Dropped("attempt", "one_open_attempt"),
        ("tests/states/test_forbidden_operations.py",),
    ),
    Guard(
        "the password is erased with the call",
        "a password outlives what needed it",
        Cut("portal/operations/models/operations.py", 'doomed["password"] = self.password_id', "pass"),
        ("tests/states/test_moves.py",),
    ),
    Guard(
        "no password but of what is unsent",
        "a create that could be sent a second time",
        Dropped("operation", "password_only_unsent"),
        ("tests/states/test_forbidden_operations.py",),
    ),
    Guard(
        "the client never repeats a write",
        "a write whose answer was lost leaves a second time, unseen by the portal",
        Cut(
            "portal/itcare/caller.py",
            "        failure = judging.of_write(",
            "        if isinstance(outcome, Failure):\n"
            "            outcome = self._send(method, path, correlation_id, body, end)\n"
            "        failure = judging.of_write(",
        ),
        ("tests/portal/itcare/test_writes.py",),
    ),
    Guard(
        "a comparison is noted together with what is told of it",
        "a difference of which nobody is told, if the sweep dies in between",
        Cut(
            "portal/operations/drift.py",
            "        _tell(operation, cluster, _difference(operation, cluster, operation.left))\n",
            "        words = _difference(operation, cluster, operation.left)\n"
            "        transaction.on_commit(lambda: _tell(operation, cluster, words))\n",
        ),
        (CHORES,),
    ),
    Guard(
        "a further action joins an alarm together with its mail",
        "an action of which nobody is mailed, if the sweep dies in between",
        Cut(
            "portal/operations/concerns.py",
            "        known.update(tell_at=Now(), told_at=None)",
            "        transaction.on_commit(lambda: known.update(tell_at=Now(), told_at=None))",
        ),
        (CHORES,),
    ),
    Guard(
        "who waits for a history is forgotten when it was read",
        "a history that nobody reads, with the alarm in it, if its reader dies",
        Cut(
            "portal/operations/history.py",
            "        _read_or_say(client, part.cluster)\n",
            "        Part.objects.filter(pk=part.pk, wanted_at=part.wanted_at).update(wanted_at=None)\n"
            "        _read_or_say(client, part.cluster)\n",
        ),
        ("tests/portal/operations/test_histories.py", CHORES),
    ),
    Guard(
        "a mail is noted when it has left",
        "a matter of which nobody is told, if the sweep dies while it sends",
        Cut(
            "portal/operations/mails.py",
            "            _mail(concern, people).send()\n",
            "            Concern.objects.filter(pk=concern.pk, tell_at=again).update(told_at=Now())\n"
            "            _mail(concern, people).send()\n",
        ),
        (CHORES,),
    ),
)


def table() -> str:
    """The list of guards, for the paper, each with the tests of which one must fail without it."""
    lines = (f"| {guard.name} | {guard.against} | {guard.out} | {_files(guard)} |\n" for guard in GUARDS)
    head = "| guard | without it | taken out of | told by |\n| --- | --- | --- | --- |\n"
    return head + "".join(lines)


def _files(guard: Guard) -> str:
    return ", ".join(f"`{test.removeprefix('tests/')}`" for test in guard.tests)
