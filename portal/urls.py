"""Every address of the portal."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from portal.accounts.admin_base import site
from portal.web.components_page import components

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.home.urls")),
    path("", include("portal.changes.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", site.urls),
]
if settings.DEBUG:
    urlpatterns += [path("components/", components, name="components")]

handler400 = "portal.web.failing.bad_request"
