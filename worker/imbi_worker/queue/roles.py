"""What each role does in Redis: its commands, and the keys it reads and writes.

``deploy/redis/users.acl`` gives these rights, and no others, to the user of each role. Tests hold
that file, the table in ``docs/keys.md`` and every call of every script to this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Access: TypeAlias = Literal["r", "w", "rw"]

# Stands for the queue's name in a pattern.
QUEUE: Final = "<queue>"


@dataclass(frozen=True, slots=True)
class Role:
    """Commands in lower case, ``xgroup|create`` for a part of one; patterns of keys with access."""

    user: str
    commands: frozenset[str]
    keys: Mapping[str, Access]

    def including(self, other: "Role") -> "Role":
        """This role with what *other* may as well."""
        joined = dict(self.keys)
        for pattern, access in other.keys.items():
            joined[pattern] = _both(joined.get(pattern, access), access)
        return Role(self.user, self.commands | other.commands, joined)


def _both(one: Access, other: Access) -> Access:
    return one if one == other else "rw"


def _named(commands: str) -> frozenset[str]:
    return frozenset(commands.split())


# Whoever runs a script needs them: the layout, the lanes, deliveries and their feed.
_SCRIPTS: Final = Role(
    "",
    _named(
        "eval evalsha ping time decrby del exists get hdel hexists hget hincrby hmget hset hsetnx"
        " hstrlen incr incrby mget persist pexpire rpush set strlen xadd xdel xlen xrange zadd"
        " zrange zrem"
    ),
    {
        # KEYS[1] of every script, which Redis takes for read and written.
        QUEUE: "rw",
        "imbi:layout": "rw",
        "imbi:seq": "rw",
        "imbi:job:*": "rw",
        "imbi:delivery:*": "rw",
        "imbi:event:*": "rw",
        "imbi:lane:*": "rw",
        "imbi:lane-moved:*": "rw",
        "imbi:dead": "w",
        "imbi:dead-bytes": "rw",
        "imbi:feed": "rw",
        "imbi:feed-bytes": "rw",
        "imbi:counters": "rw",
        "imbi:wake": "w",
        "arq:job:*": "w",
        "arq:result:*": "w",
        "arq:abort": "w",
    },
)
GATEWAY: Final = Role(
    "imbi-gateway",
    _named(
        "hgetall xack xautoclaim xgroup|create xgroup|delconsumer xinfo|consumers xreadgroup"
        " zremrangebyrank"
    ),
    {"imbi:deliveries": "w"},
).including(_SCRIPTS)
# What ends a job, gives it back or holds it: the worker's scripts and the operator's.
_ENDS: Final = Role(
    "",
    _named("zcard zrangebyscore zscore"),
    {
        "arq:in-progress:*": "w",
        "arq:retry:*": "w",
        "arq:abort": "rw",
        "imbi:holds": "rw",
        "imbi:hold:*": "rw",
        "imbi:parked:*": "rw",
        "imbi:outcomes": "w",
        "imbi:served": "w",
    },
).including(_SCRIPTS)
WORKER: Final = Role(
    "imbi-worker",
    # With what its metrics and `check` ask.
    _named("blpop hgetall info psetex zcount zscan"),
    {
        f"{QUEUE}:health-check:*": "w",
        "arq:job:*": "rw",
        "imbi:dead": "rw",
        "imbi:janitor": "w",
        "imbi:served": "rw",
        "imbi:slugs": "rw",
        "imbi:wake": "rw",
        "imbi:worker:*": "rw",
        "imbi:workers": "rw",
    },
).including(_ENDS)
VIEWER: Final = Role(
    "imbi-viewer",
    _named(
        "get hexists hget hgetall hmget info ping strlen time xlen xread xrevrange zcard zcount"
        " zrange zrangebyscore zrank zrevrange zscore"
    ),
    {
        QUEUE: "r",
        "arq:job:*": "r",
        "imbi:audit": "r",
        "imbi:counters": "r",
        "imbi:dead": "r",
        "imbi:dead-bytes": "r",
        "imbi:deliveries": "r",
        "imbi:delivery:*": "r",
        "imbi:event:*": "r",
        "imbi:hold:*": "r",
        "imbi:holds": "r",
        "imbi:job:*": "r",
        "imbi:lane-moved:*": "r",
        "imbi:lane:*": "r",
        "imbi:layout": "r",
        "imbi:outcomes": "r",
        "imbi:parked:*": "r",
        "imbi:slugs": "r",
        "imbi:worker:*": "r",
        "imbi:workers": "r",
    },
)
OPERATOR: Final = (
    Role(
        "imbi-operator",
        _named("zremrangebyrank"),
        {"imbi:audit": "w", "imbi:deliveries": "w"},
    )
    .including(_ENDS)
    .including(VIEWER)
)
ROLES: Final = (GATEWAY, WORKER, VIEWER, OPERATOR)
