"""GitHub's words for the state of a deployment, and Imbi's."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from imbi_sdk.errors import Skip
from imbi_sdk.json_pointer import JsonPointer
from imbi_worker.builtin.selectors import text_at

STATUSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "queued": "pending",
        "pending": "pending",
        "in_progress": "in_progress",
        "success": "success",
        "failure": "failed",
        "error": "failed",
        "inactive": "rolled_back",
    }
)
_SHOWN: Final = 100


def status_at(event: dict[str, Any], pointer: JsonPointer, *, field: str) -> str:
    """Imbi's word for the status at *pointer*; *field* is what errors call the pointer.

    :raises Skip: Imbi has no word for it; names it
    :raises PermanentError: there is no text
    """
    raw = text_at(event, pointer, field=field)
    status = STATUSES.get(raw or "")
    if status is None:
        name = "null" if raw is None else repr(raw[:_SHOWN])
        raise Skip(f"Imbi has no word for the deployment status {name}")
    return status
