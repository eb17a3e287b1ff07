"""Product codes and sizes in words. Both come from configuration: the API lists neither (API.md A13)."""

import re
from typing import Final

from django.conf import settings

_CODE: Final = re.compile(r"^deb(?P<os>\d+)pg(?P<version>\d+)$")
_SIZING: Final = re.compile(r"^(?P<cpu>\d+)cpu(?P<ram>\d+)gb$")


def product_words(code: str) -> str:
    """Return a product code in words; one that is not understood stays as it is."""
    match = _CODE.match(code)
    return f"PostgreSQL {match['version']} on Debian {match['os']}" if match else code


def sizing_words(sizing: str) -> str:
    """Return a size in words; one that is not understood stays as it is."""
    match = _SIZING.match(sizing)
    return f"{match['cpu']} CPU, {match['ram']} GB" if match else sizing


def product_choices() -> list[tuple[str, str]]:
    """Return the product codes that may be asked for."""
    return [(code, product_words(code)) for code in settings.ITCARE_PRODUCT_CODES]


def sizing_choices() -> list[tuple[str, str]]:
    """Return the sizes that may be asked for."""
    return [(sizing, sizing_words(sizing)) for sizing in settings.ITCARE_SIZINGS]
