"""Create a cluster (API.md 7.1)."""

from collections.abc import Sequence
from typing import Final

from portal import itcare
from portal.catalog import products
from portal.catalog.base import Kind, Parameters, Row, Words
from portal.catalog.create_form import GENERATED, HA, TYPED, CreateForm, network_words, service_words, wire_topology
from portal.catalog.targets import name_taken
from portal.inventory.models import ACTIVE, Cluster, Network, Service
from portal.sealing import SecretText

# What the API calls the form's fields.
_WIRE: Final = {
    "product_code": "productCode",
    "service_id": "serviceId",
    "node_sizing": "nodeSizing",
    "network_id": "networkId",
    "area": "area",
    "az": "az",
    "disk_size": "diskSize",
    "allowed_replication_lag": "allowedReplicationLag",
    "topology": "topology",
    "trigram": "trigram",
    "tls": "tls",
    "name": "name",
    "node_prefix": "nodePrefix",
}
_PASSWORD_WORDS: Final = {
    TYPED: "Typed by the requester; sealed, shown to nobody",
    GENERATED: "Made by the portal; shown once, to the requester",
}


class Create(Kind):
    """Orders a new cluster."""

    name = "create"
    label = "Create a cluster"
    form = CreateForm
    makes_password = True
    on_cluster = False
    effect_shows = True
    words = Words(
        does="ITCare creates a new PostgreSQL cluster in the chosen service.",
        interrupts="Nothing that exists is touched.",
        undo=("The new cluster can be deleted. Its disk cannot be changed later, nor high availability undone."),
        look_at="Size and disk, the network, and whether production should be highly available.",
        takes="Usually under an hour; up to two, depending on ITCare's load.",
        risk="low",
    )

    def title(self, parameters: Parameters, cluster: Cluster | None) -> str:  # noqa: ARG002 - no cluster yet
        """Return what is asked for, in one line."""
        return f"Create {parameters['name']}"

    def target(self, parameters: Parameters, cluster: Cluster | None) -> tuple[str, int]:  # noqa: ARG002
        """Return the new cluster's name, and the upstream number of its service."""
        return parameters["name"], parameters["service_id"]

    def rows(self, parameters: Parameters, cluster: Cluster | None) -> Sequence[Row]:  # noqa: ARG002
        """Return each attribute in words; the password only by where it comes from."""
        service = Service.objects.filter(upstream_id=parameters["service_id"]).first()
        network = Network.objects.filter(upstream_id=parameters["network_id"]).first()
        rows = [
            Row("Name", parameters["name"]),
            Row("Service", service_words(service) if service else str(parameters["service_id"])),
            Row("Topology", "High availability" if parameters["topology"] == HA else "Standalone"),
            Row("Version", products.product_words(parameters["product_code"])),
            Row("Size of a node", products.sizing_words(parameters["node_sizing"])),
            Row("Disk of a data node", f"{parameters['disk_size']} GB"),
            Row("Area", parameters.get("area", "")),
            Row("Availability zone", parameters.get("az", "")),
            Row("Network", network_words(network) if network else str(parameters["network_id"])),
            Row("Allowed replication lag", f"{parameters['allowed_replication_lag']} MB"),
            Row("Trigram", parameters["trigram"]),
            Row("Prefix of the node names", parameters.get("node_prefix", "")),
            Row("TLS", {"true": "On", "false": "Off"}.get(parameters.get("tls", ""), "As ITCare decides")),
            Row("Administrator password", _PASSWORD_WORDS[parameters["password"]]),
        ]
        return [row for row in rows if row.new]

    def broken(self, parameters: Parameters, cluster: Cluster | None, service: Service) -> Sequence[str]:  # noqa: ARG002
        """Return what stands in the way: the name was taken meanwhile, or service or network are offered no more."""
        sentences = [name_taken(parameters["name"])]
        if service.unlisted_at:
            sentences.append("ITCare does not list the service any more.")
        # Where the list could not be read (API.md A3) nothing is known of any network.
        known = Network.objects.filter(upstream_id=parameters["network_id"]).first()
        if known and known.unlisted_at:
            sentences.append("ITCare does not list the network any more.")
        if known is None and Network.objects.filter(listed_at__isnull=False).exists():
            sentences.append("The network no longer exists.")
        return [sentence for sentence in sentences if sentence]

    def effect(self, parameters: Parameters, cluster: Cluster) -> str:
        """It is there, active, and what was asked for; a name that a cluster has already is not sent for.

        One that tells another product, size or disk was made by somebody else.
        """
        asked = (parameters["product_code"], parameters["node_sizing"], parameters["disk_size"])
        shown = (cluster.product_code, cluster.sizing, cluster.storage)
        alike = all(told in ("", None, wanted) for told, wanted in zip(shown, asked, strict=True))
        return "the cluster is there and active" if alike and cluster.status == ACTIVE else ""

    def payload(self, parameters: Parameters) -> dict[str, object]:
        """Return the body of the POST without the password; what was left empty is left out."""
        body: dict[str, object] = {wire: parameters[name] for name, wire in _WIRE.items() if name in parameters}
        body["topology"] = wire_topology(parameters["topology"])
        if "tls" in parameters:
            body["tls"] = parameters["tls"] == "true"
        return body

    def send(
        self,
        client: itcare.Client,
        parameters: Parameters,
        cluster: Cluster | None,  # noqa: ARG002
        secret: SecretText | None,
    ) -> itcare.Accepted:
        """Order the cluster.

        Raises:
            ItcareError: as the client says.
            ValueError: there is no password.
        """
        if secret is None:
            message = "a cluster cannot be created without its administrator password"
            raise ValueError(message)
        return client.create({**self.payload(parameters), "admPassword": secret})
