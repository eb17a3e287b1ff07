"""Addresses of pages across packages."""

from django.urls import path

from portal.home import attention, audit, banners, cluster_list, cluster_page, dashboard, health, hold, operations

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
    path("attention/", attention.index, name="attention"),
    path("attention/hold/", hold.hold_sends, name="hold_sends"),
    path("attention/let-go/", hold.let_sends_go, name="let_sends_go"),
    path("attention/<int:concern_id>/", attention.detail, name="concern"),
    path("attention/<int:concern_id>/adopt/", attention.adopt, name="adopt_action"),
    path("attention/<int:concern_id>/done/", attention.mark_done, name="mark_done"),
    path("attention/<int:concern_id>/failed/", attention.mark_failed, name="mark_failed"),
    path("attention/<int:concern_id>/send/", attention.send_again, name="send_again"),
    path("attention/<int:concern_id>/send_now/", attention.send_now, name="send_now"),
    path("attention/<int:concern_id>/release/", attention.release_cluster, name="release_cluster"),
    path("attention/<int:concern_id>/noted/", attention.note, name="note_concern"),
    path("audit/", audit.audit, name="audit"),
    path("banners/", banners.banners, name="banners"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
