"""The databases of one Redis: which are empty, and how one that was is emptied again."""

import re
from typing import Final

from imbi_sdk.queue import QueueError, QueueUnavailable
from imbi_worker.queue.inspection.asking import Client, Command, ask
from imbi_worker.queue.inspection.replies import number

_KEYSPACE: Final = re.compile(r"db(\d+)")
_CHUNK: Final = 1_000
_OURS: Final = ("imbi:*", "arq:*")
# What Redis has if it does not tell.
_USUAL: Final = 16


async def empty_databases(client: Client) -> list[int]:
    """The numbers of the databases that hold no key, the highest first."""
    (info,) = await ask(client, [("INFO", "keyspace")])
    used = {int(found[1]) for name in info if (found := _KEYSPACE.fullmatch(str(name)))}
    return [nth for nth in reversed(range(await _count(client))) if nth not in used]


async def _count(client: Client) -> int:
    try:
        (answer,) = await ask(client, [("CONFIG GET", "databases")])
    except QueueUnavailable:
        raise
    except QueueError:
        return _USUAL
    return number(answer.get("databases")) or _USUAL


async def remove_our_keys(client: Client) -> int:
    """Remove every key of ours from the database of *client*; how many there were."""
    removed = 0
    for pattern in _OURS:
        cursor = 0
        while True:
            command: Command = ("SCAN", cursor, "MATCH", pattern, "COUNT", _CHUNK)
            ((cursor, found),) = await ask(client, [command])
            if found:
                await ask(client, [("UNLINK", *found)])
                removed += len(found)
            if not int(cursor):
                break
    return removed
