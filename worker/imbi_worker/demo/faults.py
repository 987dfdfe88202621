"""Faults on demand: what a remote service may do to those who call it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from imbi_worker.demo.pulse import Pulse


class Fault(BaseModel):
    """What happens to the next requests that it fits.

    ``status`` answers with that status and, if given, ``Retry-After`` and
    ``Location``; ``hang`` keeps the request until `Faults.release`, then lets it
    pass. *times* is how many requests it takes, None for all from now on;
    *project_id* and *path* (the beginning of one) narrow down which.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["status", "hang"] = "status"
    status: int = Field(default=503, ge=300, le=599)
    retry_after: float | None = None
    location: str | None = None
    times: int | None = Field(default=1, ge=1)
    project_id: str | None = None
    path: str = "/"

    def fits(self, path: str, project_id: str | None) -> bool:
        """Whether a request for *path*, of this project if of any, is hit."""
        is_project = self.project_id is None or self.project_id == project_id
        return is_project and path.startswith(self.path)


class Faults:
    """The faults that are set; each request takes at most one, the oldest that fits."""

    def __init__(self) -> None:
        self._pending: list[tuple[Fault, int | None]] = []
        self._release = Pulse()

    def add(self, fault: Fault) -> None:
        self._pending.append((fault, fault.times))

    def take(self, path: str, project_id: str | None) -> Fault | None:
        """The fault that hits this request; it is used up by one."""
        for place, (fault, left) in enumerate(self._pending):
            if not fault.fits(path, project_id):
                continue
            if left is None:
                return fault
            if left == 1:
                del self._pending[place]
            else:
                self._pending[place] = (fault, left - 1)
            return fault
        return None

    async def released(self) -> None:
        """Wait for the next `release`."""
        await self._release.wait()

    def release(self) -> None:
        """Let every hanging request go on; later ones hang again."""
        self._release.beat()

    def clear(self) -> None:
        """Forget every fault and let every hanging request go on."""
        self._pending.clear()
        self.release()
