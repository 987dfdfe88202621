"""Writes deploy/licences.md."""

from typing import Final

from supply_chain.licences import PERMISSIVE, TAKEN, licence_of
from supply_chain.lock import Pin, read

_HEAD: Final = """\
# Licences

What the image holds beside the base image and our own two packages (BSD-3-Clause), as
`requirements/production.txt` and `requirements/production-otel.txt` pin it. `make licences` writes
this page; a test holds it to the locks and fails when a package comes in whose licence is neither
permissive ({permissive}) nor listed here with a reason.
"""


def page() -> str:
    """The whole page, from the locks and the installed packages."""
    image, traced, build = read("production"), read("production-otel"), read("build")
    extra = {name: pin for name, pin in traced.items() if name not in image}
    parts = [
        _HEAD.format(permissive=", ".join(sorted(PERMISSIVE))),
        "## In every image\n",
        _table(image),
        "\n## With the extra `otel`, in addition\n",
        _table(extra),
        "\n## What builds our wheels, and is in no image\n",
        _table(build),
        "\n## Copyleft that is taken all the same\n",
        *(f"* **{name}** ({licence}): {why}" for (name, licence), why in TAKEN.items()),
    ]
    return "\n".join(parts) + "\n"


def _table(pins: dict[str, Pin]) -> str:
    head = "| package | version | licence | installed |\n|---|---|---|---|"
    rows = (
        f"| {pin.name} | {pin.version} | {licence_of(pin)} | {_where(pin)} |"
        for pin in pins.values()
    )
    return "\n".join([head, *rows])


def _where(pin: Pin) -> str:
    return f"where `{pin.condition}`" if pin.condition else "everywhere"
