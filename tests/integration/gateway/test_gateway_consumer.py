"""Reading the feed: at least once, resumable, and bounded when nobody reads."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from gateway import SOON, Gateway, a_rule, an_event
from redis.asyncio import Redis

from imbi_sdk.queue import (
    OutcomeConsumer,
    OutcomeRecord,
    QueueError,
    QueueUnavailable,
    keys,
)
from imbi_sdk.queue.scripts import Executes
from imbi_worker.embedded import Valkey
from integration.queue.desk import Desk
from waiting import until

NO_TIME = timedelta(0)


async def end_deliveries(gateway: Gateway, desk: Desk, *names: str, size: int = 0) -> None:
    for name in names:
        event = an_event(name, padding="x" * size)
        await gateway.hand_over(row=f"row-of-{name}", event=event)
    while jobs := (await desk.claim()).jobs:
        for job in jobs:
            await desk.succeed(job)


def deliveries(records: Sequence[OutcomeRecord]) -> list[str]:
    return [record.delivery for record in records]


async def test_what_is_not_acknowledged_comes_again(gateway: Gateway, desk: Desk) -> None:
    """To the consumer that read it, before anything new, until it is acknowledged."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1", "d-2")
    first = await gateway.read()
    await end_deliveries(gateway, desk, "d-3")
    assert deliveries(first) == ["d-1", "d-2"]
    assert deliveries(await gateway.read()) == ["d-1", "d-2", "d-3"]
    await gateway.consumer().acknowledge(first)
    assert deliveries(await gateway.read()) == ["d-3"]


async def test_a_restart_under_the_same_name_goes_on_where_it_was(
    gateway: Gateway, desk: Desk
) -> None:
    """What the process held when it died is the first it reads."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1")
    assert deliveries(await gateway.read()) == ["d-1"]
    del gateway.consumers["c-1"]
    assert deliveries(await gateway.told()) == ["d-1"]
    assert await gateway.read() == []


async def test_what_a_dead_consumer_held_goes_to_another(gateway: Gateway, desk: Desk) -> None:
    """Once it has been silent for long enough, and not before."""
    await gateway.consumer("dead").register()
    await end_deliveries(gateway, desk, "d-1")
    assert deliveries(await gateway.read("dead")) == ["d-1"]
    assert await gateway.read("patient") == []
    gateway.consumer("heir", idle=NO_TIME)
    assert deliveries(await gateway.told("heir")) == ["d-1"]
    assert await gateway.read("dead") == []


async def test_two_consumers_share_the_work(gateway: Gateway, desk: Desk) -> None:
    """No record goes to both."""
    await gateway.consumer("c-1", batch=2).register()
    gateway.consumer("c-2", batch=2)
    await end_deliveries(gateway, desk, "d-1", "d-2", "d-3")
    assert deliveries(await gateway.told("c-1")) == ["d-1", "d-2"]
    assert deliveries(await gateway.told("c-2")) == ["d-3"]


async def test_an_acknowledgement_may_be_repeated(gateway: Gateway, desk: Desk) -> None:
    """A lost reply costs nothing, and takes no event of others."""
    await gateway.consumer().register()
    await gateway.hand_over(row="r-1", project="p-1")
    await gateway.hand_over(row="r-2", project="p-2")
    await end_deliveries(gateway, desk)
    records = await gateway.read()
    for _ in range(3):
        await gateway.consumer().acknowledge(records[:1])
    assert await gateway.stored_events() == 1
    assert len(await gateway.read()) == 1


async def test_a_batch_is_bounded_by_its_bytes(
    gateway: Gateway, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest comes with the next reading; a single record is never too large."""
    monkeypatch.setattr("imbi_sdk.queue.consumer._BATCH_BYTES", 3_000)
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1", "d-2", "d-3", size=1_000)
    await end_deliveries(gateway, desk, "d-4", size=10_000)
    assert deliveries(await gateway.told()) == ["d-1", "d-2"]
    assert deliveries(await gateway.told()) == ["d-3"]
    assert deliveries(await gateway.told()) == ["d-4"]


async def test_reading_waits_for_the_next_record(gateway: Gateway, desk: Desk) -> None:
    """Without asking again and again."""
    await gateway.consumer().register()
    reading = asyncio.create_task(gateway.consumer().read(block=timedelta(seconds=3)))
    await end_deliveries(gateway, desk, "d-1")
    assert deliveries(await reading) == ["d-1"]


