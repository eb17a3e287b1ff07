"""What is assumed of this deployment's ITCare; without models, since the start-up checks read it before they exist."""

from django.conf import settings

from portal.itcare import Assumptions


def assumptions() -> Assumptions:
    """Return the assumptions as the settings change them (API.md 17).

    Raises:
        ValueError: ITCARE_ASSUMPTIONS names something that is not assumed, or a value does not fit.
    """
    return Assumptions.changed({"ha_topology": settings.ITCARE_HA_TOPOLOGY, **settings.ITCARE_ASSUMPTIONS})
