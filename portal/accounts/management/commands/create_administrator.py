"""manage.py create_administrator: makes an administrator; the first one cannot be made in the browser."""

import getpass
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.core.validators import validate_email

from portal.accounts.models import User
from portal.accounts.people import add_person


class Command(BaseCommand):
    help = "Make an administrator. Asks for the password, or reads it from the first line of a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--name", default="", help="how screens call them")
        parser.add_argument("--password-file", metavar="FILE", type=Path)

    def handle(self, *, email: str, name: str, password_file: Path | None, **_options: Any) -> None:
        email = User.objects.normalize_email(email)
        if User.objects.filter(email=email).exists():
            message = f"{email} is already here. An administrator can change what they are, in the administration."
            raise CommandError(message)
        try:
            validate_email(email)
            password = _read(password_file) if password_file else _ask()
            validate_password(password, User(email=email, name=name))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        add_person(
            email=email, password=password, name=name, is_administrator=True, actor="manage.py create_administrator"
        )
        self.stdout.write(f"{email} is an administrator.")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        message = f"The password cannot be read from {file}: {error.__class__.__name__}."
        raise CommandError(message) from None


def _ask() -> str:
    try:
        password = getpass.getpass()
        again = getpass.getpass("Password (again): ")
    except (EOFError, KeyboardInterrupt):
        message = "No password was given. Where nobody can type one, use --password-file."
        raise CommandError(message) from None
    if password != again:
        message = "The two passwords differ."
        raise CommandError(message)
    return password
