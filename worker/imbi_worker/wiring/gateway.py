"""The gateway's side of the queue: who signs, and what keeps its order."""

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis

from imbi_sdk.queue import ActionQueue, Signer
from imbi_sdk.queue.delivery import Lane, by_project, by_project_and_plugin, without_lane
from imbi_worker.settings import Settings, SettingsError

LANES: Final[Mapping[str, Lane]] = {
    "plugin": by_project_and_plugin,
    "project": by_project,
    "none": without_lane,
}


def signer(settings: Settings) -> Signer | None:
    """Who signs and verifies jobs; None only where unsigned jobs are accepted."""
    if settings.signing_keys:
        return Signer(settings.signing_keys)
    if settings.accept_unsigned:
        return None
    raise SettingsError(
        "IMBI_WORKER_SIGNING_KEY: is not set; give gateway and workers the same key, e.g. the"
        " output of `openssl rand -hex 32`"
    )


def action_queue(redis: Redis, settings: Settings) -> ActionQueue:
    """The gateway's side of the queue, as this process's settings describe it."""
    return ActionQueue(
        redis, signer=signer(settings), queue=settings.queue, lane=LANES[settings.lane]
    )
