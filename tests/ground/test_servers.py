"""The servers of demo and tests are real, closed to strangers, and never outlive the process that started them."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from sandbox import processes, servers

ROOT = Path(__file__).parent.parent.parent
PARENT = """
import subprocess, sys, time
from pathlib import Path
from sandbox import processes
child = processes.start([sys.executable, "-c", "import time; time.sleep(600)"], output=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder for PostgreSQL's data, also when we are root."""
    wanted = tmp_path_factory.mktemp("servers") / "postgres"
    data = servers.data_folder(wanted)
    yield data
    servers.remove(data)
    assert not data.exists()


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[servers.Postgres]:
    server = servers.Postgres(folder, processes.free_port(), secrets.token_urlsafe(), durable=False)
    process = server.start(subprocess.DEVNULL)
    yield server
    assert processes.stop(process, server.ends_with)


def test_postgres_wants_a_password(postgres: servers.Postgres) -> None:
    with postgres.connect() as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("postgres",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url("postgres", "guessed", "postgres"))


def test_postgres_listens_on_loopback_only(postgres: servers.Postgres) -> None:
    with postgres.connect() as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'unix_socket_directories')"
        ).fetchall()
    assert sorted(rows) == [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")]


def test_script_of_the_container_makes_two_roles(postgres: servers.Postgres) -> None:
    environment = {**os.environ, "OWNER_PASSWORD": "o'wner \\x", "PORTAL_PASSWORD": 'p"ortal'}
    command: list[str | Path] = [
        servers.postgres_programs() / "psql",
        "--no-psqlrc",
        "--quiet",
        "--set",
        "ON_ERROR_STOP=1",
    ]
    address = postgres.url("postgres", postgres.password, "postgres")
    script = ROOT / "docker/roles.sql"
    subprocess.run([*command, "--file", script, address], env=environment, check=True, timeout=30)
    with psycopg.connect(postgres.url("portal_owner", "o'wner \\x", "portal")) as owner:
        owner.execute("CREATE TABLE mine ()")
        owner.execute("CREATE TEMPORARY TABLE passing ()")
    for statement in ("CREATE TABLE theirs ()", "CREATE TEMPORARY TABLE passing ()", "SELECT FROM mine"):
        with (
            psycopg.connect(postgres.url("portal_app", 'p"ortal', "portal")) as portal,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            portal.execute(statement)


def test_adding_again_keeps_the_data_and_takes_the_new_password(postgres: servers.Postgres) -> None:
    for password in ("first", "second"):
        postgres.add_role("keeper", password)
        postgres.add_database("kept", "keeper")
        with psycopg.connect(postgres.url("keeper", password, "kept")) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS seen (password text)")
            connection.execute("INSERT INTO seen VALUES (%s)", [password])
            rows = connection.execute("SELECT password FROM seen ORDER BY 1").fetchall()
    assert rows == [("first",), ("second",)]


def test_redis_wants_a_password_and_evicts_nothing(redis_server: servers.Redis) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
    with redis.Redis(port=redis_server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_redis_keeps_messages_over_a_restart(tmp_path: Path) -> None:
    for number in (1, 2):
        server = servers.Redis(tmp_path / "redis", processes.free_port(), "secret")
        process = server.start(subprocess.DEVNULL)
        with redis.Redis.from_url(server.url) as client:
            assert client.rpush("queue", "message") == number
        assert processes.stop(process)


def test_server_that_cannot_start_is_a_sentence(redis_server: servers.Redis, tmp_path: Path) -> None:
    # Its port is taken by a server with another password.
    rival = servers.Redis(tmp_path, redis_server.port, "another")
    with pytest.raises(processes.NotReadyError, match=r"^Redis ended at its start with code 1\.$"):
        rival.start(subprocess.DEVNULL)


def test_child_ends_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    parent.communicate()
    child.wait(10)
    assert not child.is_running()


def test_child_that_does_not_listen_is_killed_with_its_children() -> None:
    deaf = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    deaf += "c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); time.sleep(600)"
    child = processes.start([sys.executable, "-c", deaf], output=subprocess.PIPE)
    assert child.stdout
    grandchild = psutil.Process(int(child.stdout.readline()))
    assert processes.stop(child, seconds=0.1) is False
    assert child.returncode == -signal.SIGKILL
    _gone(grandchild)


def _gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not servers.as_root(), reason="only root has this trouble")
def test_under_root_data_goes_where_the_account_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data = servers.data_folder(closed / "postgres")
    assert data.parent == servers.outside()
    opened = Path("/usr/postgres")
    assert servers.data_folder(opened) == opened
    assert servers.data_folder(closed / "other" / "postgres") != data
    servers.remove(data)
