"""The form of restore: whose backup, up to which moment (API.md 7.3)."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone

from portal.catalog.on_cluster import ConfirmedForm
from portal.catalog.sources import called, differing, fits, fitting
from portal.inventory.models import Cluster
from portal.web.moments import MomentError, MomentInput, read_moment, written_here
from portal.web.times import exact

BEFORE, AFTER = "BEFORE", "AFTER"
WINDOW: Final = timedelta(days=7)
PRODUCTION_WINDOW: Final = timedelta(days=14)
# Sources that the list offers; where there are more, any other is named.
MOST: Final = 50
_UNUSABLE: Final = "This cluster's backup cannot be used: choose one from the list."


def window(source: Cluster, destination: Cluster) -> timedelta:
    """How far back one may go: 14 days where both services are production, else 7, the stricter (API.md 7.3)."""
    both = all(cluster.service is not None and cluster.service.production for cluster in (source, destination))
    return PRODUCTION_WINDOW if both else WINDOW


class RestoreForm(ConfirmedForm):
    """Asks whose backup, and up to which moment."""

    # Checked by one look for the cluster, not against the list: a script, or an earlier request, may name any other.
    source_id = forms.IntegerField(
        label="Backup of",
        required=False,
        widget=forms.Select,
        help_text="Clusters of your services and of the same version that are active and backed up.",
        error_messages={"invalid": _UNUSABLE},
    )
    source_name = forms.CharField(
        label="Another cluster, by its name",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=f"The list has the first {MOST} by name. Any other can be named here instead.",
    )
    timestamp = forms.CharField(
        label="Up to this moment",
        max_length=60,
        widget=MomentInput,
        error_messages={
            "required": "Give the moment to go back to.",
            "max_length": "This is no moment: give day and time, such as 2026-11-02 09:32:02.",
        },
    )
    stop = forms.ChoiceField(
        label="Stop the replay",
        choices=[(BEFORE, "Just before that moment"), (AFTER, "Just after that moment")],
        initial=BEFORE,
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose before or after."),
    )

    field_order = ("source_id", "source_name", "timestamp", "stop", "confirm_name", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        self.source: Cluster | None = None
        # One of the two is needed: "optional" would be half the truth.
        self.fields["source_id"].conditional = True  # type: ignore[attr-defined]
        self._offer(self._chosen())
        self._limit()
        if kept := self.initial.get("timestamp"):
            self.initial["timestamp"] = written_here(read(kept))

    def _offer(self, chosen: int | None) -> None:
        """Offer the cluster itself and the first sources by name, and the one chosen before wherever it stands."""
        assert self.cluster is not None  # noqa: S101 - for the type checker
        fit = fitting(self.cluster, self.user).order_by("name", "pk")
        found = list(fit[: MOST + 1])
        if len(found) <= MOST:
            del self.fields["source_name"]
        offered = {row.upstream_id: row.name for row in found[:MOST]}
        if fits(self.cluster, self.cluster):
            own = self.cluster.upstream_id
            others = {number: name for number, name in offered.items() if number != own}
            offered = {own: f"{self.cluster} itself"} | others
        if chosen and chosen not in offered and (other := fit.filter(upstream_id=chosen).first()):
            offered[chosen] = other.name
        self._choices([("", "Choose"), *offered.items()])

    def _chosen(self) -> int | None:
        """The number that is chosen already: in what is sent, or in the request that is changed or asked again."""
        try:
            return self.fields["source_id"].clean(self["source_id"].value())  # type: ignore[no-any-return]
        except forms.ValidationError:
            return None

    def _choices(self, choices: list[tuple[int | str, str]]) -> None:
        widget = self.fields["source_id"].widget
        assert isinstance(widget, forms.Select)  # noqa: S101 - for the type checker
        widget.choices = choices

    def _limit(self) -> None:
        """Keep the picker within what the destination allows, and say so in the portal's zone and in UTC."""
        assert self.cluster is not None  # noqa: S101 - for the type checker
        longest = window(self.cluster, self.cluster)
        now = timezone.now()
        field = self.fields["timestamp"]
        assert isinstance(field.widget, MomentInput)  # noqa: S101 - for the type checker
        field.widget.between(now - longest, now)
        ends = [f"{timezone.localtime(end):%d %b %Y, %H:%M:%S} ({exact(end)})" for end in (now - longest, now)]
        zone = timezone.get_current_timezone_name()
        sentences = [
            f"In the time of {zone}, unless another zone is chosen.",
            f"From {ends[0]} to {ends[1]}.",
            f"A source that is not in production goes back {WINDOW.days} days only." if longest != WINDOW else "",
        ]
        field.help_text = " ".join(sentence for sentence in sentences if sentence)

    def clean_timestamp(self) -> str:
        """Return the moment as the API takes it, in UTC; without a zone it is the portal's own."""
        try:
            return spelled(read_moment(self.cleaned_data["timestamp"]))
        except MomentError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        """Find the source, and check that the moment lies in the window of both clusters."""
        data = self.cleaned_data
        named = data.pop("source_name", "")
        if not {"source_id", "source_name"} & set(self.errors):
            self._find(data.get("source_id"), named)
        if self.source:
            data["source_id"] = self.source.upstream_id
        if self.cluster and self.source and (sentence := differing(self.source, self.cluster)):
            self.warnings["source_id"] = sentence
        if self.cluster and self.source and data.get("timestamp"):
            sentence = outside(read(data["timestamp"]), self.source, self.cluster)
            if sentence:
                self.add_error("timestamp", sentence)
        return data

    @property
    def parameters(self) -> dict[str, Any]:
        """What is typed, and how the source was: the right to copy rests on its service, so the digest covers it."""
        if self.source is None or self.source.service is None:
            return super().parameters
        kept = {"source_service_id": self.source.service.upstream_id, "source_status": self.source.status}
        return {**super().parameters, **kept}

    def _find(self, number: int | None, named: str) -> None:
        """Look for the one cluster that was chosen, or named, among those that fit."""
        assert self.cluster is not None  # noqa: S101 - for the type checker
        fit = fitting(self.cluster, self.user).select_related("service")
        if named:
            found = list(called(fit, named)[:2])
            if len(found) != 1:
                self.add_error("source_name", "No cluster of this name has a backup that can be used here.")
            elif number not in {None, found[0].upstream_id}:
                self.add_error("source_name", "Choose a cluster from the list, or name another one, not both.")
            else:
                self.source = found[0]
        elif number is None:
            self.add_error("source_id", "Choose the cluster whose backup is read.")
        else:
            self.source = fit.filter(upstream_id=number).first()
            if self.source is None:
                self.add_error("source_id", _UNUSABLE)


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
