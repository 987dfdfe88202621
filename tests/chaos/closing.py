"""After the storm: work everything off with calm pods, read the books, replay every dead letter."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Final

from invariants import Picture, broken, look
from redis.asyncio import Redis

from chaos.verdict import Books, Ended
from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes
from imbi_worker.queue import replay

_STANDSTILL: Final = 30.0


async def until_worked_off(redis: Redis) -> bool:
    """Whether the queue became empty; False when it has stood still for 30 s."""
    fewest, moved = None, time.monotonic()
    while left := await redis.zcard(keys.QUEUE):
        if fewest is None or left < fewest:
            fewest, moved = left, time.monotonic()
        if time.monotonic() - moved > _STANDSTILL:
            return False
        await asyncio.sleep(0.1)
    return True


async def still_broken(redis: Redis) -> list[str]:
    """The invariants that do not hold; what is only under way is given a second."""
    problems = await broken(redis)
    end = time.monotonic() + 1
    while problems and time.monotonic() < end:
        await asyncio.sleep(0.1)
        problems = await broken(redis)
    return problems


async def read_books(redis: Redis) -> Books:
    picture = await look(redis)
    behind = time.time() - time.monotonic()
    outcomes = [
        (entry[b"job"].decode(), int(entry[b"run"]), entry[b"state"].decode())
        for _, entry in await redis.xrange(keys.OUTCOMES)
    ]
    return Books(_jobs(picture, behind), outcomes, list(_crashes(picture, behind)))


async def replay_all(redis: Redis) -> list[str]:
    """Every dead letter, once more, in a calm world; what does not succeed then."""
    client: Executes = redis
    dead = [job.decode() for job in await redis.zrange(keys.DEAD, 0, -1)]
    problems = []
    for job in dead:
        done = await replay(redis, queue=keys.QUEUE, job=job, actor="chaos", reason="the storm")
        if done.result != "replayed":
            problems.append(f"dead letter {job} could not be replayed: {done.result}")
    if not await until_worked_off(redis):
        problems.append("the replayed dead letters were not worked off")
    for job in dead:
        state = await client.execute_command("HGET", f"{keys.JOB}{job}", "state")
        if state != b"succeeded":
            problems.append(f"dead letter {job} was replayed and is {(state or b'gone').decode()}")
    return problems


def _jobs(picture: Picture, behind: float) -> dict[str, Ended]:
    return {
        job: Ended(
            state=facts["state"],
            run=int(facts["run"]),
            seq=int(facts["seq"]),
            lane=facts["lane"],
            ended=int(facts.get("ended", 0)) / 1000 - behind,
        )
        for job, facts in picture.jobs.items()
    }


def _crashes(picture: Picture, behind: float) -> Iterator[tuple[str, int, float, float]]:
    for job, facts in picture.jobs.items():
        for name, text in facts.items():
            record = json.loads(text) if name.startswith("attempt:") else {}
            if record.get("outcome") == "crashed":
                pid = int(record["worker"].rsplit("-", 2)[1])
                begun, noted = record["started"] / 1000, record["ended"] / 1000
                yield job, pid, begun - behind, noted - behind
