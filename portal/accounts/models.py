"""People, teams, and who has which role where."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now


class Users(BaseUserManager["User"]):
    """Makes people; addresses are kept in small letters."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":  # noqa: ANN401
        """Make a person; without a password nobody can sign in by one."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":  # noqa: ANN401
        """Make an administrator: what Django's createsuperuser calls. There is no right above an administrator's."""
        return self.create_user(email, password, is_administrator=True, **fields)


class User(AbstractBaseUser):
    """A person. Signs in by e-mail address; roles come from memberships, support and administrator are flags."""

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True, help_text="Leavers are deactivated, never deleted.")
    is_support = models.BooleanField(default=False, help_text="Reads everything, writes nothing.")
    is_administrator = models.BooleanField(default=False, help_text="Manages people and teams; decides nothing.")
    date_joined = models.DateTimeField(db_default=Now())

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[Users] = Users()

    class Meta:
        """Addresses are compared in small letters."""

        ordering = ["email"]
        constraints = [
            # Two spellings of one address would be two people.
            models.CheckConstraint(condition=Q(email=Lower("email")), name="email_in_small_letters"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Name, or address."""
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Whether Django's admin lets the person in."""
        return self.is_administrator

    def has_perm(self, _perm: str, _obj: object = None) -> bool:
        """Asked by Django's admin alone."""
        return self.is_active and self.is_administrator

    def has_module_perms(self, _app_label: str) -> bool:
        """Asked by Django's admin alone."""
        return self.is_active and self.is_administrator


class Team(models.Model):
    """People who share services."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=150)

    class Meta:
        """Teams read in the order of their names."""

        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Gives a person a role in a team; one may have both."""

    class Role(models.TextChoices):
        """What one may do in a team."""

        DEVELOPER = "developer"
        APPROVER = "approver"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        """A role once."""

        constraints = [models.UniqueConstraint("user", "team", "role", name="role_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} in {self.team}"
