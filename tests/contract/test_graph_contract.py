"""What every ``Graph`` keeps, whichever database is behind it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fake_graph import planted_fake

from imbi_sdk.context import ServicePlugin
from imbi_sdk.errors import PluginRecordMissing
from imbi_sdk.graph import Graph
from imbi_worker.graph.seed import Seed, SeedApplication, SeedPlugin, SeedService, plant

Planter = Callable[[Seed], Awaitable[Graph]]

SONAR = SeedPlugin(
    "p-sonar", "sonarqube", "ciphertext-canary", {"host": "sonar.example", "deep": {"n": [1, None]}}
)
GITHUB = SeedPlugin("p-github", "github", options={"host": "github.example"})
LOGIN = SeedPlugin(
    "p-login",
    "aws",
    application=SeedApplication("aws-app", "client-7", "ciphertext-canary"),
)
SEED = Seed(
    "acme",
    services=(
        SeedService("quality", "https://sonar.example/api", (SONAR, GITHUB)),
        SeedService("cloud", None, (LOGIN,)),
    ),
)


@pytest.fixture(params=["neo4j", "fake"])
def planted(request: pytest.FixtureRequest) -> Planter:
    if request.param == "fake":

        async def in_memory(seed: Seed) -> Graph:
            return planted_fake(seed)

        return in_memory
    database = request.getfixturevalue("graph")

    async def in_neo4j(seed: Seed) -> Graph:
        await plant(database, seed)
        return database

    return in_neo4j


async def test_a_plugin_comes_with_its_service_and_its_siblings(planted: Planter) -> None:
    """One read tells all an action needs: ciphertext, options, endpoint, neighbours."""
    record = await (await planted(SEED)).plugin("p-sonar")
    assert record is not None
    assert record.plugin_id == "p-sonar"
    assert record.plugin_slug == "sonarqube"
    assert record.configuration == "ciphertext-canary"
    assert record.options == {"host": "sonar.example", "deep": {"n": [1, None]}}
    assert record.service_slug == "quality"
    assert record.service_endpoint == "https://sonar.example/api"
    assert record.service_plugins == (
        ServicePlugin(slug="github", options={"host": "github.example"}),
    )


async def test_a_plugin_without_anything_is_still_a_plugin(planted: Planter) -> None:
    """No blob, no options, no endpoint and no sibling are answers, not errors."""
    record = await (await planted(SEED)).plugin("p-login")
    assert record is not None
    assert (record.configuration, record.service_endpoint) == (None, None)
    assert record.options == {}
    assert record.service_plugins == ()


async def test_a_plugin_that_is_not_there_is_none(planted: Planter) -> None:
    """An unknown id is no error."""
    graph = await planted(SEED)
    assert await graph.plugin("p-nobody") is None
    assert await graph.service_application("p-nobody") is None


async def test_an_id_is_data_and_never_a_query(planted: Planter) -> None:
    """Ids come from webhooks' rules: quotes and braces in them find nothing and break nothing."""
    graph = await planted(SEED)
    assert await graph.plugin("p-sonar'}) DETACH DELETE p //") is None
    assert await graph.plugin("p-sonar") is not None


async def test_an_application_is_found_by_its_plugin(planted: Planter) -> None:
    """The login belongs to the plugin that uses it, and to no other."""
    graph = await planted(SEED)
    application = await graph.service_application("p-login")
    assert application is not None
    assert (application.client_id, application.client_secret) == ("client-7", "ciphertext-canary")
    assert await graph.service_application("p-sonar") is None


async def test_no_record_shows_its_secret(planted: Planter) -> None:
    """Even ciphertext stays out of logs: a repr ends up in one."""
    graph = await planted(SEED)
    shown = repr([await graph.plugin("p-sonar"), await graph.service_application("p-login")])
    assert "canary" not in shown


@pytest.mark.parametrize(
    ("plugin", "expected", "new"),
    [
        ("p-sonar", "ciphertext-canary", "next"),
        ("p-github", None, "first"),
        ("p-sonar", "ciphertext-canary", None),
    ],
)
async def test_a_configuration_is_replaced_when_it_is_the_expected_one(
    planted: Planter, plugin: str, expected: str | None, new: str | None
) -> None:
    """Also when there was none before, and when none is left."""
    graph = await planted(SEED)
    assert await graph.replace_configuration(plugin, expected=expected, new=new)
    record = await graph.plugin(plugin)
    assert record is not None
    assert record.configuration == new


@pytest.mark.parametrize("expected", [None, "", "something else"])
async def test_a_configuration_that_has_changed_is_left_alone(
    planted: Planter, expected: str | None
) -> None:
    """Another writer's work is never overwritten."""
    graph = await planted(SEED)
    assert not await graph.replace_configuration("p-sonar", expected=expected, new="mine")
    record = await graph.plugin("p-sonar")
    assert record is not None
    assert record.configuration == "ciphertext-canary"


async def test_replacing_the_configuration_of_nobody_is_an_error(planted: Planter) -> None:
    """A write that would go nowhere says so, and creates no node."""
    graph = await planted(SEED)
    with pytest.raises(PluginRecordMissing, match="p-nobody"):
        await graph.replace_configuration("p-nobody", expected=None, new="x")
    assert await graph.plugin("p-nobody") is None


async def test_of_many_writers_at_once_exactly_one_wins(planted: Planter) -> None:
    """Compare and set is one step: nobody's write is lost without a False."""
    graph = await planted(SEED)
    won = await asyncio.gather(
        *(
            graph.replace_configuration("p-sonar", expected="ciphertext-canary", new=f"writer-{n}")
            for n in range(8)
        )
    )
    assert won.count(True) == 1
    record = await graph.plugin("p-sonar")
    assert record is not None
    assert record.configuration == f"writer-{won.index(True)}"
