"""Fixtures of the faults: the portal as real processes."""

from tests.journeys.deployment import deployment  # noqa: F401 - a fixture
from tests.running_portal import portal, running_cast, static_root  # noqa: F401 - fixtures
