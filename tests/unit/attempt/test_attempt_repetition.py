"""Which rules of an action may run again when nobody knows how a run has ended."""

from typing import Any

import pytest
from pydantic import BaseModel

from imbi_sdk.attempt import ConfigValidator
from imbi_sdk.attempt.repetition import is_idempotent
from imbi_sdk.webhook import ActionDescriptor


class Config(BaseModel):
    run_id: str | None = None
    number: int = 0


async def act(**_: Any) -> None:
    """Nothing."""


def has_run_id(config: Config) -> bool:
    return config.run_id is not None


def fails(config: Config) -> bool:
    raise SystemExit(config.number)


def may_repeat(config: str, **fields: Any) -> bool:
    descriptor = ActionDescriptor(
        name="add", label="Add", callable=act, config_model=Config, **fields
    )
    return is_idempotent("p#add", descriptor, config, ConfigValidator())


def test_the_declaration_alone_decides_without_a_condition() -> None:
    """The config is not even looked at."""
    assert may_repeat("no JSON")
    assert not may_repeat("{}", idempotent=False)
    assert not may_repeat('{"run_id": "1"}', idempotent=False)


def test_the_rule_decides_where_the_action_asks_it() -> None:
    """One action may append with one config and replace with another."""
    fields = {"idempotent": False, "idempotent_when": has_run_id}
    assert may_repeat('{"run_id": "1"}', **fields)
    assert not may_repeat("{}", **fields)


def test_a_config_that_is_not_valid_may_be_tried() -> None:
    """It ends before anything is called, with the reason that helps."""
    assert may_repeat('{"number": "x"}', idempotent=False, idempotent_when=has_run_id)


@pytest.mark.parametrize("condition", [fails, lambda _: "yes"])
def test_a_condition_that_does_not_say_true_has_not_agreed(condition: Any) -> None:
    """A failing plugin must not cause a second run, nor end the worker."""
    assert not may_repeat("{}", idempotent=False, idempotent_when=condition)


def test_a_condition_can_be_named_by_its_path() -> None:
    """As the other functions of a descriptor."""
    descriptor = ActionDescriptor(
        name="add",
        label="Add",
        callable=act,
        config_model=Config,
        idempotent=False,
        idempotent_when=f"{__name__}:has_run_id",
    )
    assert descriptor.idempotent_when is has_run_id
    assert descriptor.model_dump(mode="json")["idempotent_when"].endswith("has_run_id")
