"""A lock of requirements/: names, versions, and on which machines each is installed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS: Final = Path(__file__).parents[2] / "requirements"


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock; *condition* is empty when every machine installs it."""

    name: str
    version: str
    condition: str
    hashes: frozenset[str]
    is_installed_here: bool


def read(lock: str) -> dict[str, Pin]:
    """The pins of ``requirements/<lock>.txt`` by their names, in the order of the file."""
    text = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    pins = (_pin(line) for line in text.splitlines() if line.strip())
    return {pin.name: pin for pin in pins}


def _pin(line: str) -> Pin:
    stated, *hashes = line.split("--hash=")
    requirement = Requirement(stated.strip())
    (version,) = (one.version for one in requirement.specifier if one.operator == "==")
    marker = requirement.marker
    return Pin(
        name=canonicalize_name(requirement.name),
        version=version,
        condition=str(marker or ""),
        hashes=frozenset(text.strip() for text in hashes),
        is_installed_here=marker is None or marker.evaluate(),
    )
