"""Faults on demand: what a remote service may do to those who call it."""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from imbi_worker.demo.pulse import Pulse


class Fault(BaseModel):
    """What happens to the next requests that it fits.

    ======  ==========================================================================
    status  answers with that status and, if given, ``Retry-After`` and ``Location``
    html    answers 200 with a web page
    hang    keeps the request until `Faults.release`, then lets it pass
    cut     lets the request pass, and closes the connection in the midst of the answer
    slow    lets it pass, and sends a byte of the answer every *seconds*
    ======  ==========================================================================

    *times* is how many requests it takes, None for all from now on; *share* which
    part of those that fit, drawn with *seed*. *project_id*, *method* and *path* (the
    beginning of one) narrow down which.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["status", "html", "hang", "cut", "slow"] = "status"
    status: int = Field(default=503, ge=300, le=599)
    retry_after: float | None = None
    location: str | None = None
    seconds: float = Field(default=1.0, gt=0)
    times: int | None = Field(default=1, ge=1)
    share: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    project_id: str | None = None
    method: str | None = None
    path: str = "/"

    def fits(self, method: str, path: str, project_id: str | None) -> bool:
        """Whether such a request, of this project if of any, is hit."""
        is_project = self.project_id is None or self.project_id == project_id
        return is_project and self.method in {None, method} and path.startswith(self.path)


@dataclass(slots=True)
class _Pending:
    fault: Fault
    left: int | None
    chance: Random = field(repr=False)

    def strikes(self) -> bool:
        share = self.fault.share
        return share == 1 or self.chance.random() < share


class Faults:
    """The faults that are set; each request takes at most one, the oldest that fits."""

    def __init__(self) -> None:
        self._pending: list[_Pending] = []
        self._release = Pulse()

    def add(self, fault: Fault) -> None:
        self._pending.append(_Pending(fault, fault.times, Random(fault.seed)))  # noqa: S311 - a play

    def take(self, method: str, path: str, project_id: str | None) -> Fault | None:
        """The fault that hits this request; it is used up by one."""
        for place, pending in enumerate(self._pending):
            if not (pending.fault.fits(method, path, project_id) and pending.strikes()):
                continue
            if pending.left == 1:
                del self._pending[place]
            elif pending.left is not None:
                pending.left -= 1
            return pending.fault
        return None

    async def released(self) -> None:
        """Wait for the next `release`."""
        await self._release.wait()

    def release(self) -> None:
        """Let every hanging request go on; later ones hang again."""
        self._release.beat()

    def remove(self, fault: Fault) -> None:
        """Forget this one and let every hanging request go on."""
        self._pending = [pending for pending in self._pending if pending.fault is not fault]
        self.release()

    def clear(self) -> None:
        """Forget every fault and let every hanging request go on."""
        self._pending.clear()
        self.release()
