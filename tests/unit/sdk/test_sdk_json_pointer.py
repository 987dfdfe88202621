"""JSON pointers in the config models of actions."""

import pytest
from jsonpointer import JsonPointer as Pointer
from pydantic import BaseModel, ValidationError

from imbi_sdk import JsonPointer


class Config(BaseModel):
    """A config with a pointer."""

    path: JsonPointer


@pytest.mark.parametrize("path", ["", "/", "/project/key", "/a~1b/m~0n"])
def test_a_text_becomes_a_pointer_and_a_text_again(path: str) -> None:
    """What a rule says comes back unchanged."""
    config = Config.model_validate({"path": path})
    assert isinstance(config.path, Pointer)
    assert config.model_dump() == {"path": path}
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_a_pointer_is_taken_as_it_is() -> None:
    """A default in code may be a pointer."""
    pointer = Pointer("/project/key")
    assert Config(path=pointer).path is pointer


def test_the_schema_names_the_format() -> None:
    """A form can check the text before the rule is stored."""
    assert Config.model_json_schema()["properties"]["path"] == {
        "type": "string",
        "format": "json-pointer",
        "title": "Path",
    }


@pytest.mark.parametrize(
    ("given", "kind"),
    [("project/key", "json_pointer"), ("/a~2", "json_pointer"), (7, "json_pointer_type")],
)
def test_what_is_no_pointer_is_refused_without_quoting_it(given: object, kind: str) -> None:
    """The message says what a pointer looks like, not what was given."""
    with pytest.raises(ValidationError) as raised:
        Config.model_validate({"path": given})
    (error,) = raised.value.errors(include_input=False)
    assert error["type"] == kind
    assert str(given) not in error["msg"]
