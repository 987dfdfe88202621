"""How an action is called, decided from its signature, and the decorator."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from imbi_sdk import ActionDescriptor, action, catalogue
from imbi_sdk.actions import UnfitCallable, callable_kind


class Config(BaseModel):
    """A config."""

    queue: str = "inbox"


def kind(function: Callable[..., Any]) -> str | UnfitCallable:
    fields = {"name": "run", "label": "Run", "config_model": Config, "callable": function}
    return callable_kind(ActionDescriptor.model_validate(fields))


async def takes_event(*, ctx, credentials, external_identifier, action_config, event) -> None:
    """As since Imbi 2.10."""


async def takes_payload(*, ctx, credentials, external_identifier, action_config, payload) -> None:
    """As before."""


async def takes_both(
    *, ctx, credentials, external_identifier, action_config, event, payload=None
) -> None:
    """Written for both."""


async def takes_either(
    *, ctx, credentials, external_identifier, action_config, payload, event=None
) -> None:
    """Written for the old, with an eye on the new."""


async def takes_anything(**kwargs: Any) -> None:
    """Whatever it is."""


async def takes_positions(ctx, credentials, external_identifier, action_config, event) -> None:
    """May be called by name."""


async def takes_more(
    *, ctx, credentials, external_identifier, action_config, event, retries=3, **more: Any
) -> None:
    """With defaults of its own."""


def passing_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> None:
        await function(*args, **kwargs)

    return wrapper


def passing_on_plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def translating(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*, event: dict[str, Any], **kwargs: Any) -> None:
        await function(payload=event["payload"], **kwargs)

    return wrapper


class Callee:
    """An instance that is called like a function."""

    async def __call__(
        self, *, ctx, credentials, external_identifier, action_config, event
    ) -> None: ...

    async def method(
        self, *, ctx, credentials, external_identifier, action_config, payload
    ) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (takes_event, "event"),
        (takes_payload, "payload"),
        (takes_both, "event"),
        (takes_either, "payload"),
        (takes_anything, "kwargs"),
        (takes_positions, "event"),
        (takes_more, "event"),
        (passing_on(takes_payload), "payload"),
        (passing_on(passing_on(takes_event)), "event"),
        (passing_on_plainly(takes_event), "event"),
        (passing_on(takes_anything), "kwargs"),
        (translating(takes_payload), "event"),
        (functools.partial(takes_more, retries=5), "event"),
        (functools.partial(passing_on(takes_payload)), "payload"),
        (functools.partial(functools.partial(takes_payload)), "payload"),
        (Callee(), "event"),
        (Callee().method, "payload"),
    ],
)
def test_the_signature_says_what_is_passed(function: Callable[..., Any], expected: str) -> None:
    """Partials, decorators, methods and instances are looked through."""
    assert kind(function) == expected


def plain(*, ctx, credentials, external_identifier, action_config, event) -> None:
    """Not a coroutine function."""


async def generator(*, ctx, credentials, external_identifier, action_config, event):
    """An asynchronous generator is none either."""
    yield


@pytest.mark.parametrize(
    "function",
    [plain, print, generator, Callee, functools.partial(plain), passing_on_plainly(plain)],
)
def test_what_is_no_coroutine_function_is_told(function: Callable[..., Any]) -> None:
    """The text names it and the cure."""
    problem = kind(function)
    assert isinstance(problem, UnfitCallable)
    assert problem.kind == "no coroutine function"
    assert problem.text.endswith("is no coroutine function; declare it with 'async def'")


async def takes_no_event(*, ctx, credentials, external_identifier, action_config) -> None:
    """Forgets the event."""


async def takes_no_config(*, ctx, credentials, external_identifier, event) -> None:
    """Forgets the config."""


async def wants_more(
    *, ctx, credentials, external_identifier, action_config, event, project
) -> None:
    """Asks for what nobody gives."""


async def takes_only_positions(
    ctx, credentials, external_identifier, action_config, event, /
) -> None:
    """Cannot be called by name."""


async def wants_both(
    *, ctx, credentials, external_identifier, action_config, event, payload
) -> None:
    """Cannot have both."""


@pytest.mark.parametrize(
    "function",
    [
        takes_no_event,
        takes_no_config,
        wants_more,
        takes_only_positions,
        wants_both,
        passing_on(takes_no_event),
    ],
)
def test_a_signature_that_would_refuse_the_call_is_told(function: Callable[..., Any]) -> None:
    """Before any job is lost to it; the text shows both signatures."""
    problem = kind(function)
    assert isinstance(problem, UnfitCallable)
    assert problem.kind == "bad signature"
    assert f"{__name__}:" in problem.text
    assert problem.text.endswith(
        "an action is called with (*, ctx, credentials, external_identifier, action_config, event)"
    )


def test_a_circle_of_decorators_ends() -> None:
    """A ``__wrapped__`` that leads back is looked at once."""

    async def circular(**kwargs: Any) -> None: ...

    circular.__wrapped__ = circular  # type: ignore[attr-defined]  # the point
    assert kind(circular) == "kwargs"


async def close_ticket(
    *, ctx, credentials, external_identifier, action_config: Config, event
) -> None:
    """Close the ticket.

    A ticket that is closed already stays so.
    """


def test_a_declared_function_describes_itself() -> None:
    """Name, label, description and config model are read from it; it stays callable."""
    declared = action()(close_ticket)
    (descriptor,) = catalogue(declared)
    assert declared is close_ticket
    assert descriptor == ActionDescriptor(
        name="close_ticket",
        label="Close the ticket",
        description="A ticket that is closed already stays so.",
        callable=close_ticket,
        config_model=Config,
    )
    assert descriptor.model_dump(mode="json")["callable"] == f"{__name__}.close_ticket"


def test_what_is_said_counts_before_what_is_read() -> None:
    """Every field of a descriptor can be given."""

    async def run(*, ctx, credentials, external_identifier, action_config, event) -> None: ...

    said = {
        "name": "shut",
        "label": "Shut",
        "description": "Shuts.",
        "config_model": Config,
        "timeout": 30,
        "max_attempts": 2,
        "retry": [timedelta(seconds=1), 5],
        "idempotent": False,
        "idempotent_when": bool,
    }
    (descriptor,) = catalogue(action(**said)(run))  # type: ignore[arg-type]  # a mixed dict
    assert descriptor == ActionDescriptor.model_validate(said | {"callable": run})


def test_a_function_without_words_is_labelled_by_its_name() -> None:
    """No docstring is no obstacle."""

    async def close_it(
        *, ctx, credentials, external_identifier, action_config: Config, event
    ) -> None: ...

    (descriptor,) = catalogue(action()(close_it))
    assert (descriptor.label, descriptor.description) == ("Close it", None)


def test_a_catalogue_is_new_each_time() -> None:
    """Callers may change theirs."""
    declared = action()(close_ticket)
    catalogue(declared).clear()
    assert [one.name for one in catalogue(declared)] == ["close_ticket"]


def test_a_function_that_is_not_declared_is_told() -> None:
    """The text says how to declare it."""
    with pytest.raises(TypeError, match="takes_event is no declared action; decorate it"):
        catalogue(takes_event)


def test_a_function_without_a_config_model_is_told() -> None:
    """The text names both ways to say it."""

    async def run(*, ctx, credentials, external_identifier, action_config: dict, event) -> None: ...

    with pytest.raises(TypeError, match="annotate 'action_config' with a pydantic model, or pass"):
        catalogue(action()(run))
