"""How to connect to a cluster: where it listens, and lines to copy (API.md 14)."""

import re
from dataclasses import dataclass
from typing import Final

from portal.inventory.models import Cluster
from portal.web.facts import Fact

PORT: Final = 5432
DATABASE: Final = "postgres"
# A name that means nothing to a shell, a URL or a program.
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Snippet:
    """Something to copy; `name` is also what its part of the page is known by."""

    name: str
    label: str
    text: str


@dataclass(frozen=True)
class Connection:
    """Where a cluster listens. `tls` is None where ITCare does not tell."""

    host: str
    tls: bool | None

    @property
    def facts(self) -> list[Fact]:
        """Where it listens, as a list of facts."""
        return [("Host", self.host), ("Port", str(PORT)), ("Database", DATABASE)]

    @property
    def snippets(self) -> list[Snippet]:
        """Lines for psql and for drivers; with TLS they check the server's certificate and name."""
        mode = "verify-full" if self.tls else "prefer"
        where = f"host={self.host} port={PORT} dbname={DATABASE} sslmode={mode}"
        psycopg = [
            "import os",
            "",
            "import psycopg",
            "",
            "connection = psycopg.connect(",
            f'    "{where}",',
            '    user=os.environ["PGUSER"],',
            '    password=os.environ["PGPASSWORD"],',
            *(['    sslrootcert="root.crt",'] if self.tls else []),
            ")",
        ]
        jdbc = f"jdbc:postgresql://{self.host}:{PORT}/{DATABASE}?sslmode={mode}"
        node = [
            *(['import { readFileSync } from "node:fs";'] if self.tls else []),
            'import pg from "pg";',
            "",
            "const pool = new pg.Pool({",
            f'  host: "{self.host}",',
            f"  port: {PORT},",
            f'  database: "{DATABASE}",',
            "  user: process.env.PGUSER,",
            "  password: process.env.PGPASSWORD,",
            *(['  ssl: { ca: readFileSync("root.crt", "utf8") },'] if self.tls else []),
            "});",
        ]
        return [
            Snippet("psql", "psql", f'psql "{where}"'),
            Snippet("psycopg", "Python, psycopg", "\n".join(psycopg)),
            Snippet("jdbc", "Java, JDBC", jdbc + ("&sslrootcert=root.crt" if self.tls else "")),
            Snippet("node", "Node.js, pg", "\n".join(node)),
        ]


def connection(cluster: Cluster) -> Connection | None:
    """Return how to connect, unless the host is not known or is not the name of one."""
    return Connection(cluster.url, cluster.tls_enabled) if _HOST.fullmatch(cluster.url) else None
