"""The form of create: every attribute of API.md 7.1, each rule with a sentence at its field."""

import re
from typing import Any, Final

from django import forms
from django.conf import settings
from django.http import QueryDict

from portal.catalog import passwords, products
from portal.catalog.base import KindForm
from portal.catalog.targets import name_taken
from portal.inventory.models import Area, Network, Service, Zone
from portal.sealing import SecretText
from portal.web.forms import FilteredSelect, SuggestingInput

STANDALONE: Final = "STANDALONE"
HA: Final = "HA"
SHORTEST_NAME, LONGEST_NAME = 5, 60
SHORTEST_PREFIX, LONGEST_PREFIX = 5, 12
SMALLEST_DISK, LARGEST_DISK = 40, 1024
SMALLEST_LAG, LARGEST_LAG = 1, 10_240
TRIGRAM_LENGTH: Final = 3
# ITCare's numbers of networks are 32 bits wide (openapi.yaml, CreatePostgresql).
LARGEST_NUMBER: Final = 2**31 - 1
TYPED, GENERATED = "typed", "generated"  # where the password comes from


class CreateForm(KindForm):
    """Asks for everything that ITCare needs to create a cluster."""

    service_id = forms.TypedChoiceField(
        label="Service",
        coerce=int,
        help_text="The service of ITCare that the cluster belongs to.",
        error_messages={
            "required": "Choose the service that the cluster belongs to.",
            "invalid_choice": "This service is not one of your team's: choose one from the list.",
        },
    )
    name = forms.CharField(
        label="Name",
        # Longer than the rule, so that the rule's own sentence is shown and nothing is cut off.
        max_length=200,
        help_text="5 to 60 small letters and digits. Capitals become small letters.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "data-lowercase": "true"}),
        error_messages={
            "required": "Give the cluster a name.",
            "max_length": f"The name has %(show_value)d characters; it needs {SHORTEST_NAME} to {LONGEST_NAME}.",
        },
    )
    topology = forms.ChoiceField(
        label="Topology",
        choices=[(STANDALONE, "Standalone"), (HA, "High availability")],
        initial=STANDALONE,
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose standalone or high availability."),
    )
    product_code = forms.ChoiceField(
        label="Version",
        error_messages={
            "required": "Choose a version.",
            "invalid_choice": "This version is not offered: choose one from the list.",
        },
    )
    node_sizing = forms.ChoiceField(
        label="Size of a node",
        error_messages={
            "required": "Choose a size.",
            "invalid_choice": "This size is not offered: choose one from the list.",
        },
    )
    disk_size = forms.IntegerField(
        label="Disk of a data node, in GB",
        initial=SMALLEST_DISK,
        help_text=f"{SMALLEST_DISK} to {LARGEST_DISK}. It cannot be changed here later.",
        error_messages={
            "required": f"Give the size of the disk, {SMALLEST_DISK} to {LARGEST_DISK} GB.",
            "invalid": "The disk's size is a whole number of GB.",
        },
    )
    area = forms.CharField(label="Area", required=False, max_length=40, help_text="Where the cluster runs.")
    az = forms.CharField(
        label="Availability zone", required=False, max_length=40, help_text="Needed for high availability."
    )
    network_id = forms.TypedChoiceField(
        label="Network",
        coerce=int,
        error_messages={
            "required": "Choose the network.",
            "invalid_choice": "ITCare has no such network: choose one from the list.",
        },
    )
    allowed_replication_lag = forms.IntegerField(
        label="Allowed replication lag, in MB",
        initial=10,
        help_text=f"{SMALLEST_LAG} to {LARGEST_LAG}. ITCare asks for it for standalone clusters too.",
        error_messages={
            "required": f"Give the allowed replication lag, {SMALLEST_LAG} to {LARGEST_LAG} MB.",
            "invalid": "The lag is a whole number of MB.",
        },
    )
    trigram = forms.CharField(
        label="Trigram",
        max_length=40,
        help_text="Three letters or digits that mark your application.",
        error_messages={
            "required": "Give the trigram: three letters or digits.",
            "max_length": "The trigram is exactly three letters or digits.",
        },
    )
    node_prefix = forms.CharField(
        label="Prefix of the node names",
        required=False,
        max_length=200,
        help_text="5 to 12 capital letters or digits. High availability only.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={
            "max_length": f"The prefix has %(show_value)d characters; it needs {SHORTEST_PREFIX} to {LONGEST_PREFIX}."
        },
    )
    tls = forms.ChoiceField(
        label="TLS",
        required=False,
        choices=[("", "As ITCare decides"), ("true", "On"), ("false", "Off")],
        help_text="Must be chosen for high availability.",
        error_messages={"invalid_choice": "Choose on or off, or leave it to ITCare."},
    )
    adm_password = forms.CharField(
        label="Administrator password",
        required=False,
        strip=False,
        max_length=500,
        help_text=(
            "Leave it empty: the portal makes a strong one and shows it once, to you, when the cluster is ready. "
            "Your own needs at least 12 characters with a small and a capital letter, a digit and a special character."
        ),
        widget=forms.PasswordInput(
            render_value=False,
            attrs={
                "autocomplete": "new-password",
                "data-warn-over": str(passwords.LONGEST_ELSEWHERE),
                "data-warning": "Longer than 20: accepted here, but ITCare's other products take at most 20.",
            },
        ),
        error_messages={"max_length": "The password has at most %(limit_value)d characters (it has %(show_value)d)."},
    )

    field_order = [
        "service_id",
        "name",
        "topology",
        "product_code",
        "node_sizing",
        "disk_size",
        "area",
        "az",
        "network_id",
        "allowed_replication_lag",
        "trigram",
        "node_prefix",
        "tls",
        "adm_password",
        "reason",
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        self.original_name = ""
        if not self.is_bound and self.initial.get("password") == TYPED:
            sentence = (
                "What you typed for this draft is not kept when you change it: type it again, or the portal makes one."
            )
            self.warnings.update(adm_password=sentence)
        services = Service.objects.askable_by(self.user).offered()
        self._choices("service_id", [(service.upstream_id, service_words(service)) for service in services])
        self._choices("product_code", products.product_choices())
        self._choices("node_sizing", products.sizing_choices())
        topology = self.fields["topology"]
        topology.hints = {  # type: ignore[attr-defined]  # read by the field's template
            STANDALONE: "One node. A failure or a patch interrupts the service.",
            HA: "Several nodes over several data centres where possible.",
        }
        self._places()
        self._networks()
        for name in ("area", "az", "tls", "node_prefix"):
            # Needed or not by what else is chosen: "optional" would be half the truth.
            self.fields[name].conditional = True  # type: ignore[attr-defined]

    def _choices(self, name: str, choices: list[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices if len(choices) == 1 else [("", "Choose"), *choices]

    def _places(self) -> None:
        """Offer areas and zones where the inventory has them; a free text where the list cannot be read (API.md A4)."""
        zones = list(Zone.objects.select_related("area__region"))
        areas = list(Area.objects.select_related("region"))
        if not areas:
            return
        area_choices = [("", "Choose"), *((area.name, area_words(area)) for area in areas)]
        self.fields["area"].widget = forms.Select(choices=area_choices)
        of_zone: dict[str, list[str]] = {}
        for zone in zones:
            of_zone.setdefault(zone.name, []).append(zone.area.name)
        widget = FilteredSelect(by=["area"])
        widget.choices = [("", "Choose"), *((name, name) for name in sorted(of_zone))]
        widget.belongs = {name: {"area": names} for name, names in of_zone.items()}
        self.fields["az"].widget = widget
        self.area_zones = {area.name: {zone.name for zone in zones if zone.area_id == area.pk} for area in areas}

    def _networks(self) -> None:
        networks = list(Network.objects.offered())
        field = self.fields["network_id"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101 - for the type checker
        if all(network.listed_at is None for network in networks):
            # The list is a guess (API.md A3): without it the number is typed, those that clusters tell are suggested.
            known = [(network.upstream_id, network_words(network)) for network in networks]
            sentence = f"The network is a number of ITCare, from 1 to {LARGEST_NUMBER}."
            self.fields["network_id"] = forms.IntegerField(
                label=field.label,
                min_value=1,
                max_value=LARGEST_NUMBER,
                widget=SuggestingInput(known),
                help_text="ITCare's number of the network.",
                error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), sentence),
            )
            return
        widget = FilteredSelect(by=["area"])
        widget.belongs = {str(network.upstream_id): {"area": [network.area]} for network in networks if network.area}
        field.widget = widget
        field.choices = [("", "Choose"), *((network.upstream_id, network_words(network)) for network in networks)]

    def clean_name(self) -> str:
        """Check the name's rule, and turn capitals into small letters."""
        typed: str = self.cleaned_data["name"]
        name = typed.lower()
        if not re.fullmatch(r"[a-z0-9]*", name):
            message = f"Only small letters and digits: {_strangers(name)} must go."
            raise forms.ValidationError(message)
        if not SHORTEST_NAME <= len(name) <= LONGEST_NAME:
            message = f"The name has {len(name)} characters; it needs {SHORTEST_NAME} to {LONGEST_NAME}."
            raise forms.ValidationError(message)
        if name == "cluster":
            message = "ITCare keeps the word “cluster” for itself: choose another name."
            raise forms.ValidationError(message)
        if sentence := name_taken(name):
            raise forms.ValidationError(sentence)
        if name != typed:
            self.warnings["name"] = f"Capitals became small letters: {typed} is asked for as {name}."
            # The page shows what will be asked for.
            self.data = {**self.data.dict(), "name": name} if isinstance(self.data, QueryDict) else self.data
        return name

    def clean_disk_size(self) -> int:
        """Check the disk's size."""
        return _within(self.cleaned_data["disk_size"], SMALLEST_DISK, LARGEST_DISK, "GB")

    def clean_allowed_replication_lag(self) -> int:
        """Check the lag."""
        return _within(self.cleaned_data["allowed_replication_lag"], SMALLEST_LAG, LARGEST_LAG, "MB")

    def clean_trigram(self) -> str:
        """Check the trigram: three characters, from the word itself."""
        trigram: str = self.cleaned_data["trigram"]
        if not re.fullmatch(rf"[A-Za-z0-9]{{{TRIGRAM_LENGTH}}}", trigram):
            message = "The trigram is exactly three letters or digits."
            raise forms.ValidationError(message)
        return trigram

    def clean_area(self) -> str:
        """Check that the area exists, where areas are known."""
        area: str = self.cleaned_data["area"]
        if area and hasattr(self, "area_zones") and area not in self.area_zones:
            message = "ITCare has no such area: choose one from the list."
            raise forms.ValidationError(message)
        return area

    def clean_adm_password(self) -> SecretText | None:
        """Check the printed rule; warn where the narrower one of other products is left."""
        text: str = self.cleaned_data["adm_password"]
        if not text:
            return None
        if sentence := passwords.broken(text):
            raise forms.ValidationError(sentence)
        if sentence := passwords.doubtful(text):
            self.warnings["adm_password"] = sentence
        return SecretText(text)

    def clean(self) -> dict[str, Any]:
        """Check what depends on several fields: place, and what high availability needs."""
        data = self.cleaned_data
        area, zone = data.get("area"), data.get("az")
        if not area and not zone and "area" not in self.errors:
            self.add_error("area", "Choose an area, or an availability zone: ITCare needs one of them.")
        if zone and hasattr(self, "area_zones"):
            offered = self.area_zones.get(area or "") if area else set().union(*self.area_zones.values())
            if offered is not None and zone not in offered:
                self.add_error("az", f"Area {area} has no such zone." if area else "ITCare has no such zone.")
        if data.get("topology") == HA:
            self._check_ha(data)
        else:
            data["node_prefix"] = ""
        self._doubt_network(data)
        return data

    def _check_ha(self, data: dict[str, Any]) -> None:
        if not data.get("az") and "az" not in self.errors:
            self.add_error("az", "High availability needs an availability zone.")
        if not data.get("tls") and "tls" not in self.errors:
            self.add_error("tls", "High availability needs the choice: TLS on or off.")
        prefix = data.get("node_prefix", "")
        if "node_prefix" in self.errors:
            return
        if not prefix:
            self.add_error("node_prefix", "High availability needs a prefix for the names of the nodes.")
        elif not re.fullmatch(r"[A-Z0-9]*", prefix):
            self.add_error("node_prefix", f"Only capital letters and digits: {_strangers(prefix, 'A-Z0-9')} must go.")
        elif not SHORTEST_PREFIX <= len(prefix) <= LONGEST_PREFIX:
            sentence = f"The prefix has {len(prefix)} characters; it needs {SHORTEST_PREFIX} to {LONGEST_PREFIX}."
            self.add_error("node_prefix", sentence)

    def _doubt_network(self, data: dict[str, Any]) -> None:
        network = Network.objects.filter(upstream_id=data.get("network_id") or 0).first()
        if network and network.area and data.get("area") and network.area != data["area"]:
            sentence = f"This network is in area {network.area}, the cluster in {data['area']}: ITCare may refuse that."
            self.warnings["network_id"] = sentence

    @property
    def parameters(self) -> dict[str, Any]:
        """The attributes of the API, and where the password comes from."""
        return {**super().parameters, "password": TYPED if self.secret else GENERATED}

    @property
    def secret(self) -> SecretText | None:
        """The administrator password, if one was typed."""
        return self.cleaned_data.get("adm_password")


def service_words(service: Service) -> str:
    """A service with its environment, for a list of choices."""
    return f"{service} ({service.environment.lower()})" if service.environment else str(service)


def area_words(area: Area) -> str:
    """An area with its region, for a list of choices."""
    return f"{area.name}, {area.region.label or area.region.name}"


def network_words(network: Network) -> str:
    """A network with what helps to choose it."""
    free = "" if network.free_addresses is None else f"{network.free_addresses} addresses free"
    parts = [str(network), network.description, network.cidr if network.name else "", network.area, free]
    return ", ".join(part for part in parts if part)


def _within(value: int, least: int, most: int, unit: str) -> int:
    if not least <= value <= most:
        message = f"At least {least}, at most {most} {unit}."
        raise forms.ValidationError(message)
    return value


def _strangers(text: str, allowed: str = "a-z0-9") -> str:
    """Name the characters that do not belong: at most five, none that could not be read."""
    found = list(dict.fromkeys(re.findall(rf"[^{allowed}]", text)))[:5]
    names = {" ": "the space", "-": "the dash", "_": "the underscore"}
    return ", ".join(names.get(one) or (f"“{one}”" if one.isprintable() else "an unprintable one") for one in found)


def wire_topology(topology: str) -> str:
    """Return the topology as the API spells it (API.md A7)."""
    return settings.ITCARE_HA_TOPOLOGY if topology == HA else topology
