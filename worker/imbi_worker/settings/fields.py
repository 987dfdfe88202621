"""Every setting: one field for each, whose description stands in the README's table."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

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

from imbi_worker.settings.environment import (
    PREFIX,
    SettingsError,
    explain,
    from_files,
    refuse_unknown,
)
from imbi_worker.settings.notation import Duration, by_handler, json_object, listed
from imbi_worker.settings.secrecy import secrets_of


class HandlerPolicy(BaseModel):
    """What differs for one handler; what is None is as for the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_attempts: int | None = Field(None, ge=1, le=100)
    max_age: Duration | None = None
    backoff: tuple[Duration, ...] | None = Field(None, min_length=1)


class Settings(BaseSettings):
    """What the environment gives; make one with :meth:`load`."""

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
    timeouts: Annotated[dict[str, Duration], NoDecode, BeforeValidator(by_handler)] = Field(
        default_factory=dict,
        description="timeouts by handler: github#sync=10m,sonarqube#update=45s",
    )
    backoff: Annotated[tuple[Duration, ...], NoDecode, BeforeValidator(listed)] = Field(
        tuple(timedelta(seconds=s) for s in (10, 30, 120, 600, 1800, 7200, 21600)),
        min_length=1,
        description="windows of the waits between attempts; the last one repeats",
    )
    max_attempts: int = Field(8, ge=1, le=100, description="attempts of a job before it is dead")
    max_age: Duration = Field(
        timedelta(hours=24),
        description="no retry is scheduled later than this after a first failure",
    )
    policies: Annotated[dict[str, HandlerPolicy], NoDecode, BeforeValidator(json_object)] = Field(
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
        "asyncio", description="asyncio, or uvloop with `imbi-worker[uvloop]`"
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
        found = [value for text in (*texts, self.neo4j_url or "") for value in secrets_of(text)]
        return tuple(filter(None, found))

    @classmethod
    def load(cls, **changes: Any) -> Self:
        """The settings the environment gives, with *changes* on top.

        :raises SettingsError: naming each variable that is wrong, never its value
        """
        variables = {name: variables_of(name) for name in cls.model_fields}
        refuse_unknown(os.environ, variables)
        try:
            return cls(**{**from_files(os.environ, variables), **changes})
        except ValidationError as error:
            raise SettingsError(explain(error, variables)) from None


def variables_of(name: str) -> tuple[str, ...]:
    """The environment variables that set field *name*, the first preferred."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices if str(choice) != name)
    return (f"{PREFIX}{name.upper()}",)
