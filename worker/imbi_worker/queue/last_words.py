"""What a worker still writes when its loop stands still and its time is over.

From the watchdog's thread, by its own connection. Each entry is fenced by its token, so
should the loop wake up and write the same, the second one changes nothing.
"""

import structlog
from redis import Redis
from redis.exceptions import NoScriptError

from imbi_worker.queue.finishing import FINISH, Ending, Finisher
from imbi_worker.queue.in_hand import JobsInHand
from imbi_worker.queue.presence import Presence

_LOG = structlog.get_logger("imbi_worker.queue")


class LastWords:
    """Writes what has ended, gives back what has not, and says goodbye."""

    def __init__(
        self, finisher: Finisher, in_hand: JobsInHand, presence: Presence, *, queue: str
    ) -> None:
        self._finisher = finisher
        self._in_hand = in_hand
        self._presence = presence
        self._queue = queue

    def say(self, redis: Redis) -> None:
        """:raises redis.exceptions.RedisError: leases run out instead"""
        given_back = self._in_hand.unended()
        endings = [*self._finisher.unwritten, *given_back]
        if endings:
            self._finish(redis, endings)
        _LOG.warning(
            "drain.forced",
            jobs=len(given_back),
            released=" ".join(ending.id for ending in given_back),
            hint="an action did not let go of the event loop",
        )
        self._presence.leave_from_thread(redis)

    def _finish(self, redis: Redis, endings: list[Ending]) -> None:
        arguments = self._finisher.arguments(endings)
        try:
            redis.evalsha(FINISH.sha, 1, self._queue, *arguments)
        except NoScriptError:
            redis.eval(FINISH.source, 1, self._queue, *arguments)
