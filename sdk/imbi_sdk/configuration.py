"""Configuration plugins: a typed key/value store for a project."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest


class ConfigValue(BaseModel):
    """A value to store."""

    data_type: str
    value: str
    secret: bool = False


class ConfigKey(BaseModel):
    """A stored key, without its value."""

    key: str
    data_type: str
    last_modified: datetime | None = None
    secret: bool = False


class ConfigKeyWithValue(ConfigKey):
    """A stored key with its value."""

    value: str


class ConfigurationPlugin(ABC):
    """A store of settings. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def list_keys(self, ctx: PluginContext, credentials: dict[str, str]) -> list[ConfigKey]:
        """Every key of the project."""

    @abstractmethod
    async def get_values(
        self, ctx: PluginContext, credentials: dict[str, str], keys: list[str] | None = None
    ) -> list[ConfigKeyWithValue]:
        """The values of *keys*, or of every key."""

    @abstractmethod
    async def set_value(
        self, ctx: PluginContext, credentials: dict[str, str], key: str, value: ConfigValue
    ) -> ConfigKey:
        """Create or overwrite one key."""

    @abstractmethod
    async def delete_key(self, ctx: PluginContext, credentials: dict[str, str], key: str) -> None:
        """Remove one key."""
