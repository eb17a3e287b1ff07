"""Each start-up check finds what it is for, and nothing in a sound deployment."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as live
from django.core import checks
from django.db import connection
from pytest_django import Settings

from tests.settings import OWNER_DATABASE

GOOD_KEY = "A" * 43 + "="


def _ids(tags: list[str] | None = None, databases: list[str] | None = None) -> list[str]:
    found = checks.run_checks(tags=tags, databases=databases)
    return [message.id for message in found if message.id and message.id.startswith("portal.")]


@pytest.mark.django_db
def test_the_tests_own_deployment_is_sound() -> None:
    assert _ids(databases=["default"]) == []


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("SECRET_KEY", "x" * 49, ["portal.E001"]),
        ("ENCRYPTION_KEYS", [], ["portal.E002"]),
        ("ENCRYPTION_KEYS", [GOOD_KEY, "short"], ["portal.E002"]),
        ("ENCRYPTION_KEYS", [GOOD_KEY], []),
        ("ITCARE_BASE_URL", "http://api.example.com/itcare", ["portal.E003"]),
        ("ITCARE_BASE_URL", "http://127.0.0.1.example.com/itcare", ["portal.E003"]),
        ("ITCARE_BASE_URL", "http://127.0.0.1:1/itcare", []),
        ("ITCARE_BASE_URL", "http://user@127.0.0.1:1/itcare", ["portal.E003"]),
        ("ITCARE_BASE_URL", "https://api.example.com/itcare?x=1", ["portal.E003"]),
        ("ITCARE_BASE_URL", "ftp://127.0.0.1/itcare", ["portal.E003"]),
        ("ITCARE_BASE_URL", "api.example.com", ["portal.E003"]),
        ("ITCARE_BASE_URL", "https://api.example.com/itcare", []),
        ("ITCARE_BASE_URL", "http://sandbox:8900/itcare", []),
        ("ITCARE_TOKEN_URL", "http://[2001:db8::1]/token", ["portal.E003"]),
        ("ITCARE_PRODUCT_CODES", [], ["portal.E004"]),
        ("ITCARE_PRODUCT_CODES", ["deb12pg16", " deb12pg15"], ["portal.E004"]),
        ("ITCARE_SIZINGS", ["2cpu4gb", "big"], ["portal.E004"]),
        ("ITCARE_SIZINGS", ["2cpu4gb"], []),
        ("SWEEP_SECONDS", 0.0, ["portal.E005"]),
        ("CHANGE_SECONDS", float("nan"), ["portal.E005"]),
        ("LEASE_SECONDS", 60.0, ["portal.E006"]),
        ("LEASE_SECONDS", 60.5, []),
        ("ALLOWED_HOSTS", ["portal.example.com", "*"], ["portal.E007"]),
    ],
)
def test_setting(settings: Settings, name: str, value: object, wanted: list[str]) -> None:
    setattr(settings, name, value)
    assert _ids(tags=["security"]) == wanted


@pytest.mark.django_db
def test_role_that_owns_the_tables_is_refused(settings: Settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = %s", ["portal_owner"]
        )
        assert cursor.fetchone() != (0,)
    command = [sys.executable, "manage.py", "check", "--database", "default"]
    database = connection.settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}"
    owner = {**database, "USER": OWNER_DATABASE["USER"], "PASSWORD": OWNER_DATABASE["PASSWORD"]}
    answers = {}
    for who, role in {"portal": database, "owner": owner}.items():
        environment = {"DATABASE_URL": url.format(**role), "MIGRATION_DATABASE_URL": ""}
        answers[who] = _run(command, environment)
    assert answers["portal"].returncode == 0, answers["portal"].stderr
    assert answers["owner"].returncode == 1
    assert "portal.E008" in answers["owner"].stderr


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    merged = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", **environment}
    return subprocess.run(
        command, env=merged, capture_output=True, text=True, check=False, timeout=60, cwd=live.BASE_DIR
    )
