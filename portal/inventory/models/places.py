"""Where clusters live: services and who has them, regions with areas and zones, networks."""

from typing import Final, Self

from django.db import models
from django.db.models import Q

from portal.accounts import rights
from portal.accounts.models import Team, User

# The one environment code that has rules of its own (API.md A22).
PRODUCTION: Final = "PRODUCTION"


class Listed(models.Model):
    """What ITCare lists to choose from. A row stays when the list lacks it: clusters, requests and grants name it."""

    listed_at = models.DateTimeField(null=True)
    missed_at = models.DateTimeField(null=True, help_text="First of the whole lists since then that lack it.")
    unlisted_at = models.DateTimeField(null=True, help_text="It has been lacking for long: it is offered no more.")

    class Meta:
        """One list that lacks it is no proof (SAFETY 3): nothing is unlisted that was not missed before."""

        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(unlisted_at=None) | Q(missed_at__isnull=False), name="%(class)s_missed_before_unlisted"
            )
        ]


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

    def offered(self) -> Self:
        """Services that a cluster can be made in, as far as ITCare tells."""
        return self.filter(unlisted_at=None)


class Service(Listed):
    """A place of ITCare in which clusters live; teams are granted services."""

    upstream_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=40, blank=True)
    cloud_name = models.CharField(max_length=200, blank=True)

    objects = ServiceQuerySet.as_manager()

    class Meta(Listed.Meta):
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


class NetworkQuerySet(models.QuerySet["Network"]):
    """Networks, narrowed to those that can be chosen."""

    def offered(self) -> Self:
        """Networks that a cluster can be placed in, as far as ITCare tells."""
        return self.filter(unlisted_at=None)


class Network(Listed):
    """A network that a cluster can be placed in."""

    upstream_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=500, blank=True)
    cidr = models.CharField(max_length=64, blank=True)
    region = models.CharField(max_length=40, blank=True)
    area = models.CharField(max_length=40, blank=True)
    environment = models.CharField(max_length=40, blank=True)
    scope = models.CharField(max_length=40, blank=True)
    free_addresses = models.BigIntegerField(null=True)

    objects = NetworkQuerySet.as_manager()

    class Meta(Listed.Meta):
        """Networks read in the order of their names."""

        ordering = ["name", "upstream_id"]

    def __str__(self) -> str:
        return self.name or self.cidr or f"Network {self.upstream_id}"
