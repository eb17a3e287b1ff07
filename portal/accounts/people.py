"""Makes people and ends their access, with the audit entries."""

# allauth: sign-in, second factors, single sign-on.
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction

from portal.accounts.models import User
from portal.audit.record import record


def add_person(
    *,
    email: str,
    password: str | None,
    actor: str,
    actor_id: int | None = None,
    name: str = "",
    is_support: bool = False,
    is_administrator: bool = False,
) -> User:
    """Make a person who can sign in, and write it into the audit log.

    Args:
        email: what they sign in with; it counts as confirmed.
        password: None for somebody who signs in by other means, or sets one through a mail.
        actor: who makes them: an administrator's address, or a command.
        actor_id: the administrator's number.
        name: how screens call them.
        is_support: whether they read everything.
        is_administrator: whether they manage people, teams and services.

    Raises:
        ValueError: the address is empty.
        django.db.IntegrityError: somebody has that address.
    """
    with transaction.atomic():
        user = User.objects.create_user(
            email, password, name=name, is_support=is_support, is_administrator=is_administrator
        )
        record(
            "person.added",
            actor=actor,
            actor_id=actor_id,
            subject_type="person",
            subject_id=user.pk,
            subject=user.email,
            detail={"support": is_support, "administrator": is_administrator},
        )
    return user


def confirm_address(user: User) -> None:
    """Make the person's address the only one that allauth knows of them, confirmed. Call it in a transaction.

    An address of before must neither let in nor receive mails.
    """
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})


def end_sessions(user: User) -> None:
    """Sign the person out everywhere. Call it in the transaction that deactivates them."""
    sessions = UserSession.objects.filter(user=user)
    for key in sessions.values_list("session_key", flat=True):
        SessionStore().delete(key)
    sessions.delete()
