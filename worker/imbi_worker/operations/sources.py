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
    """:raises InvalidInput: it is no JSON, with line and column, or none that Python can read."""
    try:
        return json.loads(source.text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InvalidInput(f"{source.name} is no JSON: {error.msg} at {where}.") from None
    except ValueError:  # Python converts no more than 4,300 digits
        told = f"{source.name} holds an integer of thousands of digits."
        raise InvalidInput(told, "Write it as a string.") from None
    except RecursionError:
        raise InvalidInput(f"{source.name} nests too deep.") from None
