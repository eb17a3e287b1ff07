"""One approved operation of each kind, brought to where a step begins."""

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models.functions import Now
from django.http import QueryDict

from portal.catalog.kinds import KINDS
from portal.changes import decide, submit
from portal.inventory import lists, waiting
from portal.inventory.models import Cluster, Sync
from portal.operations import send
from portal.operations.models import Operation
from portal.operations.states import State
from portal.upstream.client import client
from portal.upstream.models import Token
from tests.cast import Cast, form_data
from tests.faults.proxy import Moment, Rule, kill, starting
from tests.faults.steps import Stage
from tests.portal.catalog.asking import RESTORE, SOURCE, Values, placed
from tests.portal.operations.engine import time_passes
from tests.sandbox_server import Sandbox, until

WRITES = ("POST /itcare", "PATCH /itcare", "DELETE /itcare")


@dataclass(frozen=True)
class Play:
    """What the cluster is before, and what is asked for."""

    values: Values = field(default_factory=dict)
    placing: Mapping[str, object] = field(default_factory=dict)


PLAYS: Mapping[str, Play] = {
    "create": Play(),
    "delete": Play(),
    "start": Play(placing={"status": "INACTIVE"}),
    "stop": Play(),
    "resize": Play({"sizing": "4cpu8gb"}),
    "restore": Play(RESTORE),
    "enable_ha": Play({"replication_lag": "33"}),
    "update_patch_party": Play({"excluded": "true", "exclusion_reason": "We patch it."}),
    "install_extension": Play({"dbname": "postgres", "extensions": ["hstore"]}),
    "upgrade": Play({"target_version": "17"}, {"product_code": "deb12pg15"}),
}


class Scenes:
    """Makes operations, each on a cluster of its own, so that one test can play many of them.

    Args:
        cast: Who asks and who agrees.
        upstream: The stand-in ITCare, quick enough that actions end at once.
        stage: Where steps run, if not in this process.
    """

    def __init__(self, cast: Cast, upstream: Sandbox, stage: Stage | None = None) -> None:
        self.cast, self.upstream, self._stage = cast, upstream, stage
        # Writes that no operation made, for the judge.
        self.besides: list[tuple[str, str]] = []
        self._numbers = itertools.count(7001)
        # All restores read it, and every reading of the inventory meets it.
        placed(upstream, cast.service, SOURCE)
        # What is read before it is due would only make clean runs differ.
        lists.lists_due()
        Sync.objects.update(look_at=Now() + waiting.MINUTE * 1000, read_at=Now())

    @property
    def stage(self) -> Stage:
        """Where steps run."""
        assert self._stage is not None
        return self._stage

    def number(self) -> int:
        """One that no cluster has yet."""
        return next(self._numbers)

    def queued(self, kind: str, **changes: str) -> Operation:
        """An approved request."""
        number = self.number()
        if kind == "create":
            return self._approved(kind, None, {**form_data(name=f"crash{number}"), **changes})
        play = PLAYS[kind]
        cluster = placed(self.upstream, self.cast.service, number, **play.placing)
        return self._approved(kind, cluster, {**play.values, "confirm_name": cluster.name, "reason": "A test."})

    def before(self, step: str, kind: str) -> Operation:
        """An operation that stands where the step begins."""
        operation = self.queued(kind)
        if step == "send":
            if kind == "create":
                # The token is fetched on the way.
                Token.objects.all().delete()
            return operation
        if step == "settle":
            self._killed_in_its_call(operation)
        else:
            send.send(operation.pk)
            self._ended_upstream(operation)
        time_passes(60)
        if step == "sync":
            # Places are the same whatever is asked for.
            due = lists.LISTS if kind == "create" else ("resources",)
            Sync.objects.filter(name__in=due).update(look_at=Now())
            # Nobody waits for the others, and they are neither new nor old.
            Cluster.objects.update(wanted_at=None, tried_at=Now() - waiting.STALE_AFTER / 2)
            Cluster.objects.filter(pk=operation.cluster_id or 0).update(wanted_at=Now(), tried_at=None)
        return operation

    def _approved(self, kind: str, cluster: Cluster | None, values: Values) -> Operation:
        entry, developer = KINDS[kind], self.cast.developer
        data = QueryDict(mutable=True)
        for name, value in values.items():
            data.setlist(name, value if isinstance(value, list) else [value])
        form = entry.form(data, user=developer, cluster=cluster)
        assert form.is_valid(), form.errors
        change = submit.save_draft(
            user=developer, kind=entry, form=form, form_token=uuid.uuid4(), cluster=cluster, draft=None
        )
        submit.submit(change, developer)
        return decide.approve(change, self.cast.approver, "")

    def _killed_in_its_call(self, operation: Operation) -> None:
        """The sender dies with ITCare's answer on the way to it."""
        rule = Rule(starting(*WRITES), Moment.AFTER, kill(self.stage.zygote.running))
        with self.stage.watched(rule):
            assert self.stage.run("send", operation.pk) == -9
        operation.refresh_from_db()
        assert operation.state == State.SENDING
        time_passes(120)

    def _ended_upstream(self, operation: Operation) -> None:
        operation.refresh_from_db()
        number = operation.upstream_action_id
        assert (operation.state, number is not None) == (State.RUNNING, True)
        assert number is not None
        upstream = client()
        until(lambda: upstream.action(number).succeeded)
