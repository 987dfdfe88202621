"""From how a worker stands to what its probes answer: pure.

*live* asks nobody: a Redis that is away must not restart the fleet. *ready* knows Redis by
the claim loop, which asks it at least every few seconds anyway.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from imbi_worker.probes.health import Check, Health
from imbi_worker.queue.vitals import Vitals

# A full worker claims each second, an idle one nearly so.
_LONGEST_SILENCE: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a worker was started with."""

    plugins: Collection[str]
    refused: Collection[str]
    key_is_usable: bool


def live(vitals: Vitals, *, now: float, stall: timedelta) -> Health:
    """Whether the worker turns; *now* is monotonic. Standing still for *stall* is the end."""
    loop = _turning("event loop", now - vitals.loop_turned, stall)
    if vitals.is_draining:
        return Health((loop, Check("claim loop", is_ok=True, detail="ended: the worker drains")))
    return Health((loop, _turning("claim loop", now - vitals.claims_turned, stall)))


def ready(vitals: Vitals, equipment: Equipment, *, now: datetime) -> Health:
    """Whether the worker can take and run jobs. The graph is reported and does not count."""
    return Health(
        (
            _plugins(equipment),
            _key(equipment),
            _redis(vitals, now),
            _graph(vitals),
            _drain(vitals),
        )
    )


def _turning(name: str, age_seconds: float, stall: timedelta) -> Check:
    if age_seconds <= stall.total_seconds():
        return Check(name, is_ok=True, detail="turns")
    return Check(name, is_ok=False, detail=f"has stood still for {age_seconds:.0f} s")


def _plugins(equipment: Equipment) -> Check:
    detail = f"{len(equipment.plugins)} loaded"
    if equipment.refused:
        detail += f", not loaded: {', '.join(sorted(equipment.refused))}"
    return Check("plugins", is_ok=bool(equipment.plugins), detail=detail)


def _key(equipment: Equipment) -> Check:
    detail = "usable" if equipment.key_is_usable else "cannot be used"
    return Check("encryption key", is_ok=equipment.key_is_usable, detail=detail)


def _redis(vitals: Vitals, now: datetime) -> Check:
    if vitals.claimed_at is None:
        return Check("Redis", is_ok=False, detail="has answered no claim yet")
    age = now - vitals.claimed_at
    is_ok = vitals.hears_redis and (vitals.is_draining or age <= _LONGEST_SILENCE)
    return Check("Redis", is_ok=is_ok, detail=f"answered a claim {age.total_seconds():.0f} s ago")


def _graph(vitals: Vitals) -> Check:
    detail = "answers, or was not asked" if vitals.graph_answers else "does not answer"
    return Check("graph", is_ok=vitals.graph_answers, detail=detail, counts=False)


def _drain(vitals: Vitals) -> Check:
    detail = "takes no more jobs" if vitals.is_draining else "none"
    return Check("drain", is_ok=not vitals.is_draining, detail=detail)
