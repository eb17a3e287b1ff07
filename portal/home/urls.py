"""Addresses of pages across packages."""

from django.urls import path

from portal.home import audit, cluster_list, cluster_page, dashboard, health, operations

urlpatterns = [
    path("", dashboard.home, name="home"),
    path("clusters/", cluster_list.index, name="clusters"),
    path("clusters.csv", cluster_list.export, name="clusters_csv"),
    path("clusters/<int:cluster_id>/", cluster_page.detail, name="cluster"),
    *(
        path(f"clusters/<int:cluster_id>/{part}/", cluster_page.detail, {"part": part}, name=f"cluster_{part}")
        for part in cluster_page.PARTS
    ),
    path("operations/", operations.index, name="operations"),
    path("operations/<int:operation_id>/", operations.detail, name="operation"),
    path("operations/<int:operation_id>/cancel/", operations.cancel, name="cancel_operation"),
    path("operations/<int:operation_id>/reveal/", operations.reveal, name="reveal_password"),
    path("audit/", audit.audit, name="audit"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
