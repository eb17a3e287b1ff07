"""docker-compose.yml and Dockerfile: no engine here runs them, so what can be known without one is checked."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from sandbox import commands

ROOT = Path(__file__).parent.parent.parent
PORTAL = ("web", "worker", "sweep", "migrate")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)s", text)
    assert match
    return int(match[1])


def test_compose_file_follows_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    answer = subprocess.run([*command, ROOT / "docker-compose.yml"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


def test_containers_run_what_the_demo_runs() -> None:
    assert tuple(SERVICES["web"]["command"]) == commands.web("0.0.0.0:8000")
    assert tuple(SERVICES["worker"]["command"]) == commands.WORKER
    assert tuple(SERVICES["sweep"]["command"]) == commands.SWEEP
    shell = [*SERVICES["migrate"]["command"]]
    assert [tuple(part.split()) for part in shell.pop().split("&&")] == list(commands.MIGRATE)
    assert shell == ["sh", "-c"]


def test_image_itself_starts_the_web_server() -> None:
    starts = [
        json.loads(line.removeprefix("CMD "))
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("CMD ")
    ]
    assert tuple(starts[0]) == commands.web("0.0.0.0:8000")


@pytest.mark.parametrize("name", ["web", "worker"])
def test_service_can_be_scaled(name: str) -> None:
    assert {"ports", "container_name", "hostname", "volumes"} & SERVICES[name].keys() == set()


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_nothing_runs_as_root() -> None:
    own = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[2:]
    assert [re.findall(r"^USER (\w+)$", stage, re.MULTILINE) for stage in own] == [["portal"], ["portal"]]
    foreign = {name: service.get("user") for name, service in SERVICES.items() if "build" not in service}
    # The image of the proxy is made for running without rights.
    assert foreign == {"front": None, "db": "postgres", "redis": "redis"}
    assert SERVICES["front"]["image"].startswith("nginxinc/nginx-unprivileged:")


def test_only_migrations_hold_the_owner() -> None:
    url = {name: SERVICES[name]["environment"]["MIGRATION_DATABASE_URL"] for name in PORTAL}
    owner = url.pop("migrate")
    assert owner.startswith("postgresql://portal_owner:${OWNER_PASSWORD:?")
    assert url == {"web": "", "worker": "", "sweep": ""}
    hidden = {
        (SERVICES[name]["environment"]["POSTGRES_PASSWORD"], SERVICES[name]["environment"]["OWNER_PASSWORD"])
        for name in PORTAL
    }
    assert hidden == {("", "")}


def test_services_start_in_order() -> None:
    wanted = {
        name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    portal = {"migrate": "service_completed_successfully", "redis": "service_healthy"}
    assert wanted == {
        "front": {"web": "service_healthy"},
        "web": portal,
        "worker": portal,
        "sweep": portal,
        "migrate": {"db": "service_healthy"},
        "db": {},
        "redis": {},
        "sandbox": {},
    }
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate"}


def test_worker_may_finish_its_call_before_it_is_killed() -> None:
    assert _seconds(SERVICES["worker"]["stop_grace_period"]) > settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT
    assert settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT > settings.ITCARE_TOTAL_SECONDS
    assert _seconds(SERVICES["sweep"]["stop_grace_period"]) > settings.ITCARE_TOTAL_SECONDS


def test_database_and_broker_are_not_reachable_from_outside() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("db", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]


def test_no_secret_stands_in_the_files() -> None:
    values = [
        (name, key, value)
        for name, service in SERVICES.items()
        for key, value in service.get("environment", {}).items()
        if re.search(r"PASSWORD|SECRET|KEY|_URL", key) and value and "${" not in value
    ]
    assert values == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert [line for line in ignored if line.startswith("!") and ".env" in line] == []


def test_images_are_pinned_to_a_line() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    bases = re.findall(r"^FROM (\S+:\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [image for image in [*images, *bases] if not re.search(r":\d", image)] == []
