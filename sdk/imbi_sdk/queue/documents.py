"""The wire for other languages: its JSON Schema and its test vectors, as package data."""

import json
from importlib.resources import files
from typing import Any, cast


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a job's body; a new dict for each call."""
    return _read("wire.schema.json")


def vectors() -> dict[str, Any]:
    """Examples with their ids, digests, signatures and bodies, and what must be refused."""
    return _read("vectors.json")


def _read(name: str) -> dict[str, Any]:
    text = files("imbi_sdk.queue").joinpath(name).read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))
