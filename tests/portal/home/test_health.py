"""Health: the process lives, the portal works; and what it tells of everything around it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.operations import heartbeat
from portal.upstream import pause
from portal.upstream.circuit import FAILURES, Circuit
from portal.upstream.models import Pause, Token
from tests.conftest import as_owner

ROOT = Path(__file__).parents[3]
# The real portal in a process of its own asks itself, as a web server would.
ASK = """
import json, sys, django
django.setup()
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
answer = Client(raise_request_exception=False, SERVER_NAME="127.0.0.1").get(sys.argv[1])
print(json.dumps([answer.status_code, answer.content.decode()]))
"""
NOTHING_LISTENS = "postgresql://portal:secret-of-the-database@127.0.0.1:1/portal"


def told(browser: Client) -> dict[str, object]:
    answer = browser.get("/readyz")
    assert answer.status_code == 200
    return dict(answer.json())


def ask(address: str, **environment: str) -> tuple[int, str, str]:
    """Ask a portal of its own process; answers status, content and what it wrote to its log."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, address],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, content = json.loads(done.stdout.splitlines()[-1])
    return status, content, done.stderr


def test_a_process_lives_and_is_not_ready_without_its_database() -> None:
    assert ask("/healthz", DATABASE_URL=NOTHING_LISTENS)[:2] == (200, "ok\n")
    status, content, log = ask("/readyz", DATABASE_URL=NOTHING_LISTENS)
    assert (status, json.loads(content)) == (503, {"ready": False, "database": "down"})
    assert "secret-of-the-database" not in content + log


def test_it_is_not_ready_while_a_migration_is_missing(client: Client, transactional_db: None) -> None:
    with as_owner() as owner:
        owner.execute("DELETE FROM django_migrations WHERE app = 'changes' AND name NOT LIKE '0001%'")
        removed = owner.execute("SELECT count(*) FROM django_migrations WHERE app = 'changes'").fetchone()
        owner.rollback()
        assert removed == (1,)
        last = owner.execute(
            "SELECT id, name FROM django_migrations WHERE app = 'changes' ORDER BY name DESC"
        ).fetchone()
        assert last is not None
        owner.execute("UPDATE django_migrations SET name = 'hidden' WHERE id = %s", [last[0]])
        owner.commit()
        try:
            answer = client.get("/readyz")
        finally:
            owner.execute("UPDATE django_migrations SET name = %s WHERE id = %s", [last[1], last[0]])
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "database": "up", "migrations": "1 missing"},
    )
    assert client.get("/readyz").status_code == 200


def test_what_else_is_down_is_told_and_does_not_make_it_unready(client: Client, db: None) -> None:
    assert told(client) == {
        "ready": True,
        "database": "up",
        "redis": "down",
        "sweep": "silent",
        "workers": "silent",
        "upstream": "up",
    }


def test_what_is_up_is_told_too(client: Client, db: None, redis_url: str, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = redis_url
    heartbeat.beat(heartbeat.SWEEP)
    heartbeat.beat(heartbeat.WORKER)
    assert told(client) == {
        "ready": True,
        "database": "up",
        "redis": "up",
        "sweep": "up",
        "workers": "up",
        "upstream": "up",
    }


def test_a_wrong_redis_password_counts_as_down_and_is_not_told(
    client: Client, db: None, redis_url: str, settings: Settings
) -> None:
    wrong = urlsplit(redis_url)._replace(netloc=f":not-the-password@{urlsplit(redis_url).netloc.rpartition('@')[2]}")
    settings.CELERY_BROKER_URL = wrong.geturl()
    answer = client.get("/readyz")
    assert answer.json()["redis"] == "down"
    assert "not-the-password" not in answer.content.decode()


def upstream_told(browser: Client) -> dict[str, object]:
    return {name: value for name, value in told(browser).items() if name.startswith("upstream")}


def test_a_pause_of_itcare_is_told_in_words_and_since_when(client: Client, transactional_db: None) -> None:
    pause.hold("ITCare has too much to do.", seconds=60)
    since = Pause.objects.values_list("since", flat=True).get()
    assert since is not None
    assert upstream_told(client) == {"upstream": "ITCare has too much to do.", "upstream_since": since.isoformat()}


def test_since_when_itcare_does_not_answer_is_told_until_it_answers(client: Client, transactional_db: None) -> None:
    circuit = Circuit()
    circuit.reached("ITCare does not answer.")
    since = Pause.objects.values_list("since", flat=True).get()
    assert since is not None
    assert upstream_told(client) == {"upstream": "up"}
    for _ in range(FAILURES - 1):
        circuit.reached("ITCare does not answer.")
    shut = {
        "upstream": "ITCare does not answer. The portal tries again from time to time; what was approved waits for it.",
        "upstream_since": since.isoformat(),
    }
    assert upstream_told(client) == shut
    Pause.objects.update(until=Now())
    assert upstream_told(client) == shut
    circuit.gate()
    circuit.reached("")
    assert upstream_told(client) == {"upstream": "up"}


def test_since_when_there_is_no_token_is_told(client: Client, db: None) -> None:
    at = timezone.now()
    Token.objects.create(id=1, failed_at=at, failure="ITCare refuses the portal's account.")
    assert upstream_told(client) == {
        "upstream": "ITCare refuses the portal's account.",
        "upstream_since": at.isoformat(),
    }


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_a_probe_needs_neither_session_nor_sign_in(client: Client, db: None, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.cookies == {}
