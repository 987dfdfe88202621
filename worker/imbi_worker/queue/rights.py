"""What the user of a connection may not do, though its role needs it.

Inside a script Redis checks every call as the caller's own, and one that is refused there leaves
the writes before it behind: so ask first, then begin.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from redis.exceptions import NoPermissionError, ResponseError

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS
from imbi_worker.queue.connection import is_forbidden
from imbi_worker.queue.roles import QUEUE, WORKER, Role

_RIGHTS: Final = load_script("rights", SCRIPTS)
_SAMPLE: Final = f"{keys.JOB}sample"
# What asks for no more than to read, or to write, a key.
_READ, _WRITE = "get", "hset"
# Each call is whole: about one that lacks arguments Valkey 9.1.2 must not be asked, it crashes.
_FORMS: Final[Mapping[str, str]] = {
    "{}": "info ping time",
    "{} KEY": "del exists get hgetall incr mget persist strlen xlen zcard",
    "{} KEY 1": "blpop decrby hdel hexists hget hmget hstrlen incrby pexpire rpush set xdel zrank"
    " zrem zscan zscore",
    "{} KEY 1 1": "hincrby hset hsetnx psetex xack xrange xrevrange zadd zcount zrange"
    " zrangebyscore zremrangebyrank zrevrange",
    "{} KEY * 1 1": "xadd",
    "{} KEY 1 1 1 0": "xautoclaim",
    "{} STREAMS KEY 0": "xread",
    "{} GROUP 1 1 STREAMS KEY >": "xreadgroup",
    "xgroup create KEY 1 0": "xgroup|create",
    "xgroup delconsumer KEY 1 1": "xgroup|delconsumer",
    "xinfo consumers KEY 1": "xinfo|consumers",
}
FORMS: Final[Mapping[str, str]] = {
    command: form.replace("{}", command)
    for form, commands in _FORMS.items()
    for command in commands.split()
}
# Whoever gets an answer may run scripts.
SCRIPTING: Final = frozenset({"eval", "evalsha"})


class RightsMissing(NoPermissionError):  # noqa: N818 - reads as what it is at the call
    """The user of this connection may not do what its role does; ``rights`` are their names."""

    def __init__(self, role: Role, rights: Sequence[str]) -> None:
        super().__init__(f"the Redis user lacks rights of {role.user}: {', '.join(rights)}")
        self.rights = tuple(rights)


async def require_rights(client: Executes, *, queue: str, role: Role = WORKER) -> None:
    """Return if the user of *client* may do all that *role* does.

    :raises RightsMissing: naming what it may not
    :raises redis.exceptions.RedisError: Redis does not answer
    """
    missing = await missing_rights(client, role, queue=queue)
    if missing:
        raise RightsMissing(role, missing)


async def missing_rights(client: Executes, role: Role, *, queue: str) -> list[str]:
    """What *role* needs and the user of *client* lacks: commands, then keys to read and write.

    :raises redis.exceptions.RedisError: Redis does not answer
    """
    questions = list(_questions(role, queue))
    words = [part for _, call in questions for part in (len(call), *call)]
    try:
        refused: Sequence[int] = await _RIGHTS(client, [], words)
    except ResponseError as error:
        if is_forbidden(error):
            return sorted(SCRIPTING)
        raise
    lacking = [questions[place - 1][0] for place in refused]
    if {_READ, _WRITE} & set(lacking):
        # Nothing is known of the keys, then.
        return [name for name in lacking if name in role.commands]
    return lacking


def _questions(role: Role, queue: str) -> Iterator[tuple[str, list[str]]]:
    """Rights by name, each with a call that needs it."""
    for command in sorted(role.commands - SCRIPTING):
        yield command, call(FORMS[command], _SAMPLE)
    for pattern, access in sorted(role.keys.items()):
        name = pattern.replace(QUEUE, queue)
        sample = name.replace("*", "sample")
        if "r" in access:
            yield f"read {name}", call(FORMS[_READ], sample)
        if "w" in access:
            yield f"write {name}", call(FORMS[_WRITE], sample)


def call(form: str, key: str) -> list[str]:
    """The words of a call by its *form*, of one *key*."""
    return [key if word == "KEY" else word for word in form.split()]
