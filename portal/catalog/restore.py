"""Restore a backup over a cluster (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal import itcare
from portal.catalog.base import Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, ConfirmedForm, known, major, must_be_active
from portal.inventory import reading
from portal.inventory.models import ACTIVE, Cluster, Service

BEFORE, AFTER = "BEFORE", "AFTER"
WINDOW: Final = timedelta(days=7)
PRODUCTION_WINDOW: Final = timedelta(days=14)


def window(source: Cluster, destination: Cluster) -> timedelta:
    """How far back one may go: 14 days where both services are production, else 7, the stricter (API.md 7.3)."""
    both = all(cluster.service is not None and cluster.service.production for cluster in (source, destination))
    return PRODUCTION_WINDOW if both else WINDOW


def sources_for(destination: Cluster) -> list[Cluster]:
    """Clusters whose backup fits: backed up, active, of the same version; the cluster itself too (API.md A25)."""
    fitting = Cluster.objects.present().filter(backup_status=True, status=ACTIVE)
    return [cluster for cluster in fitting.select_related("service") if major(cluster) == major(destination) > 0]


class RestoreForm(ConfirmedForm):
    """Asks whose backup, and up to which moment."""

    source_id = forms.TypedChoiceField(
        label="Backup of",
        coerce=int,
        help_text="Clusters of your services and of the same version that are active and backed up.",
        error_messages={
            "required": "Choose the cluster whose backup is read.",
            "invalid_choice": "This cluster's backup cannot be used: choose one from the list.",
        },
    )
    timestamp = forms.CharField(
        label="Up to this moment",
        max_length=40,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        error_messages={"required": "Give the moment to go back to."},
    )
    stop = forms.ChoiceField(
        label="Stop the replay",
        choices=[(BEFORE, "Just before that moment"), (AFTER, "Just after that moment")],
        initial=BEFORE,
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose before or after."),
    )

    field_order = ("source_id", "timestamp", "stop", "confirm_name", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        # Data of another team must not be copied out of its service.
        allowed = set(Service.objects.askable_by(self.user).values_list("pk", flat=True))
        fitting = sources_for(self.cluster) if self.cluster else []
        self.sources = [source for source in fitting if source.service_id in allowed]
        field = self.fields["source_id"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [("", "Choose"), *((source.upstream_id, self._words(source)) for source in self.sources)]
        zone = timezone.localtime().tzname()
        earliest = timezone.localtime(timezone.now() - PRODUCTION_WINDOW)
        widget = self.fields["timestamp"].widget
        widget.attrs |= {
            "min": earliest.strftime("%Y-%m-%dT%H:%M:%S"),
            "max": timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S"),
        }
        if before := self.initial.get("timestamp"):
            # A kept moment has its zone; the browser's field takes none.
            self.initial["timestamp"] = timezone.localtime(read(before)).strftime("%Y-%m-%dT%H:%M:%S")
        self.fields["timestamp"].help_text = f"In the time of {zone}. The summary shows it in UTC too."

    def _words(self, source: Cluster) -> str:
        return f"{source.name} itself" if source == self.cluster else source.name

    def clean_timestamp(self) -> str:
        """Return the moment as the API takes it, in UTC; without a zone it is the portal's own."""
        typed: str = self.cleaned_data["timestamp"]
        try:
            moment = parse_datetime(typed)
        except ValueError:
            moment = None
        if moment is None:
            message = "This is no moment: give day and time, such as 2026-11-02 09:32:02."
            raise forms.ValidationError(message)
        if timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return spelled(moment)

    def clean(self) -> dict[str, Any]:
        """Check that the moment lies in the window of both clusters."""
        data = self.cleaned_data
        source = next((cluster for cluster in self.sources if cluster.upstream_id == data.get("source_id")), None)
        if self.cluster and source and data.get("timestamp"):
            sentence = outside(read(data["timestamp"]), source, self.cluster)
            if sentence:
                self.add_error("timestamp", sentence)
        return data


def spelled(moment: datetime) -> str:
    """Spell a moment as the API's example does: milliseconds, and the offset of UTC (API.md 1)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def read(timestamp: str) -> datetime:
    """Read what `spelled` wrote."""
    return datetime.fromisoformat(timestamp)


def outside(moment: datetime, source: Cluster, destination: Cluster) -> str:
    """Return why the moment cannot be gone back to; empty if it can."""
    now = timezone.now()
    if moment > now:
        return "This moment has not come yet."
    days = window(source, destination).days
    if moment < now - timedelta(days=days):
        return f"This is more than {days} days ago: the backup does not reach that far."
    return ""


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
        source = _source(parameters)
        return f"Restore {source.name if source else parameters['source_id']} over {known(cluster)}"

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:
        """Return whose backup, up to when, over what."""
        source = _source(parameters)
        moment = read(parameters["timestamp"])
        local = timezone.localtime(moment)
        when = f"{local:%d %b %Y, %H:%M:%S} {local.tzname()}, {moment:%Y-%m-%d %H:%M:%S} UTC"
        stop = "just before" if parameters["stop"] == BEFORE else "just after"
        return [
            Row(f"Content of {known(cluster)}", f"Backup of {source.name if source else parameters['source_id']}"),
            Row("Replayed to", f"{stop} {when}"),
        ]

    def state_forbids(self, cluster: Cluster) -> str:
        """The cluster must be active, and there must be a backup that fits."""
        if words := must_be_active(cluster):
            return words
        # Its own backup will do (API.md A25), and costs the cluster's page no question.
        if (cluster.backup_status and major(cluster)) or sources_for(cluster):
            return ""
        return "No cluster of this version is active and backed up."

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:
        """Refuse a source that does not fit any more, and a moment that has left the window."""
        source = _source(parameters)
        if source is None or source not in sources_for(cluster):
            return ["The source is no longer active, backed up and of the same version."]
        return [words for words in [outside(read(parameters["timestamp"]), source, cluster)] if words]

    def look(self, client: itcare.Client, parameters: Parameters, cluster: Cluster | None) -> None:
        """Read the source too: it may have been stopped since the request.

        Raises:
            ItcareError: as the client says.
        """
        source = _source(parameters)
        if source and source != cluster and source.gone_at is None:
            reading.read_now(client, source)

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return source, stop and moment."""
        return {
            "sourceId": parameters["source_id"],
            "stop": parameters["stop"],
            "timestamp": parameters["timestamp"],
        }

    def also_holds(self, parameters: Parameters) -> Sequence[Cluster]:
        """The source must not change while it is read."""
        source = _source(parameters)
        return [source] if source else []


def _source(parameters: Parameters) -> Cluster | None:
    return Cluster.objects.select_related("service").filter(upstream_id=parameters["source_id"]).first()
