"""Restore a backup over a cluster (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from portal import itcare
from portal.accounts.models import User
from portal.catalog.base import Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, known, must_be_active
from portal.catalog.restore_form import BEFORE, RestoreForm, outside, read
from portal.catalog.sources import environment_words, fits, fitting, source_of
from portal.inventory import reading
from portal.inventory.models import Cluster


class Restore(ClusterKind):
    """Replaces the content of a cluster by a backup."""

    name = "restore"
    label = "Restore"
    # Nothing tells which content a cluster holds.
    effect_shows = False
    form = RestoreForm
    words = Words(
        does="ITCare replaces everything in the cluster by what the backup held at that moment.",
        interrupts="The cluster is away while it is restored. What it holds now is lost.",
        undo="It cannot be undone.",
        look_at="Whether this is the right cluster, the right source and the right moment.",
        takes="From minutes to hours, with the amount of data.",
        risk="high",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:
        """Return what is asked for, in one line."""
        source = source_of(parameters)
        return f"Restore {source.name if source else parameters['source_id']} over {known(cluster)}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return whose backup, of which service and environment, up to when, and what is lost for it."""
        source = source_of(parameters)
        moment = read(parameters["timestamp"])
        local = timezone.localtime(moment)
        when = f"{local:%d %b %Y, %H:%M:%S} {local.tzname()}, {moment:%Y-%m-%d %H:%M:%S} UTC"
        stop = "just before" if parameters["stop"] == BEFORE else "just after"
        replayed = Row("Replayed to", f"{stop} {when}")
        destination = known(cluster)
        lost = f"What {destination} holds now"
        if source is None or source == destination:
            return [
                Row("Content", "Its own backup" if source else f"Backup of {parameters['source_id']}", lost),
                replayed,
            ]
        return [
            Row("Content", f"Backup of {source}", lost),
            Row("Data of service", str(source.service), str(destination.service)),
            Row("Environment of the data", environment_words(source), environment_words(destination)),
            replayed,
        ]

    def state_forbids(self, cluster: Cluster) -> str:
        """The cluster must be active."""
        return must_be_active(cluster)

    def nothing_for(self, asker: User, cluster: Cluster) -> str:
        """There must be a backup that fits, of a service that the person may ask for; others are not told of."""
        # Its own backup will do (API.md A25), and costs the cluster's page no question.
        if fits(cluster, cluster) or fitting(cluster, asker).exists():
            return ""
        return "No cluster of this version in your services is active and backed up."

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:
        """Refuse a source that does not fit any more, and a moment that has left the window."""
        source = source_of(parameters)
        if source is None or not fits(source, cluster):
            return ["The source is no longer active, backed up and of the same version."]
        if source.service is None or source.service.upstream_id != self.copies_from(parameters):
            return ["The source belongs to another service than when this was asked: it has to be asked again."]
        return [words for words in [outside(read(parameters["timestamp"]), source, cluster)] if words]

    def look(self, client: itcare.Client, parameters: Parameters, cluster: Cluster | None) -> None:
        """Read the source too: it may have been stopped since the request.

        Raises:
            ItcareError: as the client says.
        """
        source = source_of(parameters)
        if source and source != cluster and source.gone_at is None:
            reading.read_now(client, source)

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return source, stop and moment."""
        return {
            "sourceId": parameters["source_id"],
            "stop": parameters["stop"],
            "timestamp": parameters["timestamp"],
        }

    def copies_from(self, parameters: Parameters) -> int | None:
        """Return the service of the source; None, and so never the right one, where the request did not keep it."""
        return parameters.get("source_service_id")

    def also_holds(self, parameters: Parameters) -> Sequence[Cluster]:
        """The source must not change while it is read."""
        source = source_of(parameters)
        return [source] if source else []
