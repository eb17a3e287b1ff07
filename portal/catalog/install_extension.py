"""Install extensions into a database of a cluster (API.md 7.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef

from portal import itcare
from portal.catalog.base import KindForm, Parameters, Row, Words
from portal.catalog.on_cluster import ClusterKind, known, must_be_active, tell, told_before, untold
from portal.inventory.models import Cluster, Database, Extension, PartName


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
        self.fields["extensions"].links = {  # type: ignore[attr-defined]  # likewise
            extension.name: extension.safe_link for extension in offered if extension.safe_link
        }
        self.fields["dbname"].help_text = told_before(self.cluster, PartName.DATABASES)
        self.fields["extensions"].help_text = told_before(self.cluster, PartName.EXTENSIONS)
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
        """ITCare must have told of a database and an extension, and the cluster be active."""
        # Both in one question: the cluster's page asks it each time.
        both = [Exists(model.objects.filter(cluster=OuterRef("pk"))) for model in (Database, Extension)]
        database, extension = Cluster.objects.values_list(*both).get(pk=cluster.pk)
        if not database:
            return untold(cluster, PartName.DATABASES) or "ITCare names no database for this cluster."
        if not extension:
            return untold(cluster, PartName.EXTENSIONS) or "ITCare names no extension for this cluster."
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
        """Read the databases and the extensions that are offered.

        Raises:
            ItcareError: as the client says.
        """
        found = known(cluster)
        tell(client, found, PartName.EXTENSIONS)
        tell(client, found, PartName.DATABASES)

    def options(self, parameters: Parameters) -> Mapping[str, Any]:
        """Return database and extensions as the API spells them."""
        names = [{"name": name} for name in parameters["extensions"]]
        return {"dbname": parameters["dbname"], "extensions_list": names}
