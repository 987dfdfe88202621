"""Configs: fresh instances, remembered refusals, and no input value in any message."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, RootModel, field_validator
from pydantic_core import PydanticCustomError

from imbi_sdk.attempt import ConfigValidator, InvalidConfig, validate_config
from imbi_sdk.json_pointer import JsonPointer
from imbi_sdk.webhook import ActionDescriptor


class Nested(BaseModel):
    count: int
    tags: list[str] = []


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    mode: Literal["fast", "slow"] = "fast"
    nested: Nested | None = None
    pointer: JsonPointer | None = None
    seen: int = 0
    numbers: dict[int, int] = {}

    @field_validator("name")
    @classmethod
    def _refuse(cls, name: str) -> str:
        Config.calls += 1
        match name.partition(":"):
            case ["quote", _, secret]:
                raise ValueError(f"cannot use {secret.upper()} here")
            case ["plain", *_]:
                raise ValueError("must be a known service")
            case ["custom", _, secret]:
                raise PydanticCustomError("odd", "odd value {value}", {"value": secret})
            case ["broken", _, secret]:
                raise RuntimeError(secret)
            case ["exit", *_]:
                raise SystemExit(3)
        return name


Config.calls = 0  # type: ignore[attr-defined]  # counts the runs of the validator


class Mappings(RootModel[list[Nested]]):
    pass


async def act(**_: object) -> None:
    pass


def descriptor(model: type[BaseModel] = Config) -> ActionDescriptor:
    fields: dict[str, Any] = {"name": "act", "label": "Act", "callable": act}
    return ActionDescriptor(**fields, config_model=model)


def problem(text: str, model: type[BaseModel] = Config) -> str:
    with pytest.raises(InvalidConfig) as refused:
        validate_config(descriptor(model), text)
    assert refused.value.__cause__ is None
    return str(refused.value)


def test_each_validation_gives_an_instance_of_its_own() -> None:
    """What an action does to its config reaches no other attempt."""
    validator = ConfigValidator()
    text = '{"name": "a", "nested": {"count": 1, "tags": ["x"]}}'
    first = validator.validate("p#act", descriptor(), text)
    assert isinstance(first, Config)
    assert first.nested is not None
    first.nested.tags.append("changed")
    second = validator.validate("p#act", descriptor(), text)
    assert isinstance(second, Config)
    assert second.nested is not None
    assert second.nested.tags == ["x"]


def test_a_refused_text_is_not_validated_again() -> None:
    """A rule that is wrong costs one validation, however many deliveries it gets."""
    validator = ConfigValidator()
    Config.calls = 0  # type: ignore[attr-defined]  # counts the runs of the validator
    messages = set()
    for _ in range(3):
        with pytest.raises(InvalidConfig) as refused:
            validator.validate("p#act", descriptor(), '{"name": "plain:"}')
        messages.add(str(refused.value))
    assert len(messages) == 1
    assert Config.calls == 1  # type: ignore[attr-defined]  # counts the runs of the validator


def test_a_reloaded_plugin_judges_anew() -> None:
    """A refusal belongs to the model that refused."""
    validator = ConfigValidator()
    with pytest.raises(InvalidConfig):
        validator.validate("p#act", descriptor(), "[]")
    assert validator.validate("p#act", descriptor(Mappings), "[]") == Mappings([])


def test_the_memory_of_refusals_is_bounded() -> None:
    """By number and by size: neither many rules nor a huge one fill the worker."""
    validator = ConfigValidator(entries=2, longest=50)
    for text in ("{}", "[]", "1", '"' + "x" * 60 + '"'):
        with pytest.raises(InvalidConfig):
            validator.validate("p#act", descriptor(), text)
    assert [text for _, text in validator._refused] == ["[]", "1"]


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "line 1 column 0"), ('{"name": ', "line 1 column 9"), ("{\n nope}", "line 2 column 2")],
)
def test_text_that_is_no_json_says_where(text: str, place: str) -> None:
    """The position and nothing of the text."""
    assert problem(text) == f"no JSON: {place}"


def test_a_lone_surrogate_is_no_json() -> None:
    """Such a text cannot even be encoded; the attempt ends like any wrong config."""
    assert problem('{"name": "\ud800"}').startswith("no JSON")
    assert problem('{"name": "\\ud800"}').startswith("no JSON")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "the whole: Input should be an object"),
        ("{}", "name: Field required"),
        ('{"name": 5}', "name: Input should be a valid string"),
        ('{"name": "a", "mode": "fsat"}', "mode: Input should be 'fast' or 'slow'"),
        (
            '{"name": "a", "nested": {"count": "x"}}',
            "nested.count: Input should be a valid integer, unable to parse string as an integer",
        ),
        ('{"name": "a", "nme": 1}', "nme: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_shape_names_field_and_reason(text: str, message: str) -> None:
    """So that an operator can correct the rule without looking at the code."""
    assert problem(text) == message


def test_a_wrong_pointer_says_what_a_pointer_looks_like() -> None:
    """The commonest mistake in real rules."""
    assert "begins with '/'" in problem('{"name": "a", "pointer": "begins with"}')


def test_a_root_model_takes_a_list() -> None:
    """Some of Imbi's own actions have one."""
    assert validate_config(descriptor(Mappings), '[{"count": 1}]') == Mappings([Nested(count=1)])
    assert problem("{}", Mappings) == "the whole: Input should be a valid array"


@pytest.mark.parametrize(
    "shape",
    [
        '{{"name": "quote:{0}"}}',
        '{{"name": "custom:{0}"}}',
        '{{"name": "broken:{0}"}}',
        '{{"name": "a", "mode": "{0}"}}',
        '{{"name": "a", "seen": "{0}"}}',
        '{{"name": "a", "pointer": "{0}"}}',
        '{{"name": "a", "numbers": {{"{0}": 1}}}}',
        '{{"name": "a", "nested": "{0}"}}',
        '"{0}"',
        '{{"name": "{0}',
    ],
)
def test_no_message_quotes_the_input(shape: str, canary: str) -> None:
    """Whatever the model's validators put into their errors, upper case included."""
    assert canary not in problem(shape.format(canary)).lower()


def test_a_reason_that_quotes_nothing_is_shown() -> None:
    """What the plugin's author wrote for the operator is worth keeping."""
    assert problem('{"name": "plain:"}') == "name: Value error, must be a known service"


def test_a_reason_that_quotes_is_replaced_by_its_kind(canary: str) -> None:
    """The operator still learns which field and why nothing more is said."""
    shown = problem('{"name": "quote:' + canary + '"}')
    assert shown == "name: refused (value_error); the reason quotes the input and is not shown"


def test_a_validator_that_fails_ends_no_worker() -> None:
    """Not even one that calls sys.exit."""
    assert problem('{"name": "exit:"}') == "the config model raised SystemExit"
    assert problem('{"name": "broken:"}') == "the config model raised RuntimeError"


def test_many_problems_are_counted() -> None:
    """A list of ten thousand wrong items makes no message of a megabyte."""
    text = "[" + ",".join(["{}"] * 50) + "]"
    assert problem(text, Mappings).endswith("; and 40 more")
