"""What happened, one JSON object a line, in the order it happened.

Every process appends to one file with O_APPEND, one write a line: the kernel orders them,
and a line that is written survives the process. Moments are of the monotonic clock, which
all processes of a machine share.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; which fields stand depends on *what*."""

    at: float
    what: str
    pid: int = 0
    job: str = ""
    lane: str = ""
    run: int = 0
    attempt: int = 0
    token: str = ""
    mark: str = ""
    how: str = ""
    nonce: str = ""
    until: float = 0.0


class History:
    """The writing end. One for each process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, **facts: Any) -> None:
        line = json.dumps({"at": time.monotonic(), "what": what, **facts})
        os.write(self._file, f"{line}\n".encode())


def read(path: Path) -> Iterator[Line]:
    """Every line so far; a torn one is an error, for there should be none."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Line(**json.loads(line))
