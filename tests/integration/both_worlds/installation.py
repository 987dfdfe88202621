"""Packages as pip would have put them on the path, and a Python of its own that sees them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

SECONDS = 60


class Installation:
    """A directory on the path of a fresh process; module state stays in that process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        distribution: str,
        version: str,
        modules: Mapping[str, str],
        plugins: Mapping[str, str] | None = None,
    ) -> None:
        """*modules* by their paths; *plugins* are entry points ``imbi.plugins``."""
        for path, source in modules.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(source))
        about = self.root / f"{distribution.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = [f"{name} = {value}" for name, value in (plugins or {}).items()]
        (about / "entry_points.txt").write_text("\n".join(["[imbi.plugins]", *lines, ""]))

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IMBI_")}
        return {**kept, "PYTHONPATH": str(self.root)}

    def run(self, *script: str) -> Any:
        """What the script left in ``told``; it must end well, without a warning."""
        whole = "\n".join(["import json", *map(dedent, script), "print(json.dumps(told))"])
        done = self._process([sys.executable, "-W", "error", "-c", whole])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of ``imbi-worker``."""
        done = self._process([sys.executable, "-m", "imbi_worker", *arguments])
        return done.returncode, done.stdout, done.stderr

    def _process(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command
            command,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
