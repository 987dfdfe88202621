"""The attempts of a history, and what could have cost a worker its lease."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from chaos.history import Line

_FOREVER: Final = float("inf")
# A shorter absence of Redis leaves time enough to renew, whenever it falls.
_SPARE: Final = 0.3


@dataclass(slots=True)
class Attempt:
    """One start of an action, up to its end or its worker's death."""

    job: str
    lane: str
    run: int
    number: int
    token: str
    pid: int
    at: float
    ended: float = _FOREVER
    how: str = ""

    @property
    def is_open(self) -> bool:
        return self.ended == _FOREVER


@dataclass(slots=True)
class Disturbances:
    """Spans of time in which something kept a worker, or all of them, from its leases."""

    lease: float
    deaths: dict[int, float] = field(default_factory=dict)
    drains: dict[int, float] = field(default_factory=dict)
    # Jobs that a forced exit gave back, each with the process.
    given_back: set[tuple[int, str]] = field(default_factory=set)
    of_pid: dict[int, list[tuple[str, float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    of_all: list[tuple[str, float, float]] = field(default_factory=list)
    # Spans whose acknowledged writes Redis has lost, which it may do with everysec only.
    undone: list[tuple[float, float]] = field(default_factory=list)

    def why_lost(self, pid: int, since: float, until: float) -> str | None:
        """What can have cost *pid* a lease that it held at *since* and no more at *until*."""
        death = self.deaths.get(pid, _FOREVER)
        if since - self.lease <= death <= until:
            return "death"
        # A lease that was lost by *until* was renewed for the last time a lease before, or
        # earlier: what kept it from that began two leases before *since* at the earliest.
        earliest = since - 2 * self.lease
        for what, begun, over in (*self.of_pid[pid], *self.of_all):
            if begun <= until and over >= earliest:
                return what
        return None

    def is_undone(self, since: float, until: float) -> bool:
        """Whether something that was written between these moments may be lost."""
        return any(begun <= until and over >= since for begun, over in self.undone)

    def is_drained(self, pid: int, at: float) -> bool:
        return self.drains.get(pid, _FOREVER) <= at


def disturbances(lines: Iterable[Line], *, lease: float) -> Disturbances:
    found = Disturbances(lease)
    away: list[float] = []
    for line in lines:
        match line.what:
            case "died" if line.how != "0":
                found.deaths[line.pid] = line.at
            case "drain":
                found.drains[line.pid] = line.at
            case "given back":
                found.given_back.add((line.pid, line.job))
            case "freeze" | "stall":
                # A freeze is noted as it begins, a stall when it is over.
                begun, over = sorted((line.at, line.until))
                found.of_pid[line.pid].append((line.what, begun, over))
            case "writes lost":
                found.undone.append((line.until, line.at))
            case "redis away":
                away.append(line.at)
            case "redis back":
                begun = away.pop()
                if line.at - begun >= lease * _SPARE:
                    found.of_all.append(("redis away", begun, line.at))
            case _:
                pass
    return found


def attempts(lines: Iterable[Line]) -> list[Attempt]:
    """In the order of their starts."""
    found: list[Attempt] = []
    by_mark: dict[str, Attempt] = {}
    by_pid: dict[int, list[Attempt]] = defaultdict(list)
    for line in lines:
        if line.what == "start":
            attempt = Attempt(
                line.job, line.lane, line.run, line.attempt, line.token, line.pid, line.at
            )
            found.append(attempt)
            by_mark[line.mark] = attempt
            by_pid[line.pid].append(attempt)
        elif line.what == "end":
            by_mark[line.mark].ended, by_mark[line.mark].how = line.at, line.how
        elif line.what == "died":
            for attempt in by_pid[line.pid]:
                if attempt.is_open:
                    attempt.ended, attempt.how = line.at, "died"
    return found
