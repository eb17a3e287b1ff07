"""The parts of a cluster: nodes, databases, extensions, networks."""

from django.db import models

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
