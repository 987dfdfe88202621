"""Texts that an operator gives: where each came from, and the JSON in it."""

import json
from dataclasses import dataclass, field
from typing import Any

from imbi_worker.operations.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Source:
    """A text and where it came from, for messages."""

    name: str
    text: str = field(repr=False)


def parse_json(source: Source) -> Any:
    """:raises InvalidInput: naming line and column."""
    try:
        return json.loads(source.text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InvalidInput(f"{source.name} is no JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise InvalidInput(f"{source.name} nests too deep.") from None
