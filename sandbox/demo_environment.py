"""The demo's secrets, ports and environment, kept in var/ so that it starts again with its data."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from sandbox import processes
from sandbox.processes import LOOPBACK, NotReadyError
from sandbox.servers import PROJECT

UPSTREAM = ("ITCARE_BASE_URL", "ITCARE_TOKEN_URL", "ITCARE_CLIENT_ID", "ITCARE_CLIENT_SECRET")
# What the demo always sets itself, whatever the shell says.
OURS = ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "STATIC_ROOT")
# A demo is watched: it looks often, and nobody is locked out for trying.
DEFAULTS = {
    "DEBUG": "false",
    "HTTPS": "false",
    "LOGIN_LIMIT": "1000/m/ip",
    "LOGIN_FAILED_LIMIT": "1000/m/ip",
    "REAUTHENTICATE_LIMIT": "1000/m/user",
    "FOLLOW_SECONDS": "2",
    "SYNC_SECONDS": "15",
    "SETTLE_SECONDS": "10",
    "SWEEP_SECONDS": "1",
}
HIGHEST_PORT = 65535


@dataclass
class Kept:
    """What is made once and kept: secrets and the ports of the servers."""

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(50))
    encryption_key: str = field(default_factory=lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    postgres_password: str = field(default_factory=secrets.token_urlsafe)
    owner_password: str = field(default_factory=secrets.token_urlsafe)
    portal_password: str = field(default_factory=secrets.token_urlsafe)
    redis_password: str = field(default_factory=secrets.token_urlsafe)
    client_secret: str = field(default_factory=secrets.token_urlsafe)
    postgres_port: int = 0
    redis_port: int = 0

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what the last demo kept, or make everything new; ports that are taken by now are chosen anew."""
        kept = cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else cls()
        for name in ("postgres_port", "redis_port"):
            if not getattr(kept, name) or not processes.port_is_free(getattr(kept, name)):
                setattr(kept, name, processes.free_port())
        write_private(file, json.dumps(asdict(kept), indent=1))
        return kept


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else may read, at once or not at all."""
    half = file.with_name(f".{file.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
    half.replace(file)


def port_from(environment: Mapping[str, str], name: str, default: int) -> int:
    """Return a port that a person may choose.

    Raises:
        NotReadyError: it is no port number, or taken: with what to do.
    """
    text = environment.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= HIGHEST_PORT:
        message = f"{name}={text} is not a port: choose a number from 1 to {HIGHEST_PORT}."
        raise NotReadyError(message)
    if not processes.port_is_free(int(text)):
        another = f"make demo {name}={min(int(text) + 1, HIGHEST_PORT)}"
        message = f"Port {text} is taken by another program: choose another one, for example `{another}`."
        raise NotReadyError(message)
    return int(text)


def known_names() -> tuple[str, ...]:
    """Return the names of all variables that the portal reads."""
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = (line.removeprefix("#").partition("=") for line in lines if "=" in line)
    return tuple(name for name, _, _ in names if name.isupper() and " " not in name)


def _given(environment: Mapping[str, str], name: str) -> str:
    file = environment.get(f"{name}_FILE")
    return Path(file).read_text(encoding="utf-8").strip() if file else environment.get(name, "")


def upstream_from(environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the ITCare server that a person wants instead of the sandbox, or None.

    Raises:
        NotReadyError: some of its four variables are missing.
    """
    given = {name: _given(environment, name) for name in UPSTREAM}
    if not given["ITCARE_BASE_URL"]:
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        message = f"ITCARE_BASE_URL asks for that server instead of the sandbox: also set {', '.join(missing)}."
        raise NotReadyError(message)
    return given


def portal_environment(
    kept: Kept, *, port: int, addresses: Mapping[str, str], upstream: Mapping[str, str], var: Path
) -> dict[str, str]:
    """Return the environment that makes the portal the demo's: ours, the defaults, and what a person set.

    Args:
        kept: the secrets.
        port: where the portal is; the links in its mails lead there.
        addresses: the variables for PostgreSQL and Redis.
        upstream: the four variables of the ITCare server.
        var: the demo's folder.
    """
    wanted = {
        name: os.environ[name]
        for name in known_names()
        if os.environ.get(name) and name not in OURS and name not in UPSTREAM
    }
    return {
        **DEFAULTS,
        "AUDIT_HEADS_FILE": str(var / "audit-heads.log"),
        "PORTAL_URL": address(port),
        **wanted,
        **upstream,
        **addresses,
        "SECRET_KEY": kept.secret_key,
        "ENCRYPTION_KEYS": kept.encryption_key,
        "STATIC_ROOT": str(var / "static"),
    }


def for_children(portal: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a child: the shell's without its own portal, and the demo's."""
    hidden = {f"{name}_FILE" for name in known_names()} | {"PORTAL_ENV_FILE", "DJANGO_SETTINGS_MODULE"}
    shell = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**shell, **portal, "PYTHONUNBUFFERED": "1"}


def address(port: int) -> str:
    """Return the address of a port of ours."""
    return f"http://{LOOPBACK}:{port}"
