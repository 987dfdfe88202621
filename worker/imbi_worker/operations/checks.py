"""Whether a worker could run here: one finding for each thing it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from pydantic import SecretStr

from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.queue import Signer, SigningKeyError
from imbi_sdk.queue.keys import LAYOUT
from imbi_sdk.registry import LoadResult
from imbi_worker.graph import Neo4jGraph
from imbi_worker.operations.errors import OperationError, operation_errors
from imbi_worker.operations.plugins import overview
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.asking import redis_errors
from imbi_worker.queue.inspection.health import RedisFacts, redis_facts
from imbi_worker.queue.rights import SCRIPTING, missing_rights
from imbi_worker.queue.roles import GATEWAY, OPERATOR, WORKER

Status: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; *hint* is what to do about it."""

    check: str
    status: Status
    detail: str
    hint: str = ""


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed; warnings do not count."""
    return all(finding.status != "failed" for finding in findings)


def encryption_key() -> Finding:
    """Whether stored credentials can be read."""
    name = "encryption key"
    if TokenEncryption.is_usable():
        return Finding(name, "ok", "encrypts and decrypts")
    hint = "Set IMBI_AUTH_ENCRYPTION_KEY to the Fernet key of Imbi's other services."
    return Finding(name, "failed", "there is none, or it cannot be used", hint)


def signing_key(keys: Sequence[SecretStr], *, accepts_unsigned: bool) -> Finding:
    """Whether jobs can be told from forged ones."""
    name = "signing key"
    count = len(keys)
    try:
        if keys:
            Signer(keys)
    except SigningKeyError as error:
        return Finding(name, "failed", str(error))
    if count and not accepts_unsigned:
        others = f", {count - 1} more verify" if count > 1 else ""
        return Finding(name, "ok", f"one signs{others}")
    if accepts_unsigned:
        hint = "Where Redis is not trusted, drop IMBI_WORKER_ACCEPT_UNSIGNED."
        return Finding(name, "warning", "unsigned jobs are accepted", hint)
    hint = "Set IMBI_WORKER_SIGNING_KEY to the gateway's, e.g. from `openssl rand -hex 32`."
    return Finding(name, "failed", "there is none", hint)


async def redis_findings(inspection: Inspection) -> list[Finding]:
    """Whether Redis answers, is fit for the queue, holds our layout, and lets us work."""
    try:
        with operation_errors():
            facts = await redis_facts(inspection.redis)
    except OperationError as error:
        return [Finding("Redis", "failed", error.message, error.hint)]
    rights = await rights_finding(inspection)
    return [_version(facts), _policy(facts), _persistence(facts), _layout(facts), rights]


async def rights_finding(inspection: Inspection) -> Finding:
    """Whether this user may do all that a role does, the worker's first."""
    name = "Redis rights"
    lacking: dict[str, list[str]] = {}
    try:
        with operation_errors(), redis_errors():
            for role in (WORKER, OPERATOR, GATEWAY):
                found = await missing_rights(inspection.redis, role, queue=inspection.queue)
                if not found:
                    return Finding(name, "ok", f"all that {role.user} does")
                lacking[role.user] = found
    except OperationError as error:
        return Finding(name, "warning", f"they cannot be seen: {error.message}", error.hint)
    nearest = min(lacking, key=lambda user: len(lacking[user]))
    if set(lacking[nearest]) >= SCRIPTING:
        hint = "A worker, a gateway or an operator needs a user of its own role."
        return Finding(name, "warning", "it may run no scripts, so it changes nothing", hint)
    detail = f"of what {nearest} does it may not: {', '.join(lacking[nearest])}"
    hint = "Give it the rights of its role in deploy/redis/users.acl."
    return Finding(name, "failed", detail, hint)


