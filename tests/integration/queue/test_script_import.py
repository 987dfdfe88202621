"""import.lua: dead letters from elsewhere."""

from dataclasses import replace

from desk import Desk
from invariants import broken

from imbi_sdk.queue import keys
from imbi_worker.queue.control import Mandate
from imbi_worker.queue.imports import FACTS, Imported, Letter, bring_back
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.letters import whole_letters
from imbi_worker.queue.janitor import Retention

BY = Mandate("tester", "moved")
KEPT = Retention()


async def dead(desk: Desk, count: int) -> list[Letter]:
    """As many dead letters of one delivery, as they would be imported; Redis is empty after it."""
    jobs = await desk.jobs(count)
    for job in (await desk.claim()).jobs:
        await desk.bury(job)
    found = [
        Letter(
            id=one.view.id,
            delivery=one.view.delivery,
            digest=one.digest,
            event=one.event or b"",
            body=one.body,
            run=one.view.run,
            facts={name: one.facts[name] for name in FACTS if name in one.facts},
        )
        async for one in whole_letters(Inspection(desk.redis), jobs)
    ]
    assert len(found) == count
    await desk.redis.flushdb()
    return found


async def bring(
    desk: Desk, letters: list[Letter], retention: Retention = KEPT, by: Mandate = BY
) -> list[str]:
    done: list[Imported] = await bring_back(
        desk.redis, letters, by, queue=keys.QUEUE, scope="test", retention=retention
    )
    assert await broken(desk.redis) == []
    return [one.result for one in done]


async def test_letters_of_one_delivery_share_its_event(desk: Desk) -> None:
    """It is stored once, weighs once, and goes with the last of them."""
    letters = await dead(desk, 3)
    without = [letters[0], *(replace(one, event=b"") for one in letters[1:])]
    assert await bring(desk, without) == ["imported"] * 3
    assert await desk.events() == 1
    weight = sum(len(one.body) for one in letters) + len(letters[0].event)
    assert int(await desk.redis.get(keys.DEAD_BYTES) or 0) == weight
    for letter in letters:
        await desk.replay(letter.id)
        await desk.succeed(await desk.claim_one())
    assert await desk.events() == 0


async def test_a_letter_without_any_event_could_never_run(desk: Desk) -> None:
    """It stays outside, whatever comes with it."""
    first, second = await dead(desk, 2)
    found = await bring(desk, [replace(first, event=b""), second, replace(first, event=b"")])
    assert found == ["event gone", "imported", "imported"]


async def test_the_same_letter_twice_comes_once(desk: Desk) -> None:
    """In one call as in two."""
    (letter,) = await dead(desk, 1)
    assert await bring(desk, [letter, letter]) == ["imported", "known"]
    assert await bring(desk, [letter]) == ["known"]
    assert await desk.redis.zcard(keys.DEAD) == 1


async def test_nothing_comes_that_would_be_trimmed_at_once(desk: Desk) -> None:
    """By count or by bytes; nor does it push others out."""
    letters = await dead(desk, 3)
    assert await bring(desk, letters, Retention(count=2)) == ["imported", "imported", "no room"]
    size = int(await desk.redis.get(keys.DEAD_BYTES) or 0)
    assert await bring(desk, letters, Retention(size_bytes=size)) == ["known", "known", "no room"]
    assert await bring(desk, letters) == ["known", "known", "imported"]


async def test_a_look_writes_nothing(desk: Desk) -> None:
    """And says what would be."""
    letters = await dead(desk, 2)
    look = Mandate("tester", "", looks_only=True)
    assert await bring(desk, [*letters, letters[0]], by=look) == ["imported", "imported", "known"]
    assert await desk.redis.zcard(keys.DEAD) == 0
    assert await desk.redis.exists(keys.AUDIT) == 0
