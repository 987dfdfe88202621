"""Descriptors: what an action's entry in the catalogue accepts."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, RootModel, ValidationError

from imbi_sdk import ActionDescriptor, WebhookActionPlugin


class Config(BaseModel):
    """A config."""


async def run(**kwargs: Any) -> None:
    """Run."""


def describe(**fields: Any) -> ActionDescriptor:
    return ActionDescriptor.model_validate(
        {"name": "run", "label": "Run", "callable": run, "config_model": Config} | fields
    )


@pytest.mark.parametrize("name", ["A", "a-b", "_a", "", "a\n", "1a"])
def test_a_name_is_lower_case_words(name: str) -> None:
    """A name that no handler could mean is refused, a trailing newline too."""
    with pytest.raises(ValidationError, match="name"):
        describe(name=name)


def test_a_label_is_not_empty() -> None:
    """Operators choose by the label."""
    with pytest.raises(ValidationError, match="label"):
        describe(label="")


@pytest.mark.parametrize("path", ["asyncio.tasks:sleep", "asyncio.tasks.sleep"])
def test_a_callable_may_be_a_path(path: str) -> None:
    """Both spellings are imported at once, and written back as a dotted path."""
    descriptor = describe(callable=path, config_model="pydantic.BaseModel")
    assert descriptor.callable.__name__ == "sleep"
    assert descriptor.model_dump(mode="json")["callable"] == "asyncio.tasks.sleep"
    assert descriptor.config_model is BaseModel


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"callable": "asyncio.tasks:no_such_thing"}, "import_error"),
        ({"callable": 3}, "callable_type"),
        ({"callable": "sys:maxsize"}, "callable_type"),
        ({"config_model": dict}, "is_subclass_of"),
        ({"config_model": "json:dumps"}, "is_subclass_of"),
    ],
)
def test_what_cannot_be_used_fails_at_once(fields: dict[str, Any], kind: str) -> None:
    """A wrong path fails when the plugin is loaded, not when a job runs."""
    with pytest.raises(ValidationError) as raised:
        describe(**fields)
    assert [error["type"] for error in raised.value.errors()] == [kind]


def test_a_config_may_be_a_list_at_its_root() -> None:
    """``RootModel`` is a model like others."""
    assert describe(config_model=RootModel[list[int]]).config_model is RootModel[list[int]]


def test_a_plain_function_loads_as_it_does_in_imbi() -> None:
    """That it is no coroutine function is found where it is called."""
    assert describe(callable=print).callable is print


def test_what_the_worker_is_told_is_optional() -> None:
    """A descriptor written for Imbi has no wishes, and may be run again."""
    plain = describe()
    assert (plain.timeout, plain.max_attempts, plain.retry) == (None, None, None)
    assert (plain.idempotent, plain.idempotent_when) == (True, None)


def test_durations_are_seconds_or_timedeltas() -> None:
    """Both mean the same."""
    wished = describe(timeout=2.5, retry=[1, timedelta(minutes=1)], max_attempts=1)
    assert wished.timeout == timedelta(seconds=2.5)
    assert wished.retry == (timedelta(seconds=1), timedelta(minutes=1))


@pytest.mark.parametrize(
    "wish",
    [{"timeout": 0}, {"timeout": -1}, {"max_attempts": 0}, {"retry": []}, {"retry": [0]}],
)
def test_a_wish_that_means_nothing_is_refused(wish: dict[str, Any]) -> None:
    """No time, no attempt and no wait are no answers."""
    with pytest.raises(ValidationError):
        describe(**wish)


def test_a_plugin_without_actions_cannot_be_made() -> None:
    """The catalogue is the one thing a webhook plugin has to have."""
    broken = type("Broken", (WebhookActionPlugin,), {})
    with pytest.raises(TypeError, match="actions"):
        broken()