async def test_run_hands_over_and_acknowledges(gateway: Gateway, desk: Desk) -> None:
    """Until cancelled; what was handed over has left Redis."""
    seen: list[str] = []

    async def write(records: Sequence[OutcomeRecord]) -> None:
        seen.extend(deliveries(records))

    await gateway.consumer().register()
    running = asyncio.create_task(gateway.consumer().run(write))
    await end_deliveries(gateway, desk, "d-1", "d-2")

    async def is_empty() -> bool:
        return int(await desk.redis.xlen(keys.FEED)) == 0

    await until(is_empty)
    running.cancel()
    assert sorted(seen) == ["d-1", "d-2"]


async def test_one_record_that_cannot_be_written_keeps_no_other_back(
    gateway: Gateway, desk: Desk, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    """It comes again; the log names the delivery, and nothing of what the store said."""
    written: list[str] = []

    async def write(records: Sequence[OutcomeRecord]) -> None:
        if "d-2" in deliveries(records):
            raise ValueError(canary)
        written.extend(deliveries(records))

    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1", "d-2", "d-3")
    running = asyncio.create_task(gateway.consumer().run(write))
    await until(lambda: len(written) == 2)
    await until(lambda: len(caplog.records) > 1)
    running.cancel()
    assert sorted(written) == ["d-1", "d-3"]
    assert deliveries(await gateway.read()) == ["d-2"]
    assert "d-2" in caplog.text
    assert "ValueError" in caplog.text
    assert canary not in caplog.text


async def test_a_store_that_is_away_for_a_moment_loses_nothing(
    gateway: Gateway, desk: Desk
) -> None:
    """The record comes again after a pause."""
    tries: list[int] = []

    async def write(records: Sequence[OutcomeRecord]) -> None:
        tries.append(len(records))
        if len(tries) == 1:
            raise ConnectionError

    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1")
    running = asyncio.create_task(gateway.consumer().run(write))
    await until(lambda: len(tries) == 2)
    running.cancel()
    assert tries == [1, 1]


async def test_to_register_again_changes_nothing(gateway: Gateway, desk: Desk) -> None:
    """Nobody's records are lost by it."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1")
    await gateway.consumer("c-2").register()
    await gateway.consumer().register()
    assert deliveries(await gateway.told()) == ["d-1"]


async def test_a_feed_that_was_deleted_begins_anew(gateway: Gateway, desk: Desk) -> None:
    """A Redis that came back empty stops no gateway."""
    await gateway.consumer().register()
    await desk.redis.flushdb()
    assert await gateway.read() == []
    await end_deliveries(gateway, desk, "d-1")
    assert deliveries(await gateway.told()) == ["d-1"]


async def test_a_record_that_is_none_stands_in_nobodys_way(
    gateway: Gateway, desk: Desk, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    """Somebody else's producer wrote nonsense: it is named and dropped, the next one is told."""
    await gateway.consumer().register()
    await gateway.hand_over(event=an_event("bad"))
    await gateway.hand_over(event=an_event("good"), row="row-2")
    digest = next(name for name in await desk.facts(f"{keys.EVENT}bad"))
    rows = [{"id": "row-1", "facts": canary, "digest": digest, "jobs": ["j"]}]
    await desk.note(f"{keys.DELIVERY}bad", **{"rows:p-1": json.dumps(rows)})
    await end_deliveries(gateway, desk)
    assert deliveries(await gateway.told()) == ["good"]
    assert await gateway.stored_events() == 0
    assert "delivery bad" in caplog.text
    assert canary not in caplog.text


async def test_to_unregister_gives_everything_back(gateway: Gateway, desk: Desk) -> None:
    """Records that wait, events of rules that still run, and the keys of the feed."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1", "d-2")
    await gateway.hand_over(row="open", event=an_event("d-open"))
    assert await gateway.consumer().unregister() == 2
    assert await gateway.stored_events() == 1
    await end_deliveries(gateway, desk)
    assert await gateway.stored_events() == 0
    assert not await desk.redis.exists(keys.FEED, keys.FEED_BYTES)


async def feed_limits(redis: Redis, *, records: int = 10_000) -> None:
    """As if so many records waited already."""
    async with redis.pipeline(transaction=False) as pipe:
        for number in range(records):
            fields: dict[Any, Any] = {"delivery": "old", "project": str(number)}
            fields |= {"version": "1", "digests": "", "bytes": "0"}
            pipe.xadd(keys.FEED, fields)
        await pipe.execute()


async def test_a_consumer_that_never_comes_back_costs_a_bounded_number(
    gateway: Gateway, desk: Desk
) -> None:
    """The oldest records go, are counted, and take their events along."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "first")
    await feed_limits(desk.redis)
    await end_deliveries(gateway, desk, "last")
    assert await desk.redis.xlen(keys.FEED) == 10_000
    assert await desk.counter("unrecorded") == 2
    assert await gateway.stored_events() == 1


async def test_a_consumer_that_never_comes_back_costs_bounded_bytes(
    gateway: Gateway, desk: Desk
) -> None:
    """256 MiB of events, whatever the number of records."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "first")
    await desk.redis.incrby(keys.FEED_BYTES, 256 * 1024 * 1024)
    await end_deliveries(gateway, desk, "last")
    assert await gateway.read() == []
    assert await gateway.stored_events() == 0
    assert await desk.counter("unrecorded") == 2


async def test_a_record_that_was_given_up_while_somebody_held_it_is_passed_over(
    gateway: Gateway, desk: Desk
) -> None:
    """Its late acknowledgement changes nothing."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "first")
    held = await gateway.read()
    await feed_limits(desk.redis)
    await end_deliveries(gateway, desk, "last")
    await gateway.consumer().acknowledge(held)
    await gateway.consumer("c-2", batch=20_000).read(block=SOON)
    assert "first" not in deliveries(await gateway.read())
    assert await desk.redis.exists(f"{keys.EVENT}first") == 0


async def test_a_client_that_decodes_reads_as_well(
    gateway: Gateway, desk: Desk, redis_url: str
) -> None:
    """A gateway has the client it has, and either protocol."""
    await gateway.consumer().register()
    await end_deliveries(gateway, desk, "d-1")
    for options in ({"decode_responses": True}, {"protocol": 3}):
        async with Redis.from_url(redis_url, **options) as client:
            reader = OutcomeConsumer(client, name="c-1")
            await reader.register()
            (record,) = await reader.read(block=SOON)
            assert record.event_context()["payload"] == {"padding": ""}
            assert record.row()["metadata"]["handlers"]


async def test_a_full_redis_can_still_be_read_empty(valkey: Valkey) -> None:
    """Reading and acknowledging is what frees it."""
    async with Redis.from_url(valkey.url) as redis:
        gateway, desk = Gateway(redis), Desk(redis)
        await gateway.consumer().register()
        await end_deliveries(gateway, desk, "d-1", "d-2", size=10_000)
        await redis.config_set("maxmemory", 1)
        assert deliveries(await gateway.told()) == ["d-1", "d-2"]
        assert await gateway.stored_events() == 0
        await redis.config_set("maxmemory", 0)


async def test_when_redis_is_away_the_errors_say_so(valkey: Valkey) -> None:
    """The same types as when enqueueing; ``run`` waits and goes on."""
    valkey.kill()
    async with Redis.from_url(valkey.url) as client:
        with pytest.raises(QueueUnavailable):
            await OutcomeConsumer(client, name="c-1").read()


async def test_when_redis_refuses_the_errors_say_so(gateway: Gateway, desk: Desk) -> None:
    """A key of another kind is none of ours to delete."""
    await desk.redis.set(keys.FEED, "text")
    with pytest.raises(QueueError, match="WRONGTYPE"):
        await gateway.read()
    await desk.redis.delete(keys.FEED)


async def test_no_ciphertext_stands_in_redis(gateway: Gateway, desk: Desk, canary: str) -> None:
    """Neither under a key nor in one, before and after the rules have run."""
    await gateway.consumer().register()
    plugins = {"github": {"id": "pl-1", "plugin_configuration": canary, canary: canary}}
    await gateway.hand_over(a_rule("github#sync"), plugins=plugins)
    assert await desk.redis.keys("*")
    assert canary not in await everything(desk.redis)
    await end_deliveries(gateway, desk)
    assert canary not in await everything(desk.redis)


async def everything(redis: Redis) -> str:
    """Every key with its whole value, as text."""
    texts: list[Any] = []
    for key in await redis.keys("*"):
        dumped = await redis.dump(key)
        kind = (await redis.type(key)).decode()
        texts += [key, dumped, await _value(redis, kind, key)]
    return repr(texts)


async def _value(client: Executes, kind: str, key: bytes) -> Any:
    words: dict[str, tuple[Any, ...]] = {
        "string": ("GET", key),
        "hash": ("HGETALL", key),
        "zset": ("ZRANGE", key, 0, -1),
        "list": ("LRANGE", key, 0, -1),
        "stream": ("XRANGE", key, "-", "+"),
    }
    return await client.execute_command(*words[kind])
