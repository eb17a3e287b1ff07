"""Administration of people and teams."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse

from portal.accounts.admin_base import AuditedAdmin, TabularInline, site
from portal.accounts.models import Membership, Team, User
from portal.accounts.people import confirm_address, end_sessions

if TYPE_CHECKING:
    _AddForm = AdminUserCreationForm[User]
    _ChangeForm = UserChangeForm[User]
    _PersonAdmin = UserAdmin[User]
else:
    # Generic for the type checker only.
    _AddForm, _ChangeForm, _PersonAdmin = AdminUserCreationForm, UserChangeForm, UserAdmin

# What administrators may not do to themselves: the last one cannot lock everybody out, and nobody promotes themselves.
_NOT_ONES_OWN = ("is_active", "is_support", "is_administrator")
_SET_PASSWORD = "auth_user_password_change"  # noqa: S105 - the name of Django's address


class AddForm(_AddForm):
    """Makes a person; without a password they sign in through the identity provider, or set one through a mail."""

    class Meta:
        model = User
        fields = ("email", "name")


class ChangeForm(_ChangeForm):
    """Changes a person."""

    class Meta:
        model = User
        fields = ("email", "name", "password", "is_active", "is_support", "is_administrator")


class Roles(TabularInline):
    """What a person is in their teams."""

    model = Membership
    fields = ("team", "role")
    extra = 1

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let administrators give roles to others, not to themselves."""
        return super().has_add_permission(request, obj) and obj != request.user

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """As adding."""
        return super().has_change_permission(request, obj) and obj != request.user

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """As adding."""
        return super().has_delete_permission(request, obj) and obj != request.user


class Members(TabularInline):
    """Who is in a team, to look at: roles are given on the person's page."""

    model = Membership
    fields = readonly_fields = ("user", "role")
    max_num = 0
    can_delete = False


@admin.register(User, site=site)
class PersonAdmin(AuditedAdmin, _PersonAdmin):
    """People: made here, deactivated here, never deleted, since records name them."""

    audit_name = "person"
    add_form = AddForm
    form = ChangeForm
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Access", {"fields": ("is_active", "is_support", "is_administrator")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")}),
    )
    readonly_fields = ("last_login", "date_joined")
    list_display = ("email", "name", "is_active", "is_support", "is_administrator", "last_login")
    list_filter = ("is_active", "is_support", "is_administrator", "teams")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ()
    inlines = (Roles,)

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        """Keep administrators from changing what they are themselves."""
        own = _NOT_ONES_OWN if obj == request.user else ()
        return (*self.readonly_fields, *own)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Say no: leavers are deactivated."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save the person, the address that allauth knows of them, and the end of their sessions when they leave."""
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            confirm_address(obj)
        if not obj.is_active:
            end_sessions(obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's signature
        """Set somebody's password, with its audit entry; it ends their sessions."""
        with transaction.atomic():
            response: HttpResponse = super().user_change_password(request, id, form_url)
        return response

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:  # noqa: ANN401 - Django's signature
        """Keep Django's own history; a password that was set is told to the audit log here, as it passes no form."""
        if request.resolver_match and request.resolver_match.url_name == _SET_PASSWORD:
            self.audit(request, "password_set", obj, {})
        return super().log_change(request, obj, message)


@admin.register(Team, site=site)
class TeamAdmin(AuditedAdmin):
    """Teams."""

    audit_name = "team"
    list_display = ("name", "slug")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (Members,)
