"""Install extensions into a database of a cluster (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from portal import itcare
from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, known, must_be_active
from portal.inventory.models import Cluster, Extension


class InstallExtensionForm(KindForm):
    """Offers the cluster's databases, and the extensions that ITCare names for it."""

    dbname = forms.ChoiceField(
        label="Database",
        error_messages={
            "required": "Choose the database.",
            "invalid_choice": "The cluster has no such database: choose one from the list.",
        },
    )
    extensions = forms.MultipleChoiceField(
        label="Extensions",
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "Choose at least one extension.",
            "invalid_choice": "ITCare does not offer this extension for the cluster: choose from the list.",
        },
    )

    field_order = ("dbname", "extensions", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        databases = [database.name for database in self.cluster.databases.all()] if self.cluster else []
        offered = list(self.cluster.extensions.all()) if self.cluster else []
        self._offer("dbname", [("", "Choose"), *((name, name) for name in databases)])
        self._offer("extensions", [(extension.name, extension_words(extension)) for extension in offered])
        self.fields["extensions"].hints = {  # type: ignore[attr-defined]  # read by the field's template
            extension.name: extension.comment for extension in offered if extension.comment
        }
        self._restarting = {extension.name for extension in offered if extension.requires_restarting}

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    def clean_extensions(self) -> list[str]:
        """Warn where an extension needs a restart."""
        chosen: list[str] = self.cleaned_data["extensions"]
        restarting = [name for name in chosen if name in self._restarting]
        if restarting:
            self.warnings["extensions"] = f"{', '.join(restarting)}: PostgreSQL has to be restarted for it."
        return chosen


def extension_words(extension: Extension) -> str:
    """An extension with what helps to choose it."""
    restart = "needs a restart" if extension.requires_restarting else ""
    return f"{extension.name} {extension.version}".strip() + (f", {restart}" if restart else "")


class InstallExtension(ClusterKind):
    """Adds extensions to a database."""

    name = "install_extension"
    label = "Add extensions"
    # What ITCare lists may be what can be installed (API.md A9).
    effect_shows = False
    form = InstallExtensionForm
    words = Words(
        does="ITCare installs the extensions into the database.",
        interrupts="Nothing, unless an extension needs a restart: then connections drop once.",
        undo="There is no way to take an extension out again through ITCare.",
        look_at="Whether a restart is needed, and when it fits.",
        takes="Usually some minutes.",
        risk="low",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:
        """Return what is asked for, in one line."""
        names = ", ".join(parameters["extensions"])
        return f"Add {names} to {parameters['dbname']} of {known(cluster)}"[:200]

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:  # noqa: ARG002
        """Return the database and the extensions."""
        return [Row("Database", parameters["dbname"]), Row("Extensions", ", ".join(parameters["extensions"]))]

    def state_forbids(self, cluster: Cluster) -> str:
        """The cluster must be active and must have told what it offers."""
        if not cluster.parts_read_at:
            return "ITCare has not told the databases and extensions of this cluster yet."
        # Both in one question: the cluster's page asks it each time.
        both = Cluster.objects.filter(pk=cluster.pk, extensions__isnull=False, databases__isnull=False)
        if not both.exists():
            return "ITCare names no database or no extension for this cluster."
        return must_be_active(cluster)

    def unfit(self, parameters: Parameters, cluster: Cluster) -> Sequence[str]:
        """Refuse what is not there any more."""
        offered = set(cluster.extensions.values_list("name", flat=True))
        missing = [name for name in parameters["extensions"] if name not in offered]
        sentences = [f"ITCare does not offer {name} any more." for name in missing]
        if not cluster.databases.filter(name=parameters["dbname"]).exists():
            sentences.append(f"The cluster has no database {parameters['dbname']} any more.")
        return sentences

    def look(self, client: itcare.Client, parameters: Parameters, cluster: Cluster | None) -> None:  # noqa: ARG002
        """Forget databases and extensions that are gone; new ones are left to the next reading of the cluster.

        Raises:
            ItcareError: as the client says.
        """
        found = known(cluster)
        offered = [extension.name[:200] for extension in client.extensions(found.upstream_id)]
        databases = [database.name[:200] for database in client.databases(found.upstream_id)]
        found.extensions.exclude(name__in=offered).delete()
        found.databases.exclude(name__in=databases).delete()

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return database and extensions as the API spells them."""
        names = [{"name": name} for name in parameters["extensions"]]
        return {"dbname": parameters["dbname"], "extensions_list": names}
