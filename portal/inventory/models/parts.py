"""The parts of a cluster: nodes, databases, extensions, networks, and when each of them was read."""

from django.db import models
from django.db.models import Q

from portal.inventory.models.clusters import Cluster
from portal.web.looks import Look


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
        """The link, if it leads to a web page that nobody can alter on the way; anything else is not made clickable."""
        return self.link if self.link.startswith("https://") else ""

    @property
    def restart_look(self) -> Look:
        """How it is shown that the cluster has to be restarted for it."""
        return Look("Needs a restart", "triangle-alert", "warn")


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
    description = models.CharField(max_length=500, blank=True)
    free_addresses = models.BigIntegerField(null=True)
    used_percent = models.BigIntegerField(null=True, help_text="0 to 100")
    is_default = models.BooleanField(null=True)
    is_public = models.BooleanField(null=True, help_text="Its range is public.")

    class Meta:
        """Networks read in the order of their names."""

        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name or self.cidr


class PartName(models.TextChoices):
    """What is read of a cluster beside its own page, by the last word of the address at ITCare."""

    NODES = "nodes", "Nodes"
    DATABASES = "databases", "Databases"
    EXTENSIONS = "extensions", "Extensions"
    NETWORKS = "networks", "Networks"
    VERSIONS = "versions", "Versions"
    HISTORY = "history", "History"


class Part(models.Model):
    """When one part of a cluster was read, and why it was not: each part ages and fails for itself."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="parts")
    name = models.CharField(max_length=20, choices=PartName.choices)
    read_at = models.DateTimeField(null=True)
    failed = models.CharField(max_length=300, blank=True, help_text="Why the last reading failed.")
    wanted_at = models.DateTimeField(null=True, help_text="Somebody waits for a fresh reading since then.")

    class Meta:
        """A cluster has each part once."""

        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="part_once_a_cluster")]
        indexes = [models.Index(fields=["wanted_at"], name="part_wanted", condition=Q(wanted_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.cluster_id} {self.name}"
