"""Identity plugins: a user's authorization at a provider."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from imbi_sdk.context import PluginContext
from imbi_sdk.identity import AuthorizationRequest, IdentityCredentials, IdentityProfile
from imbi_sdk.manifest import PluginManifest


class IdentityPlugin(ABC):
    """An identity provider. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def authorization_request(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        redirect_uri: str,
        scopes: list[str] | None = None,
    ) -> AuthorizationRequest:
        """Where to send the user."""

    @abstractmethod
    async def exchange_code(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        code: str,
        redirect_uri: str,
        code_verifier: str | None = None,
    ) -> tuple[IdentityProfile, IdentityCredentials]:
        """The user and their tokens, for the code they came back with."""

    @abstractmethod
    async def refresh(
        self, ctx: PluginContext, credentials: dict[str, str], refresh_token: str
    ) -> IdentityCredentials:
        """New tokens."""

    async def revoke(self, ctx: PluginContext, credentials: dict[str, str], token: str) -> None:
        """End a token at the provider; does nothing by default."""
        del ctx, credentials, token

    async def materialize(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        connection: IdentityCredentials,
        *,
        db: Any = None,
        identity_options: dict[str, Any] | None = None,
    ) -> IdentityCredentials:
        """The credentials to act with; those of the connection by default."""
        del ctx, credentials, db, identity_options
        return connection
