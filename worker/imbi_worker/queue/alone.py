"""A job with two crashes behind it runs alone: the next one then tells whether it is the cause."""

from typing import Any

import structlog
from redis.exceptions import RedisError

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS, ClaimedJob

_ALONE = load_script("alone", SCRIPTS)
_LOG = structlog.get_logger("imbi_worker.queue")


async def note_alone(redis: Executes, queue: str, claimed: ClaimedJob) -> None:
    """Tell Redis, before the action begins, that nothing else runs on this worker."""
    arguments: list[Any] = [keys.LAYOUT, claimed.id, claimed.token]
    try:
        await _ALONE(redis, [queue], arguments)
    except (RedisError, OSError):
        # Unmarked, a crash is counted as one in company: once more, never once too few.
        _LOG.warning("job.alone_not_noted", job_id=claimed.id)
