"""Who uses the portal: people, their teams, and what they are in them. What that allows is told by `rights`."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from portal.accounts.manager import UserManager


class User(AbstractBaseUser):
    """A person. Made by administrators; leavers are deactivated and kept, since records name them."""

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Leavers are deactivated instead of deleted: it ends their sessions at once."
    )
    is_support = models.BooleanField("support", default=False, help_text="Reads everything and writes nothing.")
    is_administrator = models.BooleanField(
        "administrator",
        default=False,
        help_text="Manages people, teams and services, and reads everything. Decides nothing.",
    )
    date_joined = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ["email"]
        constraints = [
            # With `unique`, one mailbox cannot be two people by way of capitals.
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_in_small_letters"),
            # The audit log and mails call people by it.
            models.CheckConstraint(condition=~Q(email=""), name="user_has_email"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Return the name, or the address where there is none."""
        return self.name or self.email

    def clean(self) -> None:
        """Put the address into the form in which it is stored."""
        super().clean()
        self.email = UserManager.normalize_email(self.email)

    @property
    def is_staff(self) -> bool:
        """Whether Django's administration lets the person in."""
        return self.is_administrator

    def has_perm(self, _perm: str, _obj: object = None) -> bool:
        """Whether the person may use a page of Django's administration; asked by that alone."""
        return self.is_active and self.is_administrator

    def has_module_perms(self, _app_label: str) -> bool:
        """Whether Django's administration shows an application to the person."""
        return self.is_active and self.is_administrator


class Team(models.Model):
    """People who share services."""

    slug = models.SlugField(max_length=50, unique=True, help_text="Names the team in commands.")
    name = models.CharField(max_length=100, unique=True)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a person is in a team; one may be both developer and approver."""

    class Role(models.TextChoices):
        """Developers ask, approvers decide."""

        DEVELOPER = "developer", "Developer"
        APPROVER = "approver", "Approver"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        ordering = ["team", "user", "role"]
        constraints = [
            models.UniqueConstraint(fields=["user", "team", "role"], name="membership_once"),
            # Rights are read from this word: one that nobody knows would silently give none.
            models.CheckConstraint(condition=Q(role__in=["developer", "approver"]), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user.email}, {self.role} in {self.team.name}"
