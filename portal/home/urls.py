"""Addresses of pages across packages."""

from django.urls import path

from portal.home import audit, clusters, dashboard, health, operations

urlpatterns = [
    path("", dashboard.home, name="home"),
    path("clusters/", clusters.index, name="clusters"),
    path("clusters/<int:cluster_id>/", clusters.detail, name="cluster"),
    path("operations/", operations.index, name="operations"),
    path("operations/<int:operation_id>/", operations.detail, name="operation"),
    path("operations/<int:operation_id>/cancel/", operations.cancel, name="cancel_operation"),
    path("operations/<int:operation_id>/reveal/", operations.reveal, name="reveal_password"),
    path("audit/", audit.audit, name="audit"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
