"""Makes people, with what allauth needs to know of them."""

# allauth: sign-in, second factors, single sign-on.
from allauth.account.models import EmailAddress
from django.db import transaction

from portal.accounts.models import User
from portal.audit.record import record


def add_person(
    *,
    email: str,
    password: str | None,
    actor: str,
    name: str = "",
    is_support: bool = False,
    is_administrator: bool = False,
) -> User:
    """Make a person with a verified address, and write it into the audit log.

    Without a verified address allauth lets nobody switch a second factor on.
    """
    with transaction.atomic():
        user = User.objects.create_user(
            email, password, name=name, is_support=is_support, is_administrator=is_administrator
        )
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        record(
            "person.added", actor=actor, subject_type="person", subject_id=user.pk, subject=user.email
        )
    return user
