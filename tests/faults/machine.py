"""The portal as a state machine: people, workers, faults and kills in any order, and what must hold after each step.

The database and the stand-in are real. Runs follow each other on one database: each has clusters and names of its own,
and leaves nothing unfinished behind.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from django.db.models import F
from django.db.models.functions import Now
from django.http import QueryDict
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from portal.audit.models import Entry
from portal.catalog.kinds import KINDS
from portal.changes import submit
from portal.changes.models import Change
from portal.inventory.models import Cluster, Sync
from portal.operations import acts, continuity, follow, holds, late, send, tasks, watch
from portal.operations.models import Operation, Secret
from portal.operations.states import ENDED, UNSENT, Reason, State
from portal.operations.sweep import once
from tests.cast import form_data
from tests.faults.judge import CARRIES, aim, aim_of, judge, named, settle_down
from tests.faults.playing import ASKS, NAMES, NOT_NOW, WRITE, Playing, lives
from tests.faults.switches import ON_READS, ON_WRITES
from tests.portal.catalog.asking import Values
from tests.portal.operations.engine import at_once, fault, time_passes


class Portal(Playing):
    """One run. Rules that cannot do anything as things are do nothing."""

    # --- people --------------------------------------------------------------------------------------------------

    @initialize(
        kinds=st.lists(st.sampled_from(sorted(ASKS)), min_size=4, max_size=6), name=st.sampled_from(sorted(ON_WRITES))
    )
    def begin(self, kinds: list[str], name: str) -> None:
        """Some have been approved already, and the first write meets a fault: a run without would show little."""
        for number, kind in enumerate(["create", *kinds]):
            self.ask(kind, which=number, name=number)
            self.decide(which=-1, verdict="approve")
        self.fault_of_a_write(name, "POST")
        self.send(which=0, how="once")

    @rule(kind=st.sampled_from(sorted(ASKS)), which=st.integers(0, 2), name=st.integers(0, 2))
    def ask(self, kind: str, which: int, name: int) -> None:
        """Ask for something valid; a create may be of a name that was asked for already."""
        cluster = None if kind == "create" else Cluster.objects.get(pk=self.clusters[which % len(self.clusters)].pk)
        if cluster is None:
            values: Values = {**form_data(name=f"m{self.run}x{name % NAMES}")}
        else:
            source = self.clusters[(which + 1) % len(self.clusters)]
            of_it: Values = {"source_id": str(source.upstream_id)} if kind == "restore" else {}
            values = {**ASKS[kind], **of_it, "confirm_name": cluster.name, "reason": "A run needs it."}
        data = QueryDict(mutable=True)
        for key, value in values.items():
            data.setlist(key, value if isinstance(value, list) else [value])
        entry, developer = KINDS[kind], self.cast.developer
        form = entry.form(data, user=developer, cluster=cluster)
        if not form.is_valid():
            self.figures["not valid as things are"] += 1
            return
        token = uuid.uuid4()
        change = submit.save_draft(user=developer, kind=entry, form=form, form_token=token, cluster=cluster, draft=None)
        if self._unless_too_late(partial(submit.submit, change, developer)):
            self.changes.append(change)
            self.figures["requests"] += 1

    @rule(which=st.integers(0, 4), verdict=st.sampled_from(["approve", "approve", "approve", "reject", "withdraw"]))
    def decide(self, which: int, verdict: str) -> None:
        """Somebody agrees, says no, or takes it back."""
        if change := self._pending(which):
            self._unless_too_late(self._verdict(verdict, change, self.cast.approver))

    @rule(which=st.integers(0, 4), verdict=st.sampled_from(["approve", "reject", "withdraw"]))
    def decide_at_once(self, which: int, verdict: str) -> None:
        """Two decide in the same instant: one of them does."""
        if change := self._pending(which):
            before = Change.objects.get(pk=change.pk).state
            outcomes = at_once(
                self._verdict("approve", change, self.cast.approver),
                self._verdict(verdict, change, self.cast.approver2),
            )
            won = [each for each in outcomes if not isinstance(each, Exception)]
            assert all(isinstance(each, NOT_NOW) for each in outcomes if isinstance(each, Exception)), outcomes
            assert len(won) == (Change.objects.get(pk=change.pk).state != before)

    @rule(which=st.integers(0, 3), act=st.sampled_from(sorted(acts.Act)))
    def deal_with(self, which: int, act: acts.Act) -> None:
        """A person does something about a concern, having found out the truth."""
        if concern := self._of(list(self._concerns()), which):
            self._deal(concern, act)

    @rule()
    def hold(self) -> None:
        """Somebody holds all sends, or lets them go."""
        if hold := holds.held():
            holds.let_go(hold, "We have looked.", by=self.cast.administrator)
        else:
            holds.hold("We look.", by=self.cast.administrator)

    # --- the portal ----------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 4), how=st.sampled_from(["once", "once", "twice", "at once"]))
    def send(self, which: int, how: str) -> None:
        """A hint arrives: once, twice, or at two workers."""
        queued = self._operations().filter(state=State.QUEUED)
        if operation := self._of(list(queued.order_by("pk")), which):
            hinted = partial(tasks.send_operation, operation.pk)
            if how == "at once":
                assert at_once(hinted, hinted) == [None, None]
            else:
                for _ in range(2 if how == "twice" else 1):
                    hinted()
            self.sent_at = time.monotonic()

    @rule(
        seconds=st.sampled_from([5.0, 60.0, 400.0, 1200.0, 7200.0]), what=st.sampled_from(["follow", "settle", "all"])
    )
    def time_passes(self, seconds: float, what: str) -> None:
        """Time passes, and what is due then is done."""
        time_passes(seconds)
        looks: Mapping[str, Callable[[], object]] = {
            "follow": follow.follow,
            "settle": self._settle,
            "all": self._sweep,
        }
        looks[what]()

    @rule()
    def read(self) -> None:
        """The inventory is read, and looked through for what came late or takes too long."""
        Sync.objects.update(look_at=Now())
        self._read()
        late.watch()
        watch.watch()

    # --- faults --------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(ON_WRITES)), method=st.sampled_from(["PATCH", "PATCH", "POST", "DELETE"]))
    def fault_of_a_write(self, name: str, method: str) -> None:
        """The next write of that method meets it."""
        self._add_fault(fault(match={"method": method, "path": WRITE}, **ON_WRITES[name]))

    @rule(
        name=st.sampled_from(sorted(ON_READS)), path=st.sampled_from(["/actions", WRITE, "/"]), times=st.integers(1, 3)
    )
    def fault_of_reads(self, name: str, path: str, times: int) -> None:
        """The next reads there meet it."""
        self._add_fault(fault(match={"method": "GET", "path": path}, times=times, **ON_READS[name]))

    @rule()
    def tokens_end(self) -> None:
        """No token is good any more."""
        self.upstream.end_tokens()
        self.figures["faults"] += 1

    @rule()
    def upstream_restarts(self) -> None:
        """The stand-in is killed and started again."""
        self.upstream.kill()
        self.upstream.start()
        self.figures["faults"] += 1

    @rule()
    def kill_in_a_call(self) -> None:
        """A sender is killed when its write has arrived."""
        before = len(self.upstream.writes())
        for method in ("POST", "PATCH", "DELETE"):
            rule_of = fault("late", match={"method": method, "path": WRITE}, seconds=1.0)
            self.upstream.add_faults(rule_of)

        def arrived(child: int) -> None:
            end = time.monotonic() + 10
            while time.monotonic() < end and len(self.upstream.writes()) == before and lives(child):
                time.sleep(0.01)

        self._killed(send.send_oldest, arrived)
        self.upstream.set_faults()

    @rule(step=st.sampled_from(["send", "sweep", "follow", "settle", "read"]), after=st.integers(5, 120))
    def kill_somewhere(self, step: str, after: int) -> None:
        """A process is killed so many milliseconds after it began."""
        steps: Mapping[str, Callable[[], object]] = {
            "send": send.send_oldest,
            "sweep": self._sweep,
            "follow": follow.follow,
            "settle": self._settle,
            "read": self._read,
        }
        self._killed(steps[step], lambda _child: time.sleep(after / 1000))

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def nothing_twice(self) -> None:
        """ITCare has of each what was approved, no more often than that; of what is unfinished there is one."""
        approved: dict[tuple[str, str], list[Operation]] = {}
        for operation in self._operations().select_related("cluster", "service").prefetch_related("attempts"):
            approved.setdefault(aim_of(operation), []).append(operation)
        received: Counter[tuple[str, str]] = Counter()
        for write in self.upstream.writes():
            if self._ours(write):
                body = {name: value for name, value in (write["body"] or {}).items() if name != "admPassword"} or None
                wanted = approved.get(aim(write), [])
                asked = [KINDS[each.kind].payload(each.parameters) or None for each in wanted if each.attempts.all()]
                assert body in asked, f"nobody approved {body}"
                received[aim(write)] += 1
        for operations in approved.values():
            done = self.world.carried_out(operations[0])
            assert done <= len(operations), f"{operations[0]} was done {done} times"
            unfinished = [each for each in operations if each.state not in ENDED]
            assert len(unfinished) <= 1, unfinished
            tried = sum(len(each.attempts.all()) for each in operations)
            assert received[aim_of(operations[0])] <= tried, f"{operations[0]} was written more often than tried"
            for each in operations:
                perhaps = sum(attempt.may_have_acted for attempt in each.attempts.all())
                assert perhaps <= 1 + self.released[each.pk], f"{each} may have left {perhaps} times"

    @invariant()
    def no_secret_of_what_ended(self) -> None:
        """A password to send is kept for what is unsent alone."""
        assert not self._operations().exclude(state__in=UNSENT).exclude(password=None).exists()
        assert not Secret.objects.filter(operation_to_send=None, operation_to_reveal=None, change=None).exists()

    def teardown(self) -> None:
        """With all faults over everything ends, or waits for a person; and what is believed is what happened."""
        self.upstream.set_faults()
        if hold := holds.held():
            holds.let_go(hold, "The run is over.", by=self.cast.administrator)
        continuity.go_on()
        self._calm_down()
        settle_down()
        judge(self.upstream)
        self.nothing_twice()
        self._count()
        for concern in self._concerns():
            found_out = {True: acts.Act.DONE, False: acts.Act.FAILED, None: acts.Act.RELEASE}
            assert self._deal(concern, found_out[self._done(concern.operation)]), concern
        self._nothing_lost()

    def _calm_down(self) -> None:
        """What ITCare never ends is overdue one day."""
        for _ in range(4):
            once(named(*CARRIES))
            time_passes(400)
        day = timedelta(days=1)
        self._operations().filter(state=State.RUNNING).update(
            sent_at=F("sent_at") - day, queued_at=F("queued_at") - day
        )
        watch.watch()

    def _count(self) -> None:
        for operation in self._operations():
            entries = Entry.objects.filter(subject_type="operation", subject_id=str(operation.pk))
            unclear = entries.filter(verb="operation.unclear").exists()
            person = operation.settled_by_id is not None or operation.state not in ENDED
            self.figures.update(
                {
                    "operations": 1,
                    "unclear": unclear,
                    "settled by itself": unclear and not person,
                    "by a person": person,
                }
            )

    def _nothing_lost(self) -> None:
        """Whatever ended, ended as it did at ITCare."""
        for operation in self._operations().prefetch_related("attempts"):
            assert operation.state in ENDED, operation
            alike = self._operations().filter(name=operation.name, kind=operation.kind).count()
            if alike > 1 or operation.settled_by_id:
                continue
            done = bool(self.world.carried_out(operation))
            said = operation.state == State.SUCCEEDED or operation.reason == Reason.FAILED_UPSTREAM
            assert done == said, f"{operation} is {operation.state} ({operation.message}), and was done: {done}"
