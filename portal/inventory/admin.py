"""Administration of services: which teams they are granted to. What ITCare tells of them is not changed by hand."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from portal.accounts.admin_base import AuditedAdmin, TabularInline, site
from portal.inventory.models import Cluster, Grant, Service


@admin.register(Cluster, site=site)
class ClusterAdmin(AuditedAdmin):
    """Clusters: read from ITCare; only their protection against deletion is set here."""

    audit_name = "cluster"
    list_display = ("name", "service", "status", "protected")
    list_filter = ("protected", "environment")
    search_fields = ("name",)
    fields = ("name", "service", "status", "version", "protected")
    readonly_fields = ("name", "service", "status", "version")

    def audit_service_id(self, obj: models.Model) -> int | None:
        """The entry concerns the cluster's service."""
        return obj.service_id if isinstance(obj, Cluster) else None

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Say no: clusters are asked for, not entered."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Say no: a cluster that is gone keeps its last known state."""
        return False


class Grants(TabularInline):
    """The teams that have the service."""

    model = Grant
    fields = ("team",)
    extra = 1


@admin.register(Service, site=site)
class ServiceAdmin(AuditedAdmin):
    """Services: read from ITCare, granted here."""

    audit_name = "service"
    list_display = ("name", "upstream_id", "environment", "cloud_name")
    list_filter = ("environment", "grants__team")
    search_fields = ("name", "upstream_id")
    readonly_fields = ("name", "environment", "cloud_name", "listed_at", "unlisted_at")
    fields = ("upstream_id", *readonly_fields)
    inlines = (Grants,)

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:  # noqa: ARG002 - Django's signature
        """Let the number be given only to a service that is made ahead of its reading."""
        return self.fields if obj else self.readonly_fields

    def audit_service_id(self, obj: models.Model) -> int | None:
        """The entry concerns the service itself."""
        number: int = obj.pk
        return number

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Say no: requests and clusters name it. A team's grant is taken away instead."""
        return False
