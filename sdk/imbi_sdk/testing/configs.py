"""Configs that a model should refuse, made from its schema and a config that is good."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from imbi_sdk.attempt import InvalidConfig, validate_config
from imbi_sdk.webhook import ActionDescriptor

# Stands in every one of them, and must stand in no message.
CANARY: Final = "canary-4f1d-do-not-leak"
_WRONG: Final = (CANARY, [CANARY], {"key": CANARY}, [[{"key": CANARY}]], None, -1.5)


def text_of(config: Mapping[str, Any] | Sequence[Any] | str) -> str:
    """A config as a job carries it; a text is JSON already."""
    return config if isinstance(config, str) else json.dumps(config, default=dict)


def surely_bad(descriptor: ActionDescriptor) -> Iterator[str]:
    """Texts that no model may accept: broken JSON, and nothing where something is required."""
    yield f'{{"{CANARY}'
    required = schema(descriptor).get("required")
    if required:
        yield "{}"


def perhaps_bad(descriptor: ActionDescriptor, good: Mapping[str, Any]) -> Iterator[str]:
    """Texts with a value of another type in one place: a model accepts what it can read."""
    yield json.dumps(CANARY)
    yield json.dumps([CANARY])
    for name in cast("Mapping[str, Any]", schema(descriptor).get("properties", {})):
        for wrong in _WRONG:
            yield json.dumps({**good, name: wrong})


def refusal(descriptor: ActionDescriptor, text: str) -> str | None:
    """Why *text* is refused; None when it is accepted. The action is not called."""
    try:
        validate_config(descriptor, text)
    except InvalidConfig as error:
        return str(error)
    return None


def schema(descriptor: ActionDescriptor) -> dict[str, Any]:
    """The JSON Schema of the config model."""
    return descriptor.config_model.model_json_schema()
