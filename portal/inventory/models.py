"""What exists at ITCare, as last read: services, places, networks, clusters and their parts."""

import hashlib
import json
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.urls import reverse
from django.utils import timezone

from portal.accounts import rights
from portal.accounts.models import Team, User
from portal.web.looks import Look

PRODUCTION = "PRODUCTION"  # the one environment code that has rules of its own (API.md A22)
ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"


class ServiceQuerySet(models.QuerySet["Service"]):
    """Services, narrowed to what a person may see, ask for or decide on."""

    def visible_to(self, user: User) -> Self:
        """Services of the person's teams; all of them for support and administrators."""
        if rights.reads_everything(user):
            return self
        return self.filter(granted(rights.teams_of(user)))

    def askable_by(self, user: User) -> Self:
        """Services that the person may file requests for."""
        return self.filter(granted(rights.teams_asking(user)))

    def decidable_by(self, user: User) -> Self:
        """Services whose requests the person may decide."""
        return self.filter(granted(rights.teams_deciding(user)))


class Service(models.Model):
    """A place of ITCare in which clusters live; teams are granted services."""

    upstream_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=40, blank=True)
    cloud_name = models.CharField(max_length=200, blank=True)
    listed_at = models.DateTimeField(null=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        """Services read in the order of their names."""

        ordering = ["name", "upstream_id"]

    def __str__(self) -> str:
        return self.name or f"Service {self.upstream_id}"

    @property
    def production(self) -> bool:
        """Whether the stricter rules of production hold here."""
        return self.environment == PRODUCTION


class Grant(models.Model):
    """Gives a team a service: its members see it, and may ask or decide as their roles say."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="grants")
    service = models.ForeignKey(Service, models.CASCADE, related_name="grants")

    class Meta:
        """A team has a service once."""

        constraints = [models.UniqueConstraint("team", "service", name="grant_once")]

    def __str__(self) -> str:
        return f"{self.team}: {self.service}"


def granted(teams: models.QuerySet[Team], prefix: str = "") -> Q:
    """Rows whose service is granted to one of the teams; ``prefix`` is the path to the service, ending in ``__``."""
    return Q(**{f"{prefix}pk__in": Grant.objects.filter(team__in=teams).values("service")})


class Region(models.Model):
    """A group of data centres less than a millisecond apart (API.md 11)."""

    name = models.CharField(max_length=40, unique=True)
    label = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name


class Area(models.Model):
    """A low-latency network area of a region."""

    region = models.ForeignKey(Region, models.CASCADE, related_name="areas")
    name = models.CharField(max_length=40, unique=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        """Areas read in the order of their names."""

        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Zone(models.Model):
    """An availability zone, offered in one or several areas."""

    area = models.ForeignKey(Area, models.CASCADE, related_name="zones")
    name = models.CharField(max_length=40)

    class Meta:
        """An area names a zone once."""

        ordering = ["name"]
        constraints = [models.UniqueConstraint("area", "name", name="zone_once_an_area")]

    def __str__(self) -> str:
        return self.name


class Network(models.Model):
    """A network that a cluster can be placed in."""

    upstream_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=500, blank=True)
    cidr = models.CharField(max_length=64, blank=True)
    region = models.CharField(max_length=40, blank=True)
    area = models.CharField(max_length=40, blank=True)
    environment = models.CharField(max_length=40, blank=True)
    scope = models.CharField(max_length=40, blank=True)
    free_addresses = models.IntegerField(null=True)
    listed_at = models.DateTimeField(null=True)

    class Meta:
        """Networks read in the order of their names."""

        ordering = ["name", "upstream_id"]

    def __str__(self) -> str:
        return self.name or self.cidr or f"Network {self.upstream_id}"


class ClusterQuerySet(models.QuerySet["Cluster"]):
    """Clusters, narrowed to what a person may see."""

    def visible_to(self, user: User) -> Self:
        """Clusters of the services of the person's teams; all of them for support and administrators."""
        if rights.reads_everything(user):
            return self
        return self.filter(granted(rights.teams_of(user), "service__"))

    def present(self) -> Self:
        """Clusters that were not found gone."""
        return self.filter(gone_at=None)

    def named(self, name: str) -> Self:
        """Clusters of that name, whatever its capitals (API.md 7.1)."""
        return self.filter(name__iexact=name)


class Cluster(models.Model):
    """A PostgreSQL cluster as ITCare last told it."""

    upstream_id = models.BigIntegerField(unique=True, help_text="Addresses the cluster in paths (API.md A5).")
    resource_id = models.BigIntegerField(null=True, help_text="The other identifier of the resource list.")
    name = models.CharField(max_length=200)
    service = models.ForeignKey(Service, models.PROTECT, null=True, related_name="clusters")
    status = models.CharField(max_length=40, blank=True)
    environment = models.CharField(max_length=40, blank=True)
    version = models.CharField(max_length=40, blank=True)
    product_code = models.CharField(max_length=100, blank=True)
    product_name = models.CharField(max_length=200, blank=True)
    topology = models.CharField(max_length=40, blank=True)
    sizing = models.CharField(max_length=40, blank=True)
    cpu = models.BigIntegerField(null=True)
    ram = models.BigIntegerField(null=True, help_text="GB")
    storage = models.BigIntegerField(null=True, help_text="GB on each data node")
    node_count = models.BigIntegerField(null=True)
    network_id = models.BigIntegerField(null=True)
    ip_address = models.CharField(max_length=64, blank=True)
    url = models.CharField(max_length=300, blank=True)
    region = models.CharField(max_length=100, blank=True)
    area = models.CharField(max_length=100, blank=True)
    zone = models.CharField(max_length=100, blank=True)
    data_center = models.CharField(max_length=100, blank=True)
    tls_enabled = models.BooleanField(null=True)
    trigram = models.CharField(max_length=40, blank=True)
    allowed_replication_lag = models.BigIntegerField(null=True, help_text="MB")
    backup_status = models.BooleanField(null=True)
    replication_status = models.BooleanField(null=True)
    monitoring_requested = models.BooleanField(null=True)
    support_level = models.CharField(max_length=100, blank=True)
    support_phase = models.CharField(max_length=100, blank=True)
    released_at = models.DateTimeField(null=True)
    end_of_sales_at = models.DateTimeField(null=True)
    extended_support_at = models.DateTimeField(null=True)
    end_of_support_at = models.DateTimeField(null=True)
    creation_time = models.DateTimeField(null=True)
    creation_user = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True)

    first_seen_at = models.DateTimeField(db_default=Now())
    listed_at = models.DateTimeField(null=True, help_text="Last seen in the resource list.")
    read_at = models.DateTimeField(null=True, help_text="Its own page at ITCare was last read.")
    parts_read_at = models.DateTimeField(null=True, help_text="Nodes, databases, extensions, networks were last read.")
    read_failed = models.CharField(max_length=300, blank=True, help_text="Why the last reading failed.")
    tried_at = models.DateTimeField(null=True, help_text="Last attempt to read it, failed ones too.")
    wanted_at = models.DateTimeField(null=True, help_text="Somebody waits for a fresh reading since then.")
    missed_at = models.DateTimeField(null=True, help_text="First of two answers that it does not exist.")
    gone_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(db_default=Now(), help_text="What is known of it changed.")

    objects = ClusterQuerySet.as_manager()

    class Meta:
        """Searched by name whatever its capitals, walked by name."""

        ordering = ["name", "pk"]
        indexes = [
            models.Index(Lower("name"), name="cluster_lower_name"),
            models.Index(fields=["name", "id"], name="cluster_walk"),
            models.Index(fields=["service", "name"], name="cluster_service_name"),
            models.Index(fields=["wanted_at"], name="cluster_wanted", condition=Q(wanted_at__isnull=False)),
            models.Index(fields=["first_seen_at"], name="cluster_unread", condition=Q(read_at=None, gone_at=None)),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The cluster's page."""
        return reverse("cluster", args=[self.pk])

    @property
    def revision(self) -> str:
        """Digest of what a decision about the cluster rests on; status is left to conditions (ARCHITECTURE 1.3)."""
        seen = [
            self.name,
            self.upstream_id,
            self.version,
            self.sizing,
            self.topology,
            self.service.upstream_id if self.service else None,
            self.storage,
        ]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    @property
    def look(self) -> Look:
        """How its status is shown; words that are not documented are shown as they are (API.md A15)."""
        if self.gone_at:
            return Look("Gone", "ghost", "off", "ITCare no longer knows it; this is its last known state.")
        known = {
            ACTIVE: Look("Active", "check", "good"),
            INACTIVE: Look("Stopped", "circle-stop", "off"),
            "CREATING": Look("Creating", "loader-circle", "busy"),
            "DELETING": Look("Deleting", "loader-circle", "busy"),
            "": Look("Not known yet", "circle-question-mark", "off"),
        }
        return known.get(self.status) or Look(self.status.capitalize(), "circle-question-mark", "warn")

    @property
    def support_ended(self) -> bool:
        """Whether the support of its version is over."""
        return self.end_of_support_at is not None and self.end_of_support_at < timezone.now()

    @property
    def support_look(self) -> Look:
        """How an ended support is shown."""
        return Look("Ended", "triangle-alert", "warn", "This version is no longer supported: plan an upgrade.")

    @property
    def topology_words(self) -> str:
        """The topology in words; one that is not documented stays as it is (API.md A7)."""
        words = {"STANDALONE": "Standalone", "HA": "High availability", "HIGH_AVAILABILITY": "High availability"}
        return words.get(self.topology.upper(), self.topology)

    @property
    def size_words(self) -> str:
        """CPU, memory and disk, as far as they are known."""
        parts = [
            f"{self.cpu} CPU" if self.cpu else "",
            f"{self.ram} GB" if self.ram else "",
            f"{self.storage} GB disk" if self.storage else "",
        ]
        return ", ".join(part for part in parts if part) or self.sizing


class Node(models.Model):
    """A virtual machine of a cluster."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="nodes")
    upstream_id = models.BigIntegerField(null=True)
    name = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=40, blank=True)
    cpu = models.BigIntegerField(null=True)
    ram = models.BigIntegerField(null=True, help_text="GB")
    storage = models.FloatField(null=True, help_text="GB after formatting")
    ip_address = models.CharField(max_length=64, blank=True)
    zone = models.CharField(max_length=100, blank=True)
    data_center = models.CharField(max_length=100, blank=True)
    os_name = models.CharField(max_length=100, blank=True)

    class Meta:
        """Nodes read in the order of their names."""

        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def look(self) -> Look:
        """How its status is shown: by the same words as a cluster's."""
        return Cluster(status=self.status).look


class Database(models.Model):
    """A database that a cluster holds."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="databases")
    name = models.CharField(max_length=200)

    class Meta:
        """Databases read in the order of their names."""

        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Extension(models.Model):
    """An extension that ITCare names for a cluster (API.md A9: offered, not necessarily installed)."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="extensions")
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=100, blank=True)
    comment = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=500, blank=True)
    requires_restarting = models.BooleanField(null=True)

    class Meta:
        """Extensions read in the order of their names."""

        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def safe_link(self) -> str:
        """The link, if it leads to a web page; anything else is not made clickable."""
        return self.link if self.link.startswith(("https://", "http://")) else ""


class Attachment(models.Model):
    """A network that a cluster is attached to, as the cluster tells it."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="attachments")
    upstream_id = models.BigIntegerField(null=True)
    name = models.CharField(max_length=200, blank=True)
    cidr = models.CharField(max_length=64, blank=True)
    mask = models.CharField(max_length=64, blank=True)
    gateway = models.CharField(max_length=64, blank=True)
    ip_address = models.CharField(max_length=64, blank=True)
    region = models.CharField(max_length=40, blank=True)
    area = models.CharField(max_length=40, blank=True)
    scope = models.CharField(max_length=40, blank=True)

    class Meta:
        """Networks read in the order of their names."""

        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name or self.cidr


class Sync(models.Model):
    """When a list of ITCare was last read, and when it is to be read again."""

    name = models.CharField(max_length=40, primary_key=True)
    look_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)
    failed = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.name
