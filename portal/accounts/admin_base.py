"""Django's administration as the portal uses it: one site with its own models only, and every save audited.

A site of our own, because the default one collects the models of every installed application: groups and permissions
that mean nothing here, and the tables behind sign-in, whose rows nobody should change by hand.
"""

from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.forms import Field, ModelForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator

from portal.accounts import rights
from portal.accounts.models import User
from portal.audit.record import record

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    # Generic for the type checker only.
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# Never written down, not even as a hash.
_SECRET: Final = {"password"}
_LONGEST_VALUE: Final = 200


class Site(admin.AdminSite):
    """The administration: for administrators, through the portal's own sign-in with its limits and second factors."""

    site_title = site_header = "PostgreSQL portal"
    index_title = "Administration"

    @method_decorator(secure_admin_login)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Lead to the portal's sign-in."""
        return super().login(request, extra_context)

    def password_change(  # type: ignore[override]  # Django renders a page here
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Lead to the portal's own page, which has limits and sends a notice."""
        return redirect("account_change_password")

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # noqa: FBT001, FBT002 - Django's signature
        """Refuse people who are signed in and no administrators at once, instead of asking them to sign in."""
        inner = super().admin_view(view, cacheable)

        def for_administrators(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if isinstance(request.user, User) and not rights.administers(request.user):
                raise PermissionDenied
            return inner(request, *args, **kwargs)

        return cast("View", update_wrapper(for_administrators, view))


site = Site()


class AuditedAdmin(ModelAdmin):
    """A page of the administration that writes an audit entry in the transaction of each save and deletion.

    Attributes:
        audit_name: what kind of thing this is in the audit log, and the first word of its verbs: "team", "team.added".
    """

    audit_name = ""
    # Deleting many at once would go around the page that shows what goes with them.
    actions = None

    def audit_service_id(self, obj: models.Model) -> int | None:  # noqa: ARG002 - for those who override it
        """Return the inventory's number of the service that decides who sees the entry; None for administrators."""
        return None

    def audit(self, request: HttpRequest, verb: str, obj: models.Model, detail: dict[str, str | list[str]]) -> None:
        """Write the entry: last in the transaction.

        Args:
            request: of the administrator.
            verb: the second word of the verb: "added".
            obj: what it was done to.
            detail: what was changed.
        """
        record(
            f"{self._audit_name}.{verb}",
            actor=request.user.get_username(),
            actor_id=request.user.pk,
            subject_type=self._audit_name,
            subject_id=str(obj.pk),
            subject=str(obj),
            service_id=self.audit_service_id(obj),
            detail=detail,
        )

    @property
    def _audit_name(self) -> str:
        return self.audit_name or str(self.opts.model_name)

    def save_related(self, request: HttpRequest, form: Any, formsets: Iterable[Any], change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Save the inlines, and then write what was changed on the whole page."""
        formsets = list(formsets)
        super().save_related(request, form, formsets, change)
        detail = _changes(form, change=change)
        for formset in formsets:
            detail |= _inline_changes(formset)
        if detail or not change:
            self.audit(request, "changed" if change else "added", form.instance, detail)

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        """Delete it, with its audit entry."""
        number = obj.pk
        with transaction.atomic():
            super().delete_model(request, obj)
            obj.pk = number
            self.audit(request, "deleted", obj, {})


def _changes(form: "ModelForm[Any]", *, change: bool) -> dict[str, str | list[str]]:
    detail: dict[str, str | list[str]] = {}
    names = {field.name for field in form.instance._meta.concrete_fields} - _SECRET  # noqa: SLF001 - Django's documented API
    for name in form.changed_data:
        if name in names:
            new = _words(getattr(form.instance, name))
            old = _words(_old(form.fields[name], form.initial.get(name)))
            detail[name] = f"{old} → {new}" if change else new
    return detail


def _old(field: Field, value: object) -> object:
    """Return what the form showed before, as the object and not as its number where it is one."""
    try:
        return field.to_python(value)
    except ValidationError:
        return value


def _words(value: object) -> str:
    return "nothing" if value in (None, "") else str(value)[:_LONGEST_VALUE]


def _inline_changes(formset: Any) -> dict[str, str | list[str]]:  # noqa: ANN401 - Django's formsets have no common type
    name = formset.model._meta.verbose_name_plural  # noqa: SLF001 - Django's documented API
    kinds = {
        "added": [str(obj) for obj in formset.new_objects],
        "changed": [str(obj) for obj, _ in formset.changed_objects],
        "removed": [str(obj) for obj in formset.deleted_objects],
    }
    return {f"{name} {kind}": words for kind, words in kinds.items() if words}
