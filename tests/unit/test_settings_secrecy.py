"""What of a setting may be shown."""

import pytest

from imbi_worker.settings import shown_address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://localhost:6379/3", "redis://localhost:6379/3"),
        ("redis://:secret@host", "redis://:***@host"),
        ("valkeys://me:sec%2Fret@host:1/0", "valkeys://me:***@host:1/0"),
        ("redis://secret@host", "redis://***@host"),
        ("redis://[::1]:6379", "redis://[::1]:6379"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("unix://:secret@/run/redis.sock", "unix://:***@/run/redis.sock"),
        ("redis://host?db=1&password=secret", "redis://host?db=1&password=***"),
        ("redis://host?secret=secret&db=1", "redis://host?secret=***&db=1"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    """Host, port, user, database and files stand there as they are."""
    assert shown_address(address, "***") == shown


@pytest.mark.parametrize(
    "address",
    [
        "redis://:sec/ret@host:6379",
        "redis://:sec#ret@host:6379",
        "redis://:sec?ret@host:6379",
        "redis://:secret",
        "redis://me:sec#ret",
        "redis://me:sec@ret/@host",
        "redis://[secret@host",
        "secret",
    ],
)
def test_of_an_address_that_cannot_be_read_nothing_is_shown(address: str) -> None:
    """A piece of its password may stand anywhere."""
    assert shown_address(address, "***") == "***"
