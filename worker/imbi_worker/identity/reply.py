"""What an API has answered, or that it has not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from imbi_sdk.errors import PermanentError, UpstreamError

LARGEST_BYTES: Final = 16 * 1024 * 1024


class Unanswered(UpstreamError):  # noqa: N818 - what is known: that nothing is
    """The request may have arrived; nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, wholly read; `imbi_sdk.responses.raise_for_status` understands it."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_html(self) -> bool:
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        return kind.strip().lower() in {"text/html", "application/xhtml+xml"}

    def json(self) -> Any:
        """The body's value. Raises `UpstreamError` if it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            pass
        raise UpstreamError(f"{self.method} {self.url} answered {self.status} with no JSON")


async def read(response: aiohttp.ClientResponse, *, largest: int = LARGEST_BYTES) -> bytes:
    """The whole body, once decoded. Raises `PermanentError` when it is over *largest* bytes."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > largest:
            response.close()
            raise PermanentError(f"an answer of more than {largest} bytes, which is not read")
    return bytes(body)
