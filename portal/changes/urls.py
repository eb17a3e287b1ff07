"""Addresses of changes; screens call them requests."""

from django.urls import path

from portal.changes import ask, views

urlpatterns = [
    path("requests/", views.index, name="changes"),
    path("requests/new/<slug:kind>/", ask.new, name="new_change"),
    path("requests/<int:change_id>/", views.detail, name="change"),
    path("requests/<int:change_id>/submit/", views.submit_draft, name="submit_change"),
    path("requests/<int:change_id>/approve/", views.approve, name="approve_change"),
    path("requests/<int:change_id>/reject/", views.reject, name="reject_change"),
    path("requests/<int:change_id>/withdraw/", views.withdraw, name="withdraw_change"),
    path("approvals/", views.approvals, name="approvals"),
]
