"""Looks for a secret everywhere that the portal writes to, in the clear or in any usual spelling."""

import base64
import html
import json
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import redis
from django.contrib.sessions.models import Session
from django.core import mail
from psycopg import sql

from tests.conftest import as_owner


def spellings(secret: str) -> set[str]:
    """The secret as it stands in text, markup, addresses, JSON, hexadecimal and base64 at any offset."""
    raw = secret.encode()
    found = {secret, html.escape(secret), quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], raw.hex()}
    for offset in range(3):
        # What is left of it between the neighbours that share a character with it.
        found.add(base64.b64encode(b"\0" * offset + raw).decode()[4 if offset else 0 : -4])
    return found


def _tables() -> dict[str, str]:
    with as_owner() as owner:
        names = [row[0] for row in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        query = sql.SQL("SELECT t::text FROM {} t")
        rows = {name: owner.execute(query.format(sql.Identifier(name))).fetchall() for name in names}
    return {f"table {name}": "\n".join(row[0] for row in told) for name, told in rows.items()}


def _redis(address: str) -> str:
    told: list[str] = []
    with redis.Redis.from_url(address, decode_responses=True) as client:
        for key in client.keys("*"):
            told.append(key)
            match client.type(key):
                case "list":
                    told += client.lrange(key, 0, -1)
                case "hash":
                    told += [str(client.hgetall(key))]
                case "set":
                    told += client.smembers(key)
                case "zset":
                    told += client.zrange(key, 0, -1)
                case _:
                    told.append(str(client.get(key)))
    bodies = [json.loads(text)["body"] for text in told if text.startswith("{") and "body" in text]
    return "\n".join(told + [base64.b64decode(body).decode() for body in bodies])


@dataclass
class Places:
    """Everything that the portal writes to, as it is now."""

    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    broker: str
    printed: str = ""

    def holding(self, secret: str) -> list[str]:
        """Names of the places that hold it."""
        self.printed += "".join(self.capfd.readouterr())
        places = {
            **_tables(),
            "sessions": "\n".join(str(session.get_decoded()) for session in Session.objects.all()),
            "Redis": _redis(self.broker),
            "logs": self.caplog.text,
            "output": self.printed,
            "mails": "\n".join(message.message().as_string() for message in mail.outbox),
        }
        wanted = spellings(secret)
        return sorted(name for name, text in places.items() if any(word in text for word in wanted))
