"""A way to the guarded Redis, with TLS or without."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from certificates import HOST
from guard import password_of


@dataclass(frozen=True)
class Door:
    """One way to Redis."""

    port: int

    def url(self, user: str, host: str = HOST, scheme: str = "rediss") -> str:
        """With a password that has every character to be escaped."""
        return f"{scheme}://{user}:{quote(password_of(user), safe='')}@{host}:{self.port}"


Open = Callable[[ssl.SSLContext | None], Awaitable[Door]]
