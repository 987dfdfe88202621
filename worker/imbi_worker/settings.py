"""The worker's settings, read from the environment once, at the start of a command.

Every ``IMBI_WORKER_*`` variable is listed here and in the README; a name that is not
is refused with the nearest one that is. ``NAME_FILE`` reads the value of a secret
``NAME`` from a file.
"""

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "IMBI_WORKER_"
# Read by the SDK, where plugins look for it as well.
_ELSEWHERE = frozenset({"IMBI_WORKER_OLD_ENCRYPTION_KEYS"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SECRETS = frozenset(
    {
        "REDIS_URL",
        "VALKEY_URL",
        "NEO4J_PASSWORD",
        "IMBI_WORKER_SIGNING_KEY",
        "ACTIONS_IMBI_TOKEN",
        "IMBI_WORKER_DASHBOARD_TOKENS",
    }
)


class SettingsError(Exception):
    """A setting is missing or wrong; one line for each, naming variable and remedy."""


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a duration like 500ms, 30s, 5m, 2h or 1d")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])


def _by_handler(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(handler.strip() and text.strip() for handler, _, text in pairs):
        raise ValueError("write <plugin>#<action>=<duration>, separated by commas")
    return {handler.strip(): text.strip() for handler, _, text in pairs}


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]


def _json_object(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('write a JSON object like {"github#sync": {"max_attempts": 3}}') from None


class HandlerPolicy(BaseModel):
    """What differs for one handler; what is None is as for the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: int | None = Field(None, ge=1, le=100)
    max_age: Duration | None = None
    backoff: tuple[Duration, ...] | None = Field(None, min_length=1)


class Settings(BaseSettings):
    """One field for each variable; descriptions make the README's table."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True
    )

    redis_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("redis_url", "REDIS_URL", "VALKEY_URL"),
        description="Redis: redis, rediss, unix, valkey or valkeys",
    )
    redis_ca_file: Path | None = Field(
        None, description="authorities to believe about Redis, in place of the system's (PEM)"
    )
    redis_cert_file: Path | None = Field(
        None, description="the worker's own certificate, where Redis wants one (PEM)"
    )
    redis_key_file: Path | None = Field(
        None, description="its key, unless it stands in the same file"
    )
    graph: str = Field("neo4j", description="the graph's adapter: neo4j, or another one installed")
    neo4j_url: str | None = Field(
        None,
        validation_alias=AliasChoices("neo4j_url", "NEO4J_URL"),
        description="the graph: neo4j://, neo4j+s://, bolt://",
    )
    neo4j_user: str = Field(
        "neo4j", validation_alias=AliasChoices("neo4j_user", "NEO4J_USER"), description="its user"
    )
    neo4j_password: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("neo4j_password", "NEO4J_PASSWORD"),
        description="its password",
    )
    neo4j_database: str = Field(
        "neo4j",
        validation_alias=AliasChoices("neo4j_database", "NEO4J_DATABASE"),
        description="its database",
    )
    neo4j_ca_file: Path | None = Field(
        None,
        validation_alias=AliasChoices("neo4j_ca_file", "NEO4J_CA_FILE"),
        description="authorities to believe about the graph, in place of the system's (PEM)",
    )
    actions_imbi_url: str = Field(
        "http://imbi-api:8000",
        validation_alias=AliasChoices("actions_imbi_url", "ACTIONS_IMBI_URL"),
        description="Imbi's API, for built-in actions and user lookups",
    )
    actions_imbi_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("actions_imbi_token", "ACTIONS_IMBI_TOKEN"),
        description="its token",
    )
    queue: str = Field("imbi:queue", min_length=1, description="name of the queue in Redis")
    signing_key: SecretStr | None = Field(
        None, description="keys of job signatures, separated by commas: the first signs, all verify"
    )
    accept_unsigned: bool = Field(
        default=False, description="run jobs without a signature; only where Redis is trusted"
    )
    concurrency: int = Field(100, ge=1, le=10_000, description="jobs a worker runs at once")
    event_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        description="memory for bodies and events in hand, each counted as four times its bytes",
    )
    timeout: Duration = Field(
        timedelta(seconds=300), description="how long an action may run, unless it says otherwise"
    )
    timeouts: Annotated[dict[str, Duration], NoDecode, BeforeValidator(_by_handler)] = Field(
        default_factory=dict,
        description="timeouts by handler: github#sync=10m,sonarqube#update=45s",
    )
    backoff: Annotated[tuple[Duration, ...], NoDecode, BeforeValidator(_listed)] = Field(
        tuple(timedelta(seconds=s) for s in (10, 30, 120, 600, 1800, 7200, 21600)),
        min_length=1,
        description="windows of the waits between attempts; the last one repeats",
    )
    max_attempts: int = Field(8, ge=1, le=100, description="attempts of a job before it is dead")
    max_age: Duration = Field(
        timedelta(hours=24),
        description="no retry is scheduled later than this after a first failure",
    )
    policies: Annotated[dict[str, HandlerPolicy], NoDecode, BeforeValidator(_json_object)] = Field(
        default_factory=dict,
        description="max_attempts, max_age and backoff by handler, as a JSON object",
    )
    patience: Duration = Field(
        timedelta(minutes=30), description="how long a waiting job may hold its lane"
    )
    lane: Literal["plugin", "project", "none"] = Field(
        "plugin", description="what keeps its order: project and plugin, the project, or nothing"
    )
    lease: Duration = Field(
        timedelta(seconds=15), description="a worker that is silent so long has lost its jobs"
    )
    drain: Duration = Field(
        timedelta(seconds=30), description="what running jobs get to end after SIGTERM"
    )
    grace: Duration = Field(
        timedelta(seconds=5), description="what an action gets after its cancel"
    )
    import_timeout: Duration = Field(
        timedelta(seconds=30), description="how long a plugin may take to load; then it is refused"
    )
    gateway_compat: bool = Field(
        default=False,
        description="read credentials as Imbi's gateway does, and not as its plugin reference says",
    )
    dashboard_host: str = Field(
        "127.0.0.1", description="where the dashboard listens; beyond loopback it needs tokens"
    )
    dashboard_port: int = Field(
        8600,
        ge=0,
        le=65_535,
        validation_alias=AliasChoices("dashboard_port", "IMBI_WORKER_DASHBOARD_PORT", "PORT"),
        description="its port",
    )
    dashboard_tokens: SecretStr | None = Field(
        None,
        description="who may use it, separated by commas: name:role:hash, of `tokens new`",
    )
    dashboard_metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="port of its /metrics, the queue's figures alone; none without it",
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="port of /metrics, /livez and /readyz; none without it"
    )
    metrics_host: str = Field("127.0.0.1", min_length=1, description="where those ports listen")
    heartbeat_file: Path | None = Field(
        None, description="a file for `check --live` and `--ready`, in place of the port"
    )
    revision: str = Field(
        "",
        max_length=64,
        description="the commit that runs here, for the metrics; the image sets it",
    )
    event_loop: Literal["asyncio", "uvloop"] = Field(
        "asyncio", description="uvloop needs `imbi-worker[uvloop]`, and takes less of a processor"
    )
    stall: Duration = Field(
        timedelta(seconds=30), description="a worker whose loop stands still so long is not alive"
    )
    trace_parenting: Literal["link", "parent"] = Field(
        "link", description="whether an attempt's trace links to the gateway's, or is part of it"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto is text on a terminal and JSON elsewhere"
    )

    @field_validator("signing_key")
    @classmethod
    def _has_keys(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value().strip(" ,") else None

    @property
    def signing_keys(self) -> tuple[SecretStr, ...]:
        """The keys in their order; empty when none is set."""
        if self.signing_key is None:
            return ()
        parts = self.signing_key.get_secret_value().split(",")
        return tuple(SecretStr(part.strip()) for part in parts if part.strip())

    @property
    def secret_values(self) -> tuple[str, ...]:
        """What must show in no output: of a list each member, of an address its password."""
        given = [getattr(self, name) for name in type(self).model_fields]
        texts = [one.get_secret_value() for one in given if isinstance(one, SecretStr)]
        found = [value for text in (*texts, self.neo4j_url or "") for value in _secrets_of(text)]
        return tuple(filter(None, found))

    @classmethod
    def load(cls, **changes: Any) -> Self:
        """The settings the environment gives, with *changes* on top.

        :raises SettingsError: naming each variable that is wrong, never its value
        """
        _refuse_unknown(os.environ)
        try:
            return cls(**{**_from_files(os.environ), **changes})
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None


def _secrets_of(text: str) -> Iterator[str]:
    if "://" not in text:
        yield text
        yield from (part.strip() for part in text.split(","))
        return
    address = urlsplit(text)
    for password in (address.password or "", *parse_qs(address.query).get("password", ())):
        yield password
        yield unquote(password)


def variable_of(name: str) -> tuple[str, ...]:
    """The environment variables that set field *name*, the first preferred."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices if str(choice) != name)
    return (f"{PREFIX}{name.upper()}",)


def _from_files(environ: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        for name in variable_of(field):
            path = environ.get(f"{name}_FILE") if name in _SECRETS else None
            if path and environ.get(name):
                raise SettingsError(f"{name} and {name}_FILE are both set: keep one of them")
            # An empty file sets as little as an empty variable.
            if path and (text := _read(name, path)):
                values[field] = text
    return values


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        text = f"{name}_FILE names {path!r}, which cannot be read: {reason}"
        raise SettingsError(text) from None


def _refuse_unknown(source: Mapping[str, str]) -> None:
    known = _ELSEWHERE | {name for field in Settings.model_fields for name in variable_of(field)}
    known |= {f"{name}_FILE" for name in _SECRETS}
    for name in sorted(source):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name} is no setting of imbi-worker{hint}")


def _explain(error: ValidationError) -> str:
    lines: list[str] = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(item["loc"][0])
        name = variable_of(field)[0] if field in Settings.model_fields else field
        where = "".join(f"[{part}]" for part in item["loc"][1:])
        lines.append(f"{name}{where}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
