"""Puts a distribution where `pip install` would leave it: modules, metadata, entry points."""

import os
from collections.abc import Mapping
from pathlib import Path

PLUGINS = "imbi.plugins"


def install(
    folder: Path,
    distribution: str,
    points: Mapping[str, str],
    *,
    modules: Mapping[str, str] | None = None,
    version: str = "1.0",
    group: str = PLUGINS,
) -> None:
    """*points* maps an entry point's name to ``module:object``; *modules* a name to its source."""
    about = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    lines = [f"{name} = {value}" for name, value in points.items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    for name, source in (modules or {}).items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")


def environment_with(folder: Path) -> dict[str, str]:
    """What a process's environment needs to find what is installed in *folder*."""
    path = filter(None, [str(folder), os.environ.get("PYTHONPATH")])
    return {"PYTHONPATH": os.pathsep.join(path)}
