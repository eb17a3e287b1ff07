"""Clusters as ITCare last told of them."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Final, Self

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Coalesce, Greatest, Least, Lower, Now
from django.urls import reverse
from django.utils import timezone

from portal.accounts import rights
from portal.accounts.models import User
from portal.inventory.models.places import PRODUCTION, Service, granted
from portal.web.looks import Look, words_of

# The documented statuses (API.md 12).
ACTIVE: Final = "ACTIVE"
INACTIVE: Final = "INACTIVE"
# Ours, not ITCare's: how lists and their filters call a cluster that is gone.
GONE: Final = "GONE"
# Keys of order are never empty, so that PostgreSQL can compare whole rows with an index (portal.web.paging).
NO_END: Final = datetime(9999, 12, 31, tzinfo=UTC)
_STEP: Final = 100_000
# Places of one major version in the order of versions (see `_version_key`), and how many of its digits count.
MINORS: Final = 10_000
MAJOR_DIGITS: Final = 4


def _size_key() -> models.Expression:
    """CPU, then memory, then disk, as one number; sizes beyond all sense are cut, so that it never overflows."""
    cpu, ram, storage = (
        Greatest(Least(Coalesce(F(name), Value(0)), Value(_STEP - 1)), Value(0)) for name in ("cpu", "ram", "storage")
    )
    return cpu * Value(_STEP * _STEP) + ram * Value(_STEP) + storage


def _version_key() -> models.Expression:
    """Major and minor version as one number, 0 when it is not one: as text, 9 comes after 16."""
    template = (
        "(COALESCE(NULLIF(left(regexp_replace(split_part(%(expressions)s, '.', 1), '[^0-9]', '', 'g'), 4), ''), '0')"
        "::integer * 10000"
        " + COALESCE(NULLIF(left(regexp_replace(split_part(%(expressions)s, '.', 2), '[^0-9]', '', 'g'), 4), ''), '0')"
        "::integer)"
    )
    return Func("version", template=template)


class Origin(models.TextChoices):
    """How a cluster came to be known; empty until that is settled."""

    KNOWN = "known", "was there when the portal first looked"
    ASKED = "asked", "was asked for here"
    FOUND = "found", "appeared without being asked for here"


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
    other_id = models.BigIntegerField(
        null=True, help_text="Addresses it perhaps, where the first one does not (API.md A5)."
    )
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
    backup_system = models.CharField(max_length=100, blank=True)
    backup_type = models.CharField(max_length=100, blank=True)
    backup_at = models.DateTimeField(null=True, help_text="Of the last backup.")
    backup_policies = models.CharField(max_length=300, blank=True)
    patch_excluded = models.BooleanField(null=True, help_text="Left out of patching (API.md 13).")
    patch_group = models.CharField(max_length=40, blank=True)
    exclusion_reason = models.CharField(max_length=500, blank=True)
    patched_at = models.DateTimeField(null=True)
    patch_tag = models.CharField(max_length=100, blank=True)
    replication_status = models.BooleanField(null=True)
    monitoring_requested = models.BooleanField(null=True)
    metrology_url = models.CharField(max_length=500, blank=True)
    support_level = models.CharField(max_length=100, blank=True)
    support_phase = models.CharField(max_length=100, blank=True)
    released_at = models.DateTimeField(null=True)
    end_of_sales_at = models.DateTimeField(null=True)
    extended_support_at = models.DateTimeField(null=True)
    end_of_support_at = models.DateTimeField(null=True)
    creation_time = models.DateTimeField(null=True)
    creation_user = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True)

    offered_versions = models.JSONField(default=list, help_text="Major versions that ITCare offers (API.md A11).")
    protected = models.BooleanField(default=False, help_text="Cannot be deleted while this is set.")

    origin = models.CharField(max_length=10, choices=Origin.choices, blank=True, default="")
    first_seen_at = models.DateTimeField(db_default=Now())
    listed_at = models.DateTimeField(null=True, help_text="Last seen in the resource list.")
    read_at = models.DateTimeField(null=True, help_text="Its own page at ITCare was last read.")
    parts_read_at = models.DateTimeField(null=True, help_text="Its parts were last asked for.")
    read_failed = models.CharField(max_length=300, blank=True, help_text="Why the last reading failed.")
    tried_at = models.DateTimeField(null=True, help_text="Last attempt to read it, failed ones too.")
    wanted_at = models.DateTimeField(null=True, help_text="Somebody waits for a fresh reading since then.")
    missed_at = models.DateTimeField(null=True, help_text="First of two answers that it does not exist.")
    gone_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(db_default=Now(), help_text="What is known of it changed.")

    # What lists filter and sort by, kept by the database itself.
    shown_status = models.GeneratedField(
        expression=Case(When(gone_at__isnull=False, then=Value(GONE)), default=F("status")),
        output_field=models.CharField(max_length=40),
        db_persist=True,
    )
    version_major = models.GeneratedField(
        expression=Func("version", template="split_part(%(expressions)s, '.', 1)"),
        output_field=models.CharField(max_length=40),
        db_persist=True,
    )
    version_order = models.GeneratedField(
        expression=_version_key(), output_field=models.IntegerField(), db_persist=True
    )
    size_order = models.GeneratedField(expression=_size_key(), output_field=models.BigIntegerField(), db_persist=True)
    support_order = models.GeneratedField(
        expression=Coalesce("end_of_support_at", Value(NO_END)),
        output_field=models.DateTimeField(),
        db_persist=True,
    )

    objects = ClusterQuerySet.as_manager()

    class Meta:
        """Searched by name whatever its capitals, walked by name or by any column of the list, then by name."""

        ordering = ["name", "pk"]
        indexes = [
            models.Index(Lower("name"), name="cluster_lower_name"),
            models.Index(fields=["name", "id"], name="cluster_walk"),
            models.Index(fields=["service", "name", "id"], name="cluster_by_service"),
            models.Index(fields=["environment", "name", "id"], name="cluster_by_environment"),
            models.Index(fields=["shown_status", "name", "id"], name="cluster_by_status"),
            models.Index(fields=["version_major", "name", "id"], name="cluster_by_major"),
            models.Index(fields=["version_order", "name", "id"], name="cluster_by_version"),
            models.Index(fields=["size_order", "name", "id"], name="cluster_by_size"),
            models.Index(fields=["topology", "name", "id"], name="cluster_by_topology"),
            models.Index(fields=["support_phase", "name", "id"], name="cluster_by_phase"),
            models.Index(fields=["support_order", "name", "id"], name="cluster_by_support"),
            # What each service's clusters have: the values of its filters, without reading the clusters.
            models.Index(fields=["service", "environment"], name="cluster_offers_environment"),
            models.Index(fields=["service", "shown_status"], name="cluster_offers_status"),
            models.Index(fields=["service", "version_major"], name="cluster_offers_version"),
            models.Index(fields=["service", "topology"], name="cluster_offers_topology"),
            models.Index(fields=["service", "support_phase"], name="cluster_offers_phase"),
            models.Index(fields=["service"], name="cluster_unread_of", condition=Q(read_at=None, gone_at=None)),
            # Whose backup can be restored: looked for on the page of each cluster of that version.
            models.Index(
                fields=["version_major", "service", "name", "id"],
                name="cluster_source",
                condition=Q(backup_status=True, status=ACTIVE, gone_at=None),
            ),
            # Read in the list of resources, each time for all of them.
            models.Index(fields=["resource_id"], name="cluster_resource"),
            models.Index(fields=["ip_address"], name="cluster_address", opclasses=["varchar_pattern_ops"]),
            # Parts of names (migration 0004): the extension pg_trgm may not be there, or not ours to create.
            GinIndex(Func("name", function="inventory_grams"), name="cluster_grams", fastupdate=False),
            models.Index(fields=["wanted_at"], name="cluster_wanted", condition=Q(wanted_at__isnull=False)),
            models.Index(fields=["first_seen_at"], name="cluster_unsettled", condition=Q(origin="")),
            models.Index(
                F("tried_at").asc(nulls_first=True),
                "id",
                name="cluster_unread",
                condition=Q(read_at=None, gone_at=None),
            ),
            models.Index(fields=["tried_at"], name="cluster_tried"),
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
    def production(self) -> bool:
        """Whether its own environment or its service's is production: ITCare tells one, the other, or both."""
        return self.environment == PRODUCTION or (self.service is not None and self.service.production)

    @property
    def perhaps_production(self) -> bool:
        """Whether it is production, or nothing tells that it is not: where caution costs little, unknown counts too."""
        unknown = not self.environment and (self.service is None or not self.service.environment)
        return self.production or unknown

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
        return known.get(self.status) or Look(words_of(self.status), "circle-question-mark", "warn")

    @property
    def found_look(self) -> Look | None:
        """How it is shown that nobody asked for it here; None where somebody did, or where it was there before."""
        if self.origin != Origin.FOUND:
            return None
        return Look("Found", "eye", "off", "It appeared at ITCare without having been asked for here.")

    @property
    def safe_metrology_url(self) -> str:
        """Where its measurements are, if that is a web page; anything else is not made clickable."""
        return self.metrology_url if self.metrology_url.startswith("https://") else ""

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
