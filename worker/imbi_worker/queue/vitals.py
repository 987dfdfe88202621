"""How a worker stands at one moment: what probes and gauges read, from any thread."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Vitals:
    """*loop_turned* and *claims_turned* are monotonic seconds.

    The claim loop turns while Redis is away, too, and ends with the drain. *claimed_at* is
    when Redis last answered a claim, *hears_redis* whether it answered the last one.
    """

    loop_turned: float
    claims_turned: float
    claimed_at: datetime | None
    hears_redis: bool
    is_draining: bool
    graph_answers: bool
    running: int
    slots: int
