"""What a scene of the story is made of: acts, and what it says of its jobs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from imbi_worker.demo.imbi_api import Fault
from imbi_worker.demo.names import GITHUB
from imbi_worker.demo.parts import Part


@dataclass(frozen=True, slots=True)
class Deliver:
    """One delivery: a job for each project and part. *faults* are set just before."""

    sample: str
    projects: tuple[str, ...]
    parts: tuple[Part, ...]
    integration: str = GITHUB
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Redeliver:
    """The same delivery once more."""

    delivery: Deliver


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Every job of the scene has ended."""


@dataclass(frozen=True, slots=True)
class AwaitHold:
    """A hold stands on the integration."""

    integration: str


@dataclass(frozen=True, slots=True)
class KillWorker:
    """SIGKILL for the worker that runs the scene's job, once its work has begun."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The scene's job is a dead letter; an operator replays it."""


Act: TypeAlias = Deliver | Redeliver | AwaitEnd | AwaitHold | KillWorker | Replay


class Claim(StrEnum):
    """What a scene says beyond how each of its jobs ends."""

    IN_ORDER = "each rule began after the one before it had ended"
    HELD = "nothing was sent for the integration before Retry-After was over"
    BY_ANOTHER = "another worker finished what the killed one had begun"
    RELEASED = "Imbi has the release once, with the status of its deployment, published"
    DROPPED = "no job was added, and every job of the redelivery was counted as a duplicate"


@dataclass(frozen=True, slots=True)
class Scene:
    """*opening* acts run scene after scene; then the *sequels* of all scenes at once."""

    title: str
    sentence: str
    opening: tuple[Act, ...] = ()
    sequel: tuple[Act, ...] = ()
    claims: tuple[Claim, ...] = ()
