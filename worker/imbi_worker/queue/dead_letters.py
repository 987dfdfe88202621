"""Dead letters: replayed, or thrown away. Otherwise they leave by redelivery or age."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS
from imbi_worker.queue.control import AT_ONCE, Mandate

ReplayResult: TypeAlias = Literal["replayed", "missing", "not dead", "event gone", "body gone"]
DiscardResult: TypeAlias = Literal["discarded", "not dead", "missing"]

_REPLAY = load_script("replay", SCRIPTS)
_DISCARD = load_script("discard", SCRIPTS)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay; ``later_ran`` warns that later jobs of its lane already ran."""

    job: str
    result: ReplayResult
    later_ran: bool = False


@dataclass(frozen=True, slots=True)
class Discarded:
    """What came of a discard: *detail* is the state of a job that is not dead."""

    job: str
    result: DiscardResult
    detail: str


async def replay(
    redis: Executes, *, queue: str, job: str, actor: str, reason: str, body: bytes = b""
) -> Replayed:
    """Put a dead letter at the tail of its lane; with *body* in place of the one it has.

    *actor* and *reason* go to the audit.
    """
    arguments = [keys.LAYOUT, job, actor, reason, body]
    result, detail = await _REPLAY(redis, [queue], arguments)
    name = cast("ReplayResult", result.decode())
    return Replayed(job, name, later_ran=name == "replayed" and detail == b"1")


async def discard(
    redis: Executes, *, queue: str, jobs: Sequence[str], mandate: Mandate, scope: str
) -> list[Discarded]:
    """Throw up to ``AT_ONCE`` dead letters away; *scope* is what the audit calls them."""
    if len(jobs) > AT_ONCE:
        raise ValueError(f"at most {AT_ONCE} jobs a call")
    looks = int(mandate.looks_only)
    arguments = [keys.LAYOUT, mandate.actor, mandate.reason, scope, looks, *jobs]
    flat = await _DISCARD(redis, [queue], arguments)
    return [
        Discarded(job, cast("DiscardResult", result.decode()), detail.decode())
        for job, result, detail in zip(jobs, flat[::2], flat[1::2], strict=True)
    ]
