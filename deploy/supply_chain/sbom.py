"""The bill of materials in CycloneDX's JSON: the same bytes for the same lock and Python.

cyclonedx-py describes an environment. The one it is shown here holds the metadata of exactly what
the lock pins, out of the environment that the tests run in.
"""

import json
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from packaging.utils import canonicalize_name

from supply_chain.licences import licence_of
from supply_chain.lock import LOCKS, Pin, read

_OURS: Final = ("imbi-sdk", "imbi-worker")


class WrongEnvironment(Exception):  # noqa: N818 - reads as what it is at the call
    """What is installed is not what the lock pins."""


def bill(lock: str, *, is_checked: bool = True) -> str:
    """JSON without time and serial number, held to CycloneDX's schema unless told otherwise.

    :raises WrongEnvironment: `make .venv/.dev` is due
    """
    pins = {name: pin for name, pin in read(lock).items() if pin.is_installed_here}
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=False)
        packages = Path(folder, "lib", f"python3.{sys.version_info.minor}", "site-packages")
        for name in (*_OURS, *pins):
            _show(name, pins.get(name), packages)
        told = _describe(Path(folder, "bin", "python"), is_checked=is_checked)
    for component in told["components"]:
        pin = pins.get(canonicalize_name(component["name"]))
        if pin is not None and "licenses" not in component:
            # It states none in its metadata.
            component["licenses"] = [{"expression": licence_of(pin)}]
    return json.dumps(told, indent=2, sort_keys=True) + "\n"


def _show(name: str, pin: Pin | None, packages: Path) -> None:
    found = metadata.distribution(name)
    if pin is not None and found.version != pin.version:
        raise WrongEnvironment(f"{name} {found.version} is installed, {pin.version} is pinned")
    about = packages / f"{name.replace('-', '_')}-{found.version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(found.read_text("METADATA") or "", encoding="utf-8")


def _describe(python: Path, *, is_checked: bool) -> dict[str, Any]:
    command: list[str | Path] = [Path(sys.executable).parent / "cyclonedx-py", "environment"]
    command += ["--pyproject", LOCKS.parent / "pyproject.toml", "--mc-type", "application"]
    command += ["--output-reproducible", "--validate" if is_checked else "--no-validate", python]
    done = subprocess.run(  # noqa: S603 - a tool of the lock, no word from outside
        command, check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told
