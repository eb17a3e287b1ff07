"""Makes people: the row, its confirmed e-mail address, and for the first administrator the audit entry."""

from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import BaseUserManager
from django.db import transaction

from portal.audit.record import record

if TYPE_CHECKING:
    from portal.accounts.models import User


class UserManager(BaseUserManager["User"]):
    """Finds people whatever the capitals of their e-mail address, and makes them."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the address as it is stored: without spaces around it, in small letters."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a person by e-mail address.

        Raises:
            User.DoesNotExist: nobody has it.
        """
        return self.get(email=self.normalize_email(username))

    def create_user(
        self,
        email: str,
        password: str | None = None,
        *,
        name: str = "",
        is_active: bool = True,
        is_support: bool = False,
        is_administrator: bool = False,
    ) -> "User":
        """Make a person without an audit entry; `people.add_person` writes one.

        Their address counts as confirmed: an administrator vouches for it, and second factors ask for it.

        Args:
            email: what they sign in with.
            password: None for somebody who signs in by other means, or sets one through a mail.
            name: how screens call them; their address where it is empty.
            is_active: whether they may sign in and use their rights.
            is_support: whether they read everything.
            is_administrator: whether they manage people, teams and services.

        Raises:
            ValueError: the address is empty.
            django.db.IntegrityError: somebody has that address.
        """
        user = self.model(
            email=self.normalize_email(email),
            name=name,
            is_active=is_active,
            is_support=is_support,
            is_administrator=is_administrator,
        )
        if not user.email:
            message = "A person needs an e-mail address."
            raise ValueError(message)
        user.set_password(password)
        with transaction.atomic():
            user.save(using=self._db)
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def create_superuser(self, email: str, password: str | None = None) -> "User":
        """Make an administrator for Django's `createsuperuser`, with an audit entry.

        Raises:
            ValueError: the address is empty.
            django.db.IntegrityError: somebody has that address.
        """
        with transaction.atomic():
            user = self.create_user(email, password, is_administrator=True)
            record(
                "person.added",
                actor="manage.py createsuperuser",
                subject_type="person",
                subject_id=user.pk,
                subject=user.email,
                detail={"is_administrator": True},
            )
        return user
