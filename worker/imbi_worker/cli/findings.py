"""What `check` and `doctor` find alike: the settings, and whether Redis and the graph open."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from imbi_worker import wiring
from imbi_worker.graph import GraphMisconfigured, Neo4jGraph
from imbi_worker.operations import checks
from imbi_worker.operations.checks import Finding
from imbi_worker.queue import RedisAddressError
from imbi_worker.queue.inspection import Inspection
from imbi_worker.settings import Settings, SettingsError

LookAtRedis: TypeAlias = Callable[[Inspection], Awaitable[Iterable[Finding]]]
LookAtGraph: TypeAlias = Callable[[Neo4jGraph], Awaitable[Iterable[Finding]]]

README: Final = "See the settings in the README."


def unreadable(error: SettingsError) -> list[Finding]:
    """A finding for each setting that is wrong."""
    return [Finding("settings", "failed", line, README) for line in str(error).splitlines()]


def readable(settings: Settings) -> list[Finding]:
    """That they are, and the keys among them."""
    return [
        Finding("settings", "ok", "readable"),
        checks.encryption_key(),
        checks.signing_key(settings.signing_keys, accepts_unsigned=settings.accept_unsigned),
    ]


async def of_redis(settings: Settings, look: LookAtRedis) -> Sequence[Finding]:
    """What *look* finds, or why Redis could not even be asked."""
    try:
        redis = wiring.open_redis(settings)
    except (SettingsError, RedisAddressError) as error:
        return [Finding("Redis", "failed", str(error), README)]
    try:
        return list(await look(Inspection(redis, queue=settings.queue)))
    finally:
        await redis.aclose()


async def of_graph(settings: Settings, look: LookAtGraph) -> Sequence[Finding]:
    """What *look* finds, or why the graph could not even be asked."""
    try:
        graph = wiring.open_graph(settings)
    except (SettingsError, GraphMisconfigured) as error:
        return [Finding("graph", "failed", str(error), README)]
    try:
        return list(await look(graph))
    finally:
        await graph.close()
