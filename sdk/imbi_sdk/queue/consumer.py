"""The gateway's end of the activity feed: records in batches, each until it is acknowledged."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from redis.exceptions import ReadOnlyError, RedisError

from imbi_sdk.queue import keys
from imbi_sdk.queue.errors import QueueError, QueueUnavailable
from imbi_sdk.queue.outcomes import Entry, OutcomeRecord, records_of
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_sdk.queue.unreachable import AWAY, DEMOTED, leave_demoted, reason

Handle: TypeAlias = Callable[[Sequence[OutcomeRecord]], Awaitable[None]]

_ACKNOWLEDGE = load_script("acknowledge")
_RECORDS = load_script("records")
_LOG = logging.getLogger("imbi_sdk.queue")
_BATCH_BYTES: Final = 64 * 1024 * 1024
_LONGEST_PAUSE: Final = 60.0
_FORGOTTEN_AFTER_MS: Final = 86_400_000


class OutcomeConsumer:
    """Reads the activity feed under a *name* of its own; several share the work.

    At least once: a record comes again until it is acknowledged, first to the consumer that
    read it, to another one when that has been silent for *idle*. The same name after a
    restart goes on where it was; so use the pod's, not a random one.

    The feed begins when the first consumer registers, and what ends before is not told.
    """

    def __init__(
        self,
        redis: Executes,
        *,
        name: str,
        batch: int = 100,
        idle: timedelta = timedelta(minutes=1),
        queue: str = keys.QUEUE,
    ) -> None:
        """*redis* is as for `ActionQueue`; a *batch* also ends at 64 MiB of events."""
        self._redis = redis
        self._name = name
        self._batch = batch
        self._idle_ms = _milliseconds(idle)
        self._queue = queue

    async def register(self) -> None:
        """Begin the feed, if nobody has. Repeatable; `read` and `run` do it when need be.

        Names that were not heard of for a day, and hold no record, are forgotten on the way.

        :raises QueueUnavailable: Redis does not answer
        :raises QueueError: Redis refused
        """
        try:
            # From the very first record, should the group be lost and the stream not.
            await self._ask("XGROUP", "CREATE", keys.FEED, keys.FEED_GROUP, "0", "MKSTREAM")
        except QueueError as error:
            if "BUSYGROUP" not in str(error):
                raise
        for one in await self._ask("XINFO CONSUMERS", keys.FEED, keys.FEED_GROUP):
            facts = {_text(name): value for name, value in one.items()}
            if not facts["pending"] and facts["idle"] > _FORGOTTEN_AFTER_MS:
                await self._ask(
                    "XGROUP", "DELCONSUMER", keys.FEED, keys.FEED_GROUP, _text(facts["name"])
                )

    async def unregister(self) -> int:
        """End the feed for all consumers; says how many records nobody will read.

        To be called when the gateway writes its activity rows itself again, and for a
        consumer that will not come back.

        :raises QueueUnavailable: Redis does not answer
        :raises QueueError: Redis refused
        """
        dropped = 0
        while entries := await self._ask("XRANGE", keys.FEED, "-", "+", "COUNT", 1_000):
            dropped += await self._drop([_text(entry[0]) for entry in entries])
        await self._ask("DEL", keys.FEED, keys.FEED_BYTES)
        return dropped

    async def read(self, *, block: timedelta = timedelta(seconds=1)) -> list[OutcomeRecord]:
        """The next records: those read before and not acknowledged, then new ones.

        Waits at most for *block*, which must stay below the client's socket timeout;
        an empty list says that nothing has ended.

        :raises QueueUnavailable: Redis does not answer
        :raises QueueError: Redis refused
        """
        entries = await self._claimed()
        if len(entries) < self._batch:
            wait = () if entries else ("BLOCK", max(_milliseconds(block), 1))
            entries += await self._read(">", self._batch - len(entries), *wait)
        return await self._records(entries) if entries else []

    async def acknowledge(self, records: Sequence[OutcomeRecord]) -> None:
        """The rows of *records* are written: forget them, and events nobody else needs.

        Records of one delivery may share an ``entry``: acknowledge these together.

        :raises QueueUnavailable: Redis does not answer; the records come again
        :raises QueueError: Redis refused
        """
        await self._drop(list(dict.fromkeys(record.entry for record in records)))

    async def run(self, handle: Handle) -> None:
        """Hand batches to *handle* until cancelled, and acknowledge what it returns from.

        When it raises, the records come one entry at a time, so that one that cannot be
        written keeps no other back; then again after a pause of up to a minute.
        """
        pause = 0.0
        while True:
            try:
                records = await self.read()
                is_done = not records or await self._hand_over(records, handle)
            except QueueError as error:
                _LOG.warning("the activity feed cannot be read: %s", error)
                is_done = False
            pause = 0.0 if is_done else min(pause * 2 or 1.0, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _hand_over(self, records: Sequence[OutcomeRecord], handle: Handle) -> bool:
        if await self._is_handled(records, handle):
            return True
        by_entry: dict[str, list[OutcomeRecord]] = {}
        for record in records:
            by_entry.setdefault(record.entry, []).append(record)
        if len(by_entry) == 1:
            return False
        return all([await self._is_handled(group, handle) for group in by_entry.values()])

    async def _is_handled(self, records: Sequence[OutcomeRecord], handle: Handle) -> bool:
        try:
            await handle(records)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, the record comes again
            deliveries = sorted({record.delivery for record in records})[:5]
            _LOG.warning(
                "%d activity records were not written (%s), deliveries %s",
                len(records),
                type(error).__name__,
                deliveries,
            )
            return False
        await self.acknowledge(records)
        return True

    async def _claimed(self) -> list[Entry]:
        """What this consumer has read and not acknowledged, with what dead ones held."""
        names = (keys.FEED, keys.FEED_GROUP, self._name, self._idle_ms, "0-0")
        claim = ("XAUTOCLAIM", *names, "COUNT", self._batch, "JUSTID")
        await self._in_group(*claim, parse_justid=True)
        return await self._read("0", self._batch)

    async def _read(self, after: str, count: int, *wait: Any) -> list[Entry]:
        stream = ("COUNT", count, *wait, "STREAMS", keys.FEED, after)
        reply = await self._in_group("XREADGROUP", "GROUP", keys.FEED_GROUP, self._name, *stream)
        found: list[Entry] = []
        gone: list[str] = []
        for id_, fields in _entries_in(reply):
            if fields:
                found.append(_entry(_text(id_), fields))
            else:  # trimmed while somebody held it
                gone.append(_text(id_))
        if gone:
            await self._ask("XACK", keys.FEED, keys.FEED_GROUP, *gone)
        return found

    async def _records(self, entries: Sequence[Entry]) -> list[OutcomeRecord]:
        arguments: list[Any] = [keys.LAYOUT, _BATCH_BYTES]
        for entry in entries:
            arguments += [entry.delivery, entry.project, entry.digests]
        async with _errors(self._redis):
            stored, flat = await _RECORDS(self._redis, [self._queue], arguments)
        names = [_text(name) for name in flat[::2]]
        events = dict(zip(names, map(_bytes, flat[1::2]), strict=True))
        found: list[OutcomeRecord] = []
        for entry, (rows, ends) in zip(entries, stored, strict=False):
            try:
                records = list(records_of(entry, _text(rows), [_text(end) for end in ends], events))
            except (ValueError, TypeError, KeyError) as error:
                _LOG.error(
                    "a record of delivery %s is none: %s", entry.delivery, type(error).__name__
                )
                records = []
            if not records:  # written or deleted by hand: it must not stand in the way of others
                await self._drop([entry.id])
            found += records
        return found

    async def _drop(self, entries: Sequence[str]) -> int:
        if not entries:
            return 0
        arguments = [keys.LAYOUT, keys.FEED_GROUP, *entries]
        async with _errors(self._redis):
            return int(await _ACKNOWLEDGE(self._redis, [self._queue], arguments))

    async def _in_group(self, *command: Any, **options: Any) -> Any:
        try:
            return await self._ask(*command, **options)
        except QueueError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.register()
            return await self._ask(*command, **options)

    async def _ask(self, *command: Any, **options: Any) -> Any:
        async with _errors(self._redis):
            return await self._redis.execute_command(*command, **options)


@asynccontextmanager
async def _errors(redis: Executes) -> AsyncGenerator[None]:
    try:
        yield
    except (*AWAY, *DEMOTED) as error:
        if isinstance(error, ReadOnlyError):
            await leave_demoted(redis)
        raise QueueUnavailable(f"Redis does not answer ({reason(error)})") from None
    except RedisError as error:
        raise QueueError(f"Redis refused: {error}") from None


def _entries_in(reply: Any) -> Sequence[tuple[Any, Mapping[Any, Any]]]:
    """The entries of the one stream that was read; protocol 3 answers in another form."""
    if not reply:
        return ()
    if hasattr(reply, "values"):
        ((entries,),) = reply.values()
    else:
        ((_, entries),) = reply
    return cast("Sequence[tuple[Any, Mapping[Any, Any]]]", entries)


def _entry(id_: str, fields: Mapping[Any, Any]) -> Entry:
    found = {_text(name): _text(value) for name, value in fields.items()}
    return Entry(id_, found["delivery"], found["project"], int(found["version"]), found["digests"])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _milliseconds(duration: timedelta) -> int:
    return int(duration / timedelta(milliseconds=1))
