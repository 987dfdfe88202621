"""Dead letters: replay, the only way back. They leave by replay, redelivery or age."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS

ReplayResult: TypeAlias = Literal["replayed", "missing", "not dead", "event gone", "body gone"]

_REPLAY = load_script("replay", SCRIPTS)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay; ``later_ran`` warns that later jobs of its lane already ran."""

    job: str
    result: ReplayResult
    later_ran: bool = False


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
