"""The heartbeat file: a worker's two answers, rewritten every few seconds.

Whole or not at all: it is written beside its place and moved there. What reads it looks at
its age first, so that a process that stands still is found by its silence.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imbi_worker.probes.health import Health

INTERVAL_SECONDS: Final = 5.0
# Two beats may be missed on a busy machine.
SILENCE_SECONDS: Final = 20.0


class NoHeartbeat(Exception):  # noqa: N818 - reads as what it is at the call
    """There is none to be had; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """*at* is the wall clock in seconds: file and reader share a machine."""

    worker: str
    at: float
    live: Health
    ready: Health

    def write(self, path: Path) -> None:
        """:raises OSError: the folder cannot be written"""
        told = {
            "worker": self.worker,
            "at": self.at,
            "live": self.live.to_json(),
            "ready": self.ready.to_json(),
        }
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(told), encoding="utf-8")
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Heartbeat":
        """The last beat, if it is recent. :raises NoHeartbeat: there is none."""
        try:
            told: Any = json.loads(path.read_text(encoding="utf-8"))
            beat = cls(
                worker=str(told["worker"]),
                at=float(told["at"]),
                live=Health.from_json(told["live"]),
                ready=Health.from_json(told["ready"]),
            )
        except FileNotFoundError:
            raise NoHeartbeat(
                f"{path} is not there: the worker has not started, or it writes another file;"
                " give both the same IMBI_WORKER_HEARTBEAT_FILE"
            ) from None
        except OSError as error:
            raise NoHeartbeat(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise NoHeartbeat(f"{path} is no heartbeat of a worker: name another file") from None
        age = time.time() - beat.at
        if age > SILENCE_SECONDS:
            raise NoHeartbeat(
                f"{path} was last written {age:.0f} s ago by {beat.worker}: the process is gone or"
                " stands still"
            )
        return beat
