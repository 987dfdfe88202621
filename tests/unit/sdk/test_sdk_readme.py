"""The examples of the README, run."""

import re
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imbi_sdk import PermanentError, PluginContext, Skip, errors, find_action, load_plugins
from imbi_sdk.actions import callable_kind

README = Path(__file__).parents[3] / "sdk" / "README.md"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, empty_registry: None) -> ModuleType:
    """The plugin of the README as a module."""
    block = re.search(r"```python\n(from datetime.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert block
    module = ModuleType("imbi_plugin_tickets")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(block[1], vars(module))  # noqa: S102 - our own README
    return module


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"merged": False}, Skip("the pull request is not merged")),
        ({"merged": True}, PermanentError("the event has nothing at '/payload/ticket/id'")),
        ({"merged": True, "ticket": {"id": 7}}, None),
    ],
)
async def test_the_example_is_a_plugin(
    example: Any, payload: dict[str, Any], error: Exception | None
) -> None:
    """It loads, its action can be called, and it has its say."""
    assert load_plugins(builtins=[example.TicketsPlugin]).loaded == ["tickets"]
    _, descriptor = find_action("tickets", "close_ticket")
    assert callable_kind(descriptor) == "event"
    expected = nullcontext() if error is None else pytest.raises(type(error), match=str(error))
    with expected:
        await descriptor.callable(
            ctx=PluginContext(project_id="1", project_slug="api", org_slug="acme"),
            credentials={},
            external_identifier="",
            action_config=descriptor.config_model.model_validate({"ticket": "/payload/ticket/id"}),
            event={"payload": payload},
        )


def test_the_table_of_errors_names_real_ones() -> None:
    """And every one that gives an author a say."""
    table = re.findall(r"^\| (`.*?) \|", README.read_text("utf-8"), re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"`(\w+)", cell)}
    assert all(hasattr(errors, name) for name in named)
    assert named >= {
        cls.__name__
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.ActionError | errors.Skip)
    } - {"ActionError"}