async def worker_findings(inspection: Inspection) -> list[Finding]:
    """Whether somebody is there to run jobs."""
    try:
        with operation_errors():
            workers = await inspection.workers()
    except OperationError:
        return []
    alive = [worker for worker in workers if worker.is_alive]
    if not alive:
        hint = "Start one with `imbi-worker run`."
        return [Finding("workers", "failed", "none has been heard of for 30 seconds", hint)]
    versions = sorted({worker.facts.get("version", "?") for worker in alive})
    detail = f"{len(alive)} alive, version {', '.join(versions)}"
    if len(versions) > 1:
        hint = "Normal during a rollout; else bring all to one version."
        return [Finding("workers", "warning", detail, hint)]
    return [Finding("workers", "ok", detail)]


async def graph_finding(graph: Neo4jGraph) -> Finding:
    """Whether the graph answers this user."""
    try:
        with operation_errors():
            await graph.verify()
    except OperationError as error:
        return Finding("graph", "failed", error.message, error.hint)
    if graph.connection.address.trusts_anybody:
        hint = "Write +s, with NEO4J_CA_FILE for an authority of your own; +ssc is for trials."
        return Finding(
            "graph", "warning", "answers, but nobody asks who: NEO4J_URL says +ssc", hint
        )
    return Finding("graph", "ok", "answers")


def plugin_finding(result: LoadResult) -> Finding:
    """Whether every installed plugin was loaded and can be called."""
    hint = "See `imbi-worker plugins list`."
    unfit = [view.name for view in overview(result) if view.problems]
    loaded = f"{len(result.loaded)} loaded"
    if result.errors:
        names = ", ".join(sorted(result.errors))
        return Finding("plugins", "failed", f"{loaded}, not loaded: {names}", hint)
    if unfit:
        detail = f"{loaded}, with actions that cannot run: {', '.join(unfit)}"
        return Finding("plugins", "failed", detail, hint)
    if not result.loaded:
        return Finding("plugins", "warning", "there are none", "Install one, e.g. with pip.")
    return Finding("plugins", "ok", loaded)


def _version(facts: RedisFacts) -> Finding:
    if facts.unseen:
        hint = "Make sure by hand that it is Redis 7.0 or Valkey 7.2, or newer."
        return Finding("Redis", "warning", f"answers, but not what it is: {facts.unseen}", hint)
    found = f"{facts.product} {facts.version} answers"
    if facts.is_recent:
        return Finding("Redis", "ok", found)
    return Finding("Redis", "failed", found, "It must be Redis 7.0 or Valkey 7.2, or newer.")


def _policy(facts: RedisFacts) -> Finding:
    name = "Redis memory"
    match facts.policy:
        case "noeviction":
            return Finding(name, "ok", "noeviction")
        case None:
            hint = "Make sure by hand that maxmemory-policy is noeviction."
            return Finding(name, "warning", "it does not tell its maxmemory-policy", hint)
        case policy:
            hint = "CONFIG SET maxmemory-policy noeviction: an evicted job is a lost job."
            return Finding(name, "failed", f"maxmemory-policy is {policy}", hint)


def _persistence(facts: RedisFacts) -> Finding:
    name = "Redis persistence"
    hint = "CONFIG SET appendonly yes: a crash of Redis loses what is not on disk."
    match facts.persistence:
        case "append-only file":
            return Finding(name, "ok", "an append-only file")
        case "snapshots":
            return Finding(name, "warning", "snapshots only, which lose minutes of jobs", hint)
        case "none":
            return Finding(name, "warning", "nothing is kept on disk", hint)
        case None:
            hint = "Make sure by hand that there is an append-only file."
            return Finding(name, "warning", "it does not tell", hint)
        case _:
            assert_never(facts.persistence)


def _layout(facts: RedisFacts) -> Finding:
    name = "layout"
    if facts.layout is None:
        return Finding(name, "ok", "none yet: the first job or worker writes it")
    if facts.layout == LAYOUT:
        return Finding(name, "ok", f"{facts.layout}")
    detail = f"Redis holds layout {facts.layout}, this program speaks {LAYOUT}"
    return Finding(name, "failed", detail, "Run one version here, or use another database.")
