"""`PluginContract`: a good plugin passes, and each fault is told by one test."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from imbi_sdk import (
    CredentialField,
    PermanentError,
    PluginContext,
    PluginManifest,
    PluginOption,
    Skip,
    WebhookActionPlugin,
    action,
    catalogue,
)
from imbi_sdk.testing import PluginContract, Sample, github_push, sample_context

Make = Callable[..., Any]
LOGGER = logging.getLogger(__name__)


class Note(BaseModel):
    """What a rule says: the label of a note."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field(min_length=1)
    level: int = 0


class Board:
    """The service a note is pinned to."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}


BOARDS: dict[str, Board] = {}


@action()
async def pin(*, ctx, credentials, external_identifier, action_config: Note, event) -> None:
    """Pin a note to the board."""
    board = BOARDS.get(ctx.assignment_options.get("service_endpoint", ""))
    if board is None:
        raise ConnectionRefusedError("the board cannot be reached")
    await asyncio.sleep(0)
    ref = event["payload"].get("ref")
    if ref is None:
        raise Skip("no ref")
    LOGGER.info("pinning for %s", external_identifier)
    board.notes[f"{external_identifier}/{action_config.label}"] = ref


@action(name="count", idempotent=False)
async def count_up(*, ctx, credentials, external_identifier, action_config: Note, event) -> None:
    """Count deliveries."""
    BOARDS["http://board"].notes[str(len(BOARDS["http://board"].notes))] = "x"


class Notes(WebhookActionPlugin):
    """A plugin as it should be."""

    manifest = PluginManifest(
        slug="notes",
        name="Notes",
        plugin_type="webhook",
        credentials=[CredentialField(name="token", label="Token")],
        options=[PluginOption(name="token", label="Not the same thing")],
    )

    @classmethod
    def actions(cls) -> list[Any]:
        return catalogue(pin, count_up)


class TestNotes(PluginContract):
    """The whole contract, as an author runs it: with a stand-in of the service."""

    plugin = Notes
    samples: ClassVar = {
        "pin": Sample(
            github_push(),
            {"label": "a"},
            bad_configs=[{"label": ""}, {"label": "a", "extra": 1}],
            external_identifier="710045",
        ),
        "count": Sample(github_push(), {"label": "a"}),
    }

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[PluginContext]:
        BOARDS["http://board"] = Board()
        yield sample_context(service="github", endpoint="http://board")
        del BOARDS["http://board"]

    def observed(self) -> dict[str, str]:
        return BOARDS["http://board"].notes


def contract(plugin: type, config: Any = None, **changes: Any) -> Any:
    """The contract of a plugin whose one action is ``act``."""
    given = {"names": ["a"]} if config is None else config
    parts = {"plugin": plugin, "samples": {"act": Sample(github_push(), given)}, **changes}
    return type("Contract", (PluginContract,), parts)()


async def nothing(**_: Any) -> None: ...


def test_a_plugin_that_would_not_load_fails(make_plugin: Make) -> None:
    """With the reason the registry gives; and each test for an action is left out."""
    broken = contract(make_plugin(nothing, names=("act", "act")))
    with pytest.raises(ValueError, match="Duplicate action names"):
        broken.test_it_loads()

    class Metafunc:
        fixturenames = ("action",)
        asked: ClassVar[list[Any]] = []

        def parametrize(self, name: str, values: list[str]) -> None:
            self.asked.append((name, values))

    broken.pytest_generate_tests(Metafunc())
    assert Metafunc.asked == [("action", [])]


def test_a_field_declared_twice_fails(make_plugin: Make) -> None:
    """One value cannot be stored for two fields."""
    plugin = make_plugin(nothing, credentials=("token", "token"))
    with pytest.raises(AssertionError, match="token"):
        contract(plugin).test_it_loads()


def test_a_slug_no_rule_can_name_fails(make_plugin: Make) -> None:
    """The registry takes it; a handler with it is refused."""
    plugin = contract(make_plugin(nothing, slug="Tickets"))
    plugin.test_it_loads()
    with pytest.raises(ValueError, match="is no handler"):
        plugin.test_every_action_has_a_handler_and_a_sample()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no actions"),
        (("act", "more"), "missing for .'more'"),
        (("other",), "no action .'act'"),
    ],
)
def test_actions_and_samples_must_match(
    make_plugin: Make, names: tuple[str, ...], message: str
) -> None:
    """An action without a sample would pass by not being looked at."""
    plugin = make_plugin(nothing, names=names)
    with pytest.raises(AssertionError, match=message):
        contract(plugin).test_every_action_has_a_handler_and_a_sample()


def test_a_shared_catalogue_fails(make_plugin: Make) -> None:
    """Callers may change theirs."""
    plugin = make_plugin(nothing)
    shared = plugin.actions()
    plugin.actions = classmethod(lambda _: shared)
    with pytest.raises(AssertionError, match="same list twice"):
        contract(plugin).test_the_catalogue_is_a_new_list_each_time()


def test_a_callable_that_cannot_run_fails(make_plugin: Make) -> None:
    """Which loads, as in Imbi, and whose jobs all die."""
    with pytest.raises(AssertionError, match="no coroutine function"):
        contract(make_plugin(lambda **_: None)).test_the_callable_fits("act")


class Opaque:
    """What no JSON Schema can describe."""


class Unwritable(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    value: Opaque


def test_a_config_without_a_schema_fails(make_plugin: Make) -> None:
    """Imbi could draw no form of it."""
    plugin = make_plugin(nothing, config_model=Unwritable)
    with pytest.raises(Exception, match="JsonSchema"):
        contract(plugin).test_the_config_has_a_json_schema("act")


class Crashing(BaseModel):
    names: list[str]

    @field_validator("names", mode="before")
    @classmethod
    def _first(cls, value: Any) -> Any:
        return value[0]


class Easygoing(BaseModel):
    names: Any = None


class Anything(RootModel[Any]):
    """A config of any shape."""


@pytest.mark.parametrize(
    ("model", "message"), [(Crashing, "the config model raised"), (Easygoing, "accepts the config")]
)
def test_a_config_model_that_does_not_refuse_fails(
    make_plugin: Make, model: type[BaseModel], message: str
) -> None:
    """It must say no, by a ValueError and not by a crash."""
    bad = {"act": Sample(github_push(), {"names": ["a"]}, bad_configs=[{"names": []}])}
    plugin = contract(make_plugin(nothing, config_model=model), samples=bad)
    with pytest.raises(AssertionError, match=message):
        plugin.test_a_bad_config_is_refused_and_not_quoted("act")


def test_a_model_that_takes_anything_is_asked_for_nothing_more(make_plugin: Make) -> None:
    """But broken JSON: the contract knows no config that is bad for it."""
    plugin = contract(make_plugin(nothing, config_model=Anything))
    plugin.test_a_bad_config_is_refused_and_not_quoted("act")


def test_an_action_that_fails_on_its_sample_fails(make_plugin: Make) -> None:
    """With its outcome and its traceback."""

    async def act(**_: Any) -> None:
        raise PermanentError("no such board")

    with pytest.raises(AssertionError, match=r"(?s)no such board.*Traceback|in act"):
        contract(make_plugin(act)).test_it_does_its_work("act")


def test_an_action_that_adds_up_fails(make_plugin: Make) -> None:
    """Its second run changes what the first one did."""
    seen: list[int] = []

    async def act(**_: Any) -> None:
        seen.append(1)

    plugin = contract(make_plugin(act), observed=lambda _: seen)
    with pytest.raises(AssertionError, match=r"changed \[1\] to \[1, 1\]"):
        plugin.test_a_second_run_does_no_harm("act")


def test_an_action_that_fails_the_second_time_fails(make_plugin: Make) -> None:
    """Even where nothing is observed."""
    seen: list[int] = []

    async def act(**_: Any) -> None:
        if seen:
            raise PermanentError("exists")
        seen.append(1)

    with pytest.raises(AssertionError, match="second run"):
        contract(make_plugin(act)).test_a_second_run_does_no_harm("act")


def test_an_action_that_ignores_its_cancel_fails(make_plugin: Make) -> None:
    """Even one that does so for ever does not hang the test."""

    async def act(**_: Any) -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                LOGGER.debug("not now")

    plugin = contract(make_plugin(act), grace=timedelta(milliseconds=20))
    with pytest.raises(AssertionError, match="let CancelledError through"):
        plugin.test_a_cancel_ends_it_in_time("act")


def test_an_action_that_a_cancel_leaves_broken_fails(make_plugin: Make) -> None:
    """The job runs again after a drain, and must find its way."""
    locked: list[int] = []

    async def act(**_: Any) -> None:
        if locked:
            raise PermanentError("locked")
        locked.append(1)
        await asyncio.sleep(0.05)
        locked.clear()

    with pytest.raises(AssertionError, match="after a cancelled one"):
        contract(make_plugin(act)).test_a_cancel_ends_it_in_time("act")


def say(where: str) -> Callable[..., Any]:
    """An action that lets its credential out at one place."""

    async def act(*, credentials: dict[str, str], event: Any, ctx: Any, **_: Any) -> None:
        token = credentials["token"]
        shown = {
            "a log": lambda: LOGGER.debug("calling with %s", token),
            "a field of a log": lambda: LOGGER.info("calling", extra={"headers": {"t": token}}),
            "a print": lambda: print(token),  # noqa: T201 - the fault itself
            "a header": lambda: LOGGER.info(base64.b64encode(f"u:{token}".encode()).decode()),
        }
        if where in shown:
            shown[where]()
        if where == "an error on an odd event" and not event["payload"]:
            raise PermanentError(f"no ref for {token}")
        if where == "an error offline" and "service_endpoint" in ctx.assignment_options:
            raise OSError(f"GET /?token={token}: refused")

    return act


@pytest.mark.parametrize(
    "where",
    [
        "a log",
        "a field of a log",
        "a print",
        "a header",
        "an error on an odd event",
        "an error offline",
    ],
)
def test_a_credential_that_gets_out_fails(make_plugin: Make, canary: str, where: str) -> None:
    """Though the worker would have masked it; and the failure does not show it either."""
    plugin = contract(make_plugin(say(where), credentials=("token",)))
    with pytest.raises(AssertionError, match="lets a credential out") as failure:
        plugin.test_no_secret_shows("act")
    assert canary not in str(failure.value)


def test_a_credential_that_stays_in_passes(make_plugin: Make) -> None:
    """The contract's own logs and errors hold none."""
    plugin = make_plugin(say("nowhere"), credentials=("token",))
    contract(plugin).test_no_secret_shows("act")
    login = make_plugin(nothing, auth_type="oauth2")
    contract(login).test_no_secret_shows("act")


def test_logging_is_as_it_was(make_plugin: Make) -> None:
    """Levels and handlers are put back."""
    root, own = logging.getLogger(), logging.getLogger(__name__.partition(".")[0])
    before = (root.level, own.level, list(root.handlers))
    contract(make_plugin(nothing)).test_no_secret_shows("act")
    assert (root.level, own.level, list(root.handlers)) == before
