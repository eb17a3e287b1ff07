"""Fixtures of the faults: the portal as real processes."""

from tests.running_portal import portal, running_cast, static_root  # noqa: F401 - fixtures
