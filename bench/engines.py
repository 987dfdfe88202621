"""Who is measured: ours, the peers, the floor. Each peer has an environment of its own."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
ENVIRONMENTS: Final = FOLDER / ".venvs"
LOCKS: Final = FOLDER / "requirements"


@dataclass(frozen=True, slots=True)
class Engine:
    """*environment* names a lock in requirements/; without one it is this very environment."""

    name: str
    module: str
    variant: str = ""
    environment: str = ""

    @property
    def python(self) -> str:
        if not self.environment:
            return sys.executable
        return str(ENVIRONMENTS / self.environment / "bin" / "python")


OWN_EVENT: Final = Engine("engine", "bench.ours.engine", "own-event")
SHARED_EVENT: Final = Engine("engine, deliveries of 10", "bench.ours.engine")
WIDE: Final = Engine("engine, 10,000 lanes", "bench.ours.engine", "wide")
CROWD: Final = Engine("a hundred engines", "bench.ours.engine", "crowd")
WHOLE_PATH: Final = Engine("whole path", "bench.ours.whole_path")
UPDATE_PROJECT: Final = Engine("update_project", "bench.ours.whole_path", "update-project")
FLOOR: Final = Engine("floor", "bench.peers.floor")
ARQ: Final = Engine("arq tuned", "bench.peers.arq", "", "arq")
ARQ_DEFAULT: Final = Engine("arq default", "bench.peers.arq", "default", "arq")
PEERS: Final = (
    ARQ,
    Engine("SAQ", "bench.peers.saq", "", "saq"),
    Engine("streaQ", "bench.peers.streaq", "", "streaq"),
    Engine("taskiq", "bench.peers.taskiq", "", "taskiq"),
    Engine("taskiq, no result", "bench.peers.taskiq", "no-result", "taskiq"),
    Engine("taskiq, stream", "bench.peers.taskiq", "stream", "taskiq"),
    Engine("docket", "bench.peers.docket", "", "docket"),
)


def prepare() -> None:
    """Make the environments that are missing or older than their lock."""
    for name in sorted({peer.environment for peer in PEERS}):
        lock = LOCKS / f"{name}.txt"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        stamp = ENVIRONMENTS / name / ".lock"
        if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
            continue
        print(f"bench: installing {name}", file=sys.stderr)
        folder = ENVIRONMENTS / name
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "--quiet", "install")
        _run(*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(lock))
        stamp.write_text(digest, encoding="ascii")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - our own words, our own interpreter
