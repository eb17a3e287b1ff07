"""Product codes, sizes, support phases and extensions. The codes follow `deb<os>pg<version>` (API.md A13)."""

import re
from dataclasses import dataclass

DAY = 86_400.0

PRODUCT_CODE = re.compile(r"deb(?P<debian>10|11|12|13)pg(?P<version>1[0-7])")
SIZING = re.compile(r"(?P<cpu>[0-9]{1,3})cpu(?P<ram>[0-9]{1,4})gb")
OLDEST_OFFERED = 12
LARGEST_CPU, LARGEST_RAM = 64, 512


@dataclass(frozen=True)
class Lifecycle:
    """Days from the start of the world to each turn of a version's support; negative is past.

    The dates move with the world's start instead of being the publisher's, so that some cluster is always
    near its end of support.
    """

    released: int
    end_of_sales: int
    extended: int
    end_of_support: int

    def phase(self, days: float) -> str:
        """The phase that many days after the start of the world. The words are invented (API.md A16)."""
        if days >= self.end_of_support:
            return "END_OF_SUPPORT"
        if days >= self.extended:
            return "EXTENDED"
        return "END_OF_SALE" if days >= self.end_of_sales else "STANDARD"


LIFECYCLES = {
    10: Lifecycle(-3300, -1700, -1470, -1100),
    11: Lifecycle(-2950, -1350, -1110, -745),
    12: Lifecycle(-2600, -980, -730, 45),
    13: Lifecycle(-2250, -610, -375, 240),
    14: Lifecycle(-1880, -240, -10, 355),
    15: Lifecycle(-1500, 130, 355, 720),
    16: Lifecycle(-1160, 480, 715, 1080),
    17: Lifecycle(-790, 850, 1080, 1445),
}

# Oldest Debian that each version runs on. Invented: the publisher's matrix could not be read (API.md 14).
OLDEST_DEBIAN = {10: 10, 11: 10, 12: 10, 13: 11, 14: 11, 15: 11, 16: 12, 17: 12}

# name, comment, whether it needs a restart, page of the publisher's documentation
EXTENSIONS = (
    ("btree_gist", "GiST indexes on scalar types", False, "btree-gist"),
    ("citext", "Text compared without regard to case", False, "citext"),
    ("hstore", "Key and value pairs in one value", False, "hstore"),
    ("pg_stat_statements", "Statistics of all statements", True, "pgstatstatements"),
    ("pg_trgm", "Similarity of texts by trigrams", False, "pgtrgm"),
    ("pgcrypto", "Cryptographic functions", False, "pgcrypto"),
    ("postgres_fdw", "Tables of another PostgreSQL server", False, "postgres-fdw"),
    ("unaccent", "Text search without accents", False, "unaccent"),
    ("uuid-ossp", "Universally unique identifiers", False, "uuid-ossp"),
)


NEED_RESTART = frozenset(name for name, _, restart, _ in EXTENSIONS if restart)


def version_of(product_code: str) -> int | None:
    """PostgreSQL's major version in a product code, or None for a code that does not exist."""
    found = PRODUCT_CODE.fullmatch(product_code)
    return int(found["version"]) if found else None


def debian_of(product_code: str) -> str:
    """Debian's version in a product code, as text.

    Raises:
        ValueError: the code does not exist.
    """
    found = PRODUCT_CODE.fullmatch(product_code)
    if found is None:
        raise ValueError(product_code)
    return found["debian"]


def upgrades_of(product_code: str) -> tuple[int, ...]:
    """The versions that one may upgrade to: above its own, of those still offered."""
    own = version_of(product_code) or 0
    return tuple(version for version in LIFECYCLES if version > own and version >= OLDEST_OFFERED)


def capacity_of(sizing: str) -> tuple[int, int] | None:
    """Processors and gigabytes of memory of a size such as `2cpu4gb`, or None for a size that is not sold."""
    found = SIZING.fullmatch(sizing)
    if found is None:
        return None
    cpu, ram = int(found["cpu"]), int(found["ram"])
    return (cpu, ram) if 1 <= cpu <= LARGEST_CPU and 1 <= ram <= LARGEST_RAM else None
