"""A folder of webhook bodies, read and checked before anything is started."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from imbi_sdk.event import event_context
from imbi_sdk.queue import InvalidDelivery
from imbi_sdk.queue.delivery import encode_event

SERVICE: Final = "github"


class BodiesError(Exception):
    """The folder or a file in it cannot be used; the text names it, the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Body:
    """One file. *event* is the event context that the gateway makes of it."""

    name: str
    event_type: str
    delivery: str
    external_identifier: str
    event: dict[str, Any] = field(repr=False)


def read_bodies(folder: Path) -> tuple[Body, ...]:
    """Every ``<event type>.<anything>.json`` of *folder*, by name.

    :raises BodiesError: no folder, no such file, or one that is no JSON object
    """
    try:
        files = sorted(path for path in folder.iterdir() if _is_body(path))
    except OSError as error:
        raise BodiesError(
            f"--deliveries {folder}: {error.strerror}; name a folder of JSON files"
        ) from None
    if not files:
        raise BodiesError(
            f"--deliveries {folder}: no *.json in it; name each body <event type>.<anything>.json"
        )
    return tuple(_read(path) for path in files)


def _is_body(path: Path) -> bool:
    return path.suffix == ".json" and not path.name.startswith(".") and path.is_file()


def _read(path: Path) -> Body:
    payload = _parsed(path)
    if not isinstance(payload, dict):
        kind = type(payload).__name__
        raise BodiesError(f"{path}: is a JSON {kind}, and the body of a webhook is an object")
    event_type = path.name.partition(".")[0]
    # Not the digest of the body: two files may hold the same one, and both must run.
    delivery = hashlib.sha256(path.name.encode(errors="surrogateescape")).hexdigest()[:32]
    headers = {"x-github-event": event_type, "x-github-delivery": delivery}
    event = event_context(
        event_type=event_type,
        service=SERVICE,
        webhook_id="demo",
        headers=headers,
        payload=payload,
    )
    try:
        encode_event(event)
    except InvalidDelivery as error:
        raise BodiesError(f"{path}: {error}") from None
    return Body(path.name, event_type, delivery, _external_identifier(payload), event)


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BodiesError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BodiesError(f"{path}: is no JSON: {error.msg} at {where}") from None
    except UnicodeDecodeError:
        raise BodiesError(f"{path}: is no JSON: it is no UTF-8") from None
    except RecursionError:
        raise BodiesError(f"{path}: is no JSON: it nests too deep") from None
    except ValueError:  # Python converts no more than 4,300 digits
        raise BodiesError(f"{path}: holds an integer of thousands of digits") from None


def _external_identifier(payload: dict[str, Any]) -> str:
    repository = payload.get("repository")
    name = repository.get("full_name") if isinstance(repository, dict) else None
    return name if isinstance(name, str) else ""
