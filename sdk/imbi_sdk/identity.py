"""Who acts: profiles, tokens and the steps of an authorization."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class IdentityProfile(BaseModel):
    """A user as the identity provider describes them."""

    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    avatar_url: str | None = None
    groups: list[str] = []
    raw_claims: dict[str, Any] = {}


class IdentityCredentials(BaseModel):
    """A user's tokens at a provider. They show in no repr."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the kind of token, no token
    expires_at: datetime | None = None
    refresh_token: str | None = None
    scopes: list[str] = []
    extra: dict[str, Any] = {}

    def __repr__(self) -> str:
        return "<IdentityCredentials redacted>"

    def __str__(self) -> str:
        return "<IdentityCredentials redacted>"


class PollingDescriptor(BaseModel):
    """How a device flow goes on; times in seconds."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    interval: int = 5
    expires_in: int


class AuthorizationRequest(BaseModel):
    """Where to send the user, and what to remember until they return."""

    authorization_url: str
    state: str
    code_verifier: str | None = None
    polling: PollingDescriptor | None = None
    registered_credentials: dict[str, str] | None = None
