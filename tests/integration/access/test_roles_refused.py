"""What no user of the file may do, and what each role may not."""

from pathlib import Path

import pytest
import redis as blocking
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from guard import TEXT, Guard
from imbi_sdk.queue.scripts import Executes
from imbi_worker.embedded import EmbeddedServerError, Valkey

FOR_NOBODY = (
    *("FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "SELECT 1", "SWAPDB 0 1"),
    *("CONFIG GET requirepass", "CONFIG SET maxmemory 1", "DEBUG SLEEP 0", "SHUTDOWN NOSAVE"),
    *("ACL LIST", "ACL SETUSER default on", "CLIENT LIST", "CLIENT KILL 1", "MONITOR", "SAVE"),
    *("SCRIPT FLUSH", "FUNCTION FLUSH", "MODULE LIST", "REPLICAOF no one", "SLOWLOG GET"),
    *("PUBLISH a b", "SUBSCRIBE a", "RENAME imbi:dead x", "DUMP imbi:dead", "MEMORY USAGE x"),
    *("GET other", "SET other 1", "DEL other", "HGETALL imbi-other", "ZADD arq:queue 1 x"),
    *("GET arq:other", "SET imbi:other 1", "EXPIRE imbi:layout 1", "SORT imbi:dead"),
)
FOR_ROLES = {
    # Bodies, results, dead letters, what others decided: none of a gateway's business.
    "imbi-gateway": (
        *("GET arq:job:x", "GET arq:result:x", "ZRANGE imbi:dead 0 -1", "ZCARD imbi:dead"),
        *("XRANGE imbi:outcomes - +", "XRANGE imbi:audit - +", "XADD imbi:audit * a b"),
        *("ZADD imbi:holds 1 queue", "HSET imbi:hold:queue kind pause", "ZRANGE imbi:holds 0 -1"),
        *("SET arq:in-progress:x w", "HGETALL imbi:worker:x", "ZADD imbi:workers 1 w", "INFO"),
        *("BLPOP imbi:wake 1", "LRANGE imbi:wake 0 -1"),
    ),
    # It runs what gateways give and operators allow; it reads what it may not write, no more.
    "imbi-worker": (
        *("XADD imbi:audit * a b", "XRANGE imbi:audit - +", "XRANGE imbi:outcomes - +"),
        *(
            "ZADD imbi:deliveries 1 d",
            "GET arq:result:x",
            "XREADGROUP GROUP g c STREAMS imbi:feed >",
        ),
        *("XGROUP CREATE imbi:feed g 0", "GET imbi:queue:health-check:x"),
    ),
    "imbi-viewer": (
        *(
            "EVAL return 0",
            "EVALSHA abc 0",
            "SET arq:job:x 1",
            "DEL arq:job:x",
            "HSET imbi:job:x a b",
        ),
        *("ZADD imbi:queue 1 x", "ZREM imbi:dead x", "XADD imbi:audit * a b", "XDEL imbi:audit 1"),
        *(
            "PERSIST arq:job:x",
            "GET arq:result:x",
            "XREAD COUNT 1 STREAMS imbi:feed 0",
            "INCR imbi:seq",
        ),
        *("RPUSH imbi:wake 1", "ZADD imbi:holds 1 queue", "SET imbi:layout 2"),
    ),
    "imbi-operator": (
        *(
            "GET arq:result:x",
            "HSET imbi:worker:x a b",
            "ZADD imbi:workers 1 w",
            "BLPOP imbi:wake 1",
        ),
        *("XREADGROUP GROUP g c STREAMS imbi:feed >", "XACK imbi:feed g 1", "SET imbi:janitor x"),
        *("HSET imbi:slugs a 1", "GET arq:in-progress:x"),
    ),
    "arq-client": (
        *("HGETALL imbi:job:x", "SET arq:result:x 1", "ZRANGE arq:abort 0 -1", "DEL arq:job:x"),
        *("EVAL return 0", "HGETALL imbi:event:x", "ZRANGE imbi:dead 0 -1", "INFO"),
    ),
    "arq-reader": (
        *("SET arq:job:x 1", "DEL arq:result:x", "ZADD imbi:queue 1 x", "HGETALL imbi:job:x"),
        *("HGETALL imbi:event:x", "ZRANGE imbi:dead 0 -1", "FLUSHALL", "KEYS *", "CONFIG GET *"),
        *("EVAL return 0", "ACL LIST", "ZADD arq:abort 1 x"),
    ),
}


@pytest.mark.parametrize("user", FOR_ROLES)
async def test_a_role_may_do_nothing_beside_its_work(guard: Guard, user: str) -> None:
    """Redis says so of each call, and not that it makes no sense."""
    allowed = []
    # Its SCAN shows names of keys, and nothing of what they hold.
    shared = FOR_NOBODY if user != "arq-reader" else ()
    async with guard.client(user) as client:
        executes: Executes = client
        for words in (*shared, *FOR_ROLES[user]):
            try:
                await executes.execute_command(*words.split(" "))
            except NoPermissionError:
                continue
            except ResponseError as error:
                allowed.append(f"{words}: {error}")
            else:
                allowed.append(words)
    assert allowed == []


@pytest.mark.parametrize("user", ["imbi-gateway", "imbi-worker", "imbi-operator"])
async def test_a_script_opens_no_door(guard: Guard, user: str) -> None:
    """What is refused outside is refused inside, whatever keys are declared."""
    guard.tell("SET", "other:secret", "canary")
    async with guard.client(user) as client:
        for call in ("'GET', 'other:secret'", "'SET', 'other:secret', '1'", "'FLUSHALL'"):
            with pytest.raises(ResponseError, match=r"ACL failure in script|can't"):
                await client.eval(f"return redis.call({call})", 0)  # type: ignore[misc]  # redis-py 5.3 types it for both kinds of client
    assert guard.tell("GET", "other:secret") == b"canary"


def test_who_gives_no_name_is_not_heard(guard: Guard) -> None:
    """The user `default` is shut: with its rights nobody would need a password."""
    with (
        blocking.Redis.from_url(guard.server.url) as nobody,
        pytest.raises(AuthenticationError, match="required"),
    ):
        nobody.ping()


def test_a_file_that_is_not_filled_in_starts_no_server(tmp_path: Path) -> None:
    """A place for a hash is no hash; the server says which line is wrong."""
    file = tmp_path / "users.acl"
    file.write_text(TEXT, encoding="utf-8")
    with pytest.raises(EmbeddedServerError, match="password hash must be exactly 64 characters"):
        Valkey(settings={"aclfile": str(file)}).start()
