"""Two worlds: one in which nobody has installed imbi-common, and one in which somebody has."""

from pathlib import Path

import pytest
from installation import Installation
from packages import IMBI_COMMON, OURS, THEIRS, TICKETS


@pytest.fixture
def world_one(tmp_path: Path) -> Installation:
    """No imbi-common; the plugin ``theirs`` is written for it all the same."""
    site = Installation(tmp_path / "site")
    site.add("imbi-plugin-theirs", "2.11.5", THEIRS, {"theirs": "plugin_theirs:Theirs"})
    site.add("imbi-plugin-ours", "1.0", OURS, {"ours": "plugin_ours:Ours"})
    return site


@pytest.fixture
def world_two(tmp_path: Path) -> Installation:
    """An imbi-common, as small as can be, with classes of its own."""
    site = Installation(tmp_path / "site")
    site.add("imbi-common", "2.11.5", IMBI_COMMON)
    site.add("imbi-plugin-theirs", "2.11.5", THEIRS, {"theirs": "plugin_theirs:Theirs"})
    site.add("imbi-plugin-ours", "1.0", OURS, {"ours": "plugin_ours:Ours"})
    return site


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Nothing but a healthy plugin, ``tickets``."""
    site = Installation(tmp_path / "site")
    site.add("imbi-plugin-tickets", "1.0", TICKETS, {"tickets": "plugin_tickets:Tickets"})
    return site
