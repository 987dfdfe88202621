"""What a worker still writes when its loop stands still and its time is over.

From the watchdog's thread, by its own connection. Each entry is fenced by its token, so
should the loop wake up and write the same, the second one changes nothing.
"""

import structlog
from redis import Redis

from imbi_worker.queue.claims import CLAIM, Claimer, parse_claim
from imbi_worker.queue.finishing import FINISH, Ending, Finisher
from imbi_worker.queue.in_hand import JobsInHand
from imbi_worker.queue.presence import Presence
from imbi_worker.queue.without_verdict import released

_LOG = structlog.get_logger("imbi_worker.queue")


class LastWords:
    """Writes what has ended, gives back what has not, and says goodbye."""

    def __init__(
        self,
        *,
        claimer: Claimer,
        finisher: Finisher,
        in_hand: JobsInHand,
        presence: Presence,
        queue: str,
    ) -> None:
        self._claimer = claimer
        self._finisher = finisher
        self._in_hand = in_hand
        self._presence = presence
        self._queue = queue

    def say(self, redis: Redis) -> None:
        """:raises redis.exceptions.RedisError: leases run out instead"""
        given_back = [*self._in_hand.unended(), *self._unheard(redis)]
        endings = [*self._finisher.unwritten, *given_back]
        if endings:
            FINISH.run_blocking(redis, [self._queue], self._finisher.arguments(endings))
        _LOG.warning(
            "drain.forced",
            jobs=len(given_back),
            released=" ".join(ending.id for ending in given_back),
            hint="an action did not let go of the event loop",
        )
        self._presence.leave_from_thread(redis)

    def _unheard(self, redis: Redis) -> list[Ending]:
        """What Redis has leased by a claim whose reply the loop has not read."""
        if not self._claimer.is_unheard:
            return []
        reply = CLAIM.run_blocking(redis, [self._queue], self._claimer.recalling())
        return [released(job) for job in parse_claim(reply).jobs]
