"""What `doctor` looks at beyond `check`: how Redis behaves, the graph's schema, the fleet.

Each finding says what to do. A canary is decrypted of every place where secrets stand:
what it holds is dropped at once.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from imbi_sdk.registry import LoadResult
from imbi_worker.graph import (
    PLACES,
    Neo4jGraph,
    Neo4jSecrets,
    Place,
    SchemaElement,
    missing_schema,
)
from imbi_worker.operations.checks import Finding, Status
from imbi_worker.operations.diagnosis import diagnose
from imbi_worker.operations.errors import OperationError, operation_errors
from imbi_worker.operations.rotation import KeyRing, key_ring
from imbi_worker.operations.wording import counted
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.health import RedisPulse, redis_pulse
from imbi_worker.queue.inspection.views import WorkerView

_CANARIES: Final = 20
_FEW: Final = 2
_SLOW: Final = timedelta(milliseconds=20)
# Workers put jobs off by their own clock; leases go by Redis' alone.
_SKEW: Final = timedelta(seconds=1)
_TOO_MUCH_SKEW: Final = timedelta(seconds=15)
_FULL: Final = 0.8
_MILLISECOND: Final = timedelta(milliseconds=1)


async def pulse_findings(inspection: Inspection) -> list[Finding]:
    """Whether this Redis is a primary, quick, on time, roomy, and runs our scripts."""
    try:
        with operation_errors():
            pulse = await redis_pulse(inspection.redis)
    except OperationError:
        # The check that asks for its version has said so.
        return []
    return [_role(pulse), _speed(pulse), _clock(pulse), _scripts(pulse), _memory(pulse)]


async def schema_finding(graph: Neo4jGraph) -> Finding:
    """Whether the constraints and indexes are there that reads rely on."""
    name = "graph schema"
    try:
        with operation_errors():
            missing = await missing_schema(graph)
    except OperationError as error:
        return Finding(name, "failed", error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - another store of Cypher may not know the question
        detail = f"it does not tell ({type(error).__name__})"
        return Finding(name, "warning", detail, "Run `imbi-worker graph schema`; it is safe.")
    if not missing:
        return Finding(name, "ok", "constraints and indexes are there")
    hint = "Create them with `imbi-worker graph schema`, which names each."
    return Finding(name, "warning", f"missing: {_named(missing)}", hint)


async def canary_findings(graph: Neo4jGraph) -> list[Finding]:
    """Whether the key opens what is stored: some secrets of each place, never shown."""
    try:
        keys = key_ring()
        secrets = Neo4jSecrets(graph)
        with operation_errors():
            return [await _canary(secrets, keys, place) for place in PLACES]
    except OperationError as error:
        return [Finding("canary", "failed", error.message, error.hint)]


async def fleet_findings(inspection: Inspection, result: LoadResult | None) -> list[Finding]:
    """Whether all live workers offer the same plugins, those loaded here among them."""
    try:
        with operation_errors():
            workers = [one for one in await inspection.workers() if one.is_alive]
    except OperationError:
        return []
    if not workers:
        return []
    return [_skew(workers), _python(workers), *_absent(workers, result)]


def plugin_findings(result: LoadResult) -> list[Finding]:
    """Every plugin with something wrong, or one line when all are well."""
    found = [one for one in diagnose(result) if one.status != "ok"]
    if not found:
        return [Finding("plugins", "ok", f"{len(result.loaded)} loaded")]
    return [
        Finding(f"plugin {one.subject}", one.status, one.finding, f"{one.effect} {one.fix}".strip())
        for one in found
    ]


def _role(pulse: RedisPulse) -> Finding:
    name = "Redis role"
    if pulse.is_cluster:
        hint = "Use one primary, with Sentinel or a managed failover; jobs span several keys."
        return Finding(name, "failed", "it is a cluster", hint)
    if pulse.role in {"slave", "replica"}:
        hint = "Let REDIS_URL name the primary, e.g. by its failover address."
        return Finding(name, "failed", "it is a replica and takes no writes", hint)
    return Finding(name, "ok", "primary" if pulse.role else "it does not tell")


def _speed(pulse: RedisPulse) -> Finding:
    name, detail = "Redis speed", f"{pulse.round_trip / _MILLISECOND:.1f} ms a round trip"
    if pulse.round_trip < _SLOW:
        return Finding(name, "ok", detail)
    hint = "Bring workers and Redis into one zone: each claim and finish waits that long."
    return Finding(name, "warning", detail, hint)


def _clock(pulse: RedisPulse) -> Finding:
    name, seconds = "clock", pulse.ahead.total_seconds()
    way = "ahead of" if seconds > 0 else "behind"
    detail = f"Redis is {abs(seconds):.1f} s {way} this machine"
    skew = abs(pulse.ahead) - pulse.round_trip
    if skew < _SKEW:
        return Finding(name, "ok", f"{abs(seconds) * 1000:.0f} ms apart")
    status: Status = "failed" if skew >= _TOO_MUCH_SKEW else "warning"
    return Finding(name, status, detail, "Let NTP set the clocks: retries go by them.")


def _scripts(pulse: RedisPulse) -> Finding:
    if not pulse.refusal:
        return Finding("Redis scripts", "ok", "Lua scripts with flags run")
    if pulse.is_forbidden:
        hint = "Look as a worker: it needs EVAL and EVALSHA."
        return Finding("Redis scripts", "warning", f"not seen: {pulse.refusal}", hint)
    hint = "They need Redis 7.0 or Valkey 7.2 at least."
    return Finding("Redis scripts", "failed", pulse.refusal, hint)


def _memory(pulse: RedisPulse) -> Finding:
    name = "Redis room"
    if pulse.used_bytes is None:
        return Finding(name, "warning", "it does not tell", "Allow INFO to this user.")
    used = _mebibytes(pulse.used_bytes)
    if pulse.most_bytes is None:
        return Finding(name, "ok", f"{used} used, no limit set")
    detail = f"{used} of {_mebibytes(pulse.most_bytes)} used"
    if pulse.used_bytes < _FULL * pulse.most_bytes:
        return Finding(name, "ok", detail)
    hint = "Raise maxmemory, or throw dead letters away: a full Redis refuses deliveries."
    return Finding(name, "warning", detail, hint)


def _named(missing: Sequence[SchemaElement]) -> str:
    """A few by their names, more of them in figures."""
    if len(missing) <= _FEW:
        return ", ".join(str(one) for one in missing)
    unique = sum(one.is_unique for one in missing)
    kinds = (
        (counted(unique, "constraint"), unique),
        (counted(len(missing) - unique, "index", "indexes"), len(missing) - unique),
    )
    return " and ".join(text for text, count in kinds if count)


def _mebibytes(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"


async def _canary(secrets: Neo4jSecrets, keys: KeyRing, place: Place) -> Finding:
    name = f"canary {place}"
    found = await secrets.page(place, limit=_CANARIES)
    if not found:
        return Finding(name, "ok", "no secret is stored there")
    shut = [one.name for one in found if one.ciphertext and keys.rotated(one.ciphertext) is None]
    shut += [one.name for one in found if one.ciphertext is None]
    if not shut:
        return Finding(name, "ok", f"the key opens {len(found)} of {len(found)} looked at")
    detail = f"the key does not open {len(shut)} of {len(found)}: {', '.join(shut[:3])}"
    hint = "Give the key it was written with, in IMBI_WORKER_OLD_ENCRYPTION_KEYS, or set it anew."
    return Finding(name, "failed", detail, hint)


def _skew(workers: Sequence[WorkerView]) -> Finding:
    name = "plugin skew"
    everywhere = set.intersection(*(set(one.slugs) for one in workers))
    anywhere = {slug for one in workers for slug in one.slugs}
    partly = sorted(anywhere - everywhere)
    if not partly:
        offered = counted(len(anywhere), "plugin")
        alone = f"the one live worker offers {offered}"
        all_alike = f"{len(workers):,} workers offer the same {offered}"
        return Finding(name, "ok", alone if len(workers) == 1 else all_alike)
    lacking = {slug: [one.id for one in workers if slug not in one.slugs] for slug in partly}
    detail = "; ".join(f"{slug} is not on {', '.join(ids[:3])}" for slug, ids in lacking.items())
    hint = "Normal during a rollout; else install the same packages everywhere."
    return Finding(name, "warning", detail, hint)


def _python(workers: Sequence[WorkerView]) -> Finding:
    found = sorted({one.facts.get("python", "?") for one in workers})
    if len(found) == 1:
        return Finding("Python", "ok", f"{found[0]} on every worker")
    detail = f"workers run {', '.join(found)}"
    return Finding("Python", "warning", detail, "Normal during a rollout; else use one image.")


def _absent(workers: Sequence[WorkerView], result: LoadResult | None) -> list[Finding]:
    offered = {slug for one in workers for slug in one.slugs}
    absent = sorted(set(result.loaded) - offered) if result is not None else []
    if not absent:
        return []
    detail = f"loaded here, on no worker: {', '.join(absent)}"
    hint = "Install them on the workers, or their jobs die after 10 minutes."
    return [Finding("plugins on workers", "warning", detail, hint)]
