"""A queue in memory, for tests of a gateway; needs ``imbi-sdk[queue]``, and no Redis server.

`FakeQueue` is the real `ActionQueue` with a memory behind it in place of Redis, so
that ids, order, limits, signatures and errors are those of production.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

from imbi_sdk.queue import (
    ActionJob,
    ActionQueue,
    Enqueued,
    QueueError,
    QueueUnavailable,
    Signer,
    Target,
    WebhookRule,
)
from imbi_sdk.queue.json_text import load
from imbi_sdk.queue.scripts import load_script
from imbi_sdk.queue.wire import decode

__all__ = ["DeliveryQueue", "FakeQueue"]

Ending: TypeAlias = Literal["succeeded", "skipped", "dead", "cancelled"]
_REVIVED: Final = frozenset({"dead", "cancelled"})
_ENQUEUE_SHA: Final = load_script("enqueue").sha
# After the command, the SHA, the number of keys and the key of the queue.
_FIRST_ARGUMENT: Final = 4
_PER_JOB: Final = 8


class DeliveryQueue(Protocol):
    """What a gateway asks of a queue; `ActionQueue` and `FakeQueue` both are one."""

    async def enqueue_delivery(
        self,
        *,
        delivery: str,
        webhook_id: str,
        event: Mapping[str, Any],
        rules: Sequence[WebhookRule],
        targets: Sequence[Target],
        plugin_ids: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        nonce: str | None = None,
    ) -> Enqueued:
        """As `ActionQueue.enqueue_delivery`."""
        ...


class FakeQueue:
    """Takes deliveries as `ActionQueue` does, and shows what a worker would be given.

    ``jobs`` holds the jobs that wait, in the order enqueued; `end` does what a
    worker would have done. Duplicates are remembered for ever.
    """

    def __init__(self, *, signer: Signer | None = None) -> None:
        self._memory = _Memory()
        self._queue = ActionQueue(self._memory, signer=signer)

    async def enqueue_delivery(
        self,
        *,
        delivery: str,
        webhook_id: str,
        event: Mapping[str, Any],
        rules: Sequence[WebhookRule],
        targets: Sequence[Target],
        plugin_ids: Mapping[str, str] | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        nonce: str | None = None,
    ) -> Enqueued:
        """As `ActionQueue.enqueue_delivery`."""
        return await self._queue.enqueue_delivery(
            delivery=delivery,
            webhook_id=webhook_id,
            event=event,
            rules=rules,
            targets=targets,
            plugin_ids=plugin_ids,
            traceparent=traceparent,
            tracestate=tracestate,
            nonce=nonce,
        )

    async def enqueue_handlers(self, **call: Any) -> Enqueued:
        """As `ActionQueue.enqueue_handlers`, which checks the keywords."""
        return await self._queue.enqueue_handlers(**call)

    @property
    def jobs(self) -> tuple[ActionJob, ...]:
        """The jobs that wait, in the order enqueued."""
        memory = self._memory
        waiting = (job for job in memory.bodies if memory.states[job] == "waiting")
        return tuple(decode(job, memory.bodies[job]).job for job in waiting)

    def event(self, job: ActionJob) -> dict[str, Any]:
        """The event context that the action of *job* would be given."""
        return load(self._memory.events[job.delivery, cast("str", job.event_ref)])

    def end(self, job_id: str, state: Ending) -> None:
        """End a waiting job.

        :raises KeyError: none of this id waits
        """
        if self._memory.states.get(job_id) != "waiting":
            raise KeyError(job_id)
        self._memory.states[job_id] = state

    def go_down(self) -> None:
        """Answer nothing, until `come_back`: to enqueue raises `QueueUnavailable`."""
        self._memory.is_down = True

    def come_back(self) -> None:
        self._memory.is_down = False


class _Memory:
    """What enqueue.lua does to Redis, done to dictionaries."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.bodies: dict[str, bytes] = {}
        self.events: dict[tuple[str, str], bytes] = {}
        self.is_down = False
        self._replies: dict[tuple[str, str], str] = {}

    async def execute_command(self, *args: Any, **options: Any) -> str:
        del options
        if self.is_down:
            raise QueueUnavailable("the fake queue was told to be down")
        if args[:2] != ("EVALSHA", _ENQUEUE_SHA):
            raise NotImplementedError(f"the fake queue only enqueues, and was sent {args[0]}")
        _, delivery, nonce, digest, event, count, *rest = args[_FIRST_ARGUMENT:]
        reply = self._replies.get((delivery, nonce))
        if reply is not None and len(reply) != count:
            raise QueueError(f"the nonce was used before, for {len(reply)} jobs and not {count}")
        if reply is None:
            self.events.setdefault((delivery, digest), event)
            # What follows the jobs is the activity row, which only the feed reads.
            starts = range(0, count * _PER_JOB, _PER_JOB)
            jobs = (rest[start : start + _PER_JOB] for start in starts)
            reply = "".join(self._take(job[0], job[-1]) for job in jobs)
            self._replies[delivery, nonce] = reply
        return reply

    def _take(self, job_id: str, body: bytes) -> str:
        known = self.states.get(job_id)
        if known is not None and known not in _REVIVED:
            return "d"
        # Again at the tail: a dictionary keeps a known key's old place.
        self.bodies.pop(job_id, None)
        self.bodies[job_id] = body
        self.states[job_id] = "waiting"
        return "a" if known is None else "r"
