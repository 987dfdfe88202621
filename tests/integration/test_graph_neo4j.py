"""The adapter beside the contract: errors, limits, schema, what operators list."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr

from imbi_sdk.errors import ConfigurationError, GraphUnavailable
from imbi_worker.embedded import ArcadeDB
from imbi_worker.graph import (
    SCHEMA,
    GraphAddress,
    GraphLimits,
    GraphMisconfigured,
    Neo4jGraph,
    apply_schema,
)
from imbi_worker.graph.connection import Transaction, rows
from imbi_worker.graph.seed import (
    Seed,
    SeedApplication,
    SeedPlugin,
    SeedProject,
    SeedService,
    plant,
)
from waiting import until

SHORT = GraphLimits(
    connect=timedelta(seconds=0.2),
    acquire=timedelta(seconds=0.5),
    retry=timedelta(seconds=0.1),
    call=timedelta(seconds=0.5),
)
SEED = Seed(
    "acme",
    teams=("web",),
    services=(
        SeedService(
            "quality",
            "https://sonar.example",
            (
                SeedPlugin("p-1", "sonarqube", configuration="canary-4f1d-do-not-leak"),
                SeedPlugin("p-2", "aws", application=SeedApplication("app", "id", "secret")),
            ),
        ),
    ),
    projects=(SeedProject("1", "shop", "web", {"quality": "acme:shop"}),),
)


@asynccontextmanager
async def opened(address: GraphAddress, limits: GraphLimits) -> AsyncIterator[Neo4jGraph]:
    graph = Neo4jGraph.at(address, limits=limits)
    try:
        yield graph
    finally:
        await graph.close()


async def write(graph: Neo4jGraph, *statements: str) -> None:
    async def work(transaction: Transaction) -> None:
        for statement in statements:
            await rows(transaction, statement)

    await graph.connection.write(work)


async def drop_schema(graph: Neo4jGraph) -> None:
    for element in SCHEMA:
        kind = "CONSTRAINT" if element.is_unique else "INDEX"
        await write(graph, f"DROP {kind} {element.name} IF EXISTS")


async def test_nobody_at_the_address_is_unavailable(canary: str) -> None:
    """A refused connection may pass; the error names the address and no secret."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    address = GraphAddress(f"bolt://127.0.0.1:{port}", "neo4j", SecretStr(canary))
    async with opened(address, SHORT) as graph:
        with pytest.raises(GraphUnavailable, match=f"127.0.0.1:{port} cannot be reached") as caught:
            await graph.plugin("p-1")
    assert canary not in repr(caught.value)


async def test_a_server_that_never_answers_is_unavailable_in_time(canary: str) -> None:
    """A hanging database holds a job no longer than the limit, for reads and for writes."""
    released = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    address = GraphAddress(f"bolt://{host}:{port}", "neo4j", SecretStr(canary))
    async with server, opened(address, SHORT) as graph:
        began = time.monotonic()
        with pytest.raises(GraphUnavailable):
            await graph.plugin("p-1")
        with pytest.raises(GraphUnavailable):
            await graph.replace_configuration("p-1", expected=None, new="x")
        assert time.monotonic() - began < 5
        released.set()


@pytest.fixture
def left_alone(request: pytest.FixtureRequest) -> Iterator[GraphAddress]:
    """A server that may be left with a query.

    ArcadeDB computes it to its end, on a core of its own, though nobody waits for it any more:
    an embedded server is one of the test's own, and ends with it.
    """
    if os.environ.get("NEO4J_URL"):
        yield request.getfixturevalue("graph_address")
        return
    server = ArcadeDB().start()
    try:
        yield server.address
    finally:
        server.stop()


async def test_a_slow_query_is_cut_off(left_alone: GraphAddress) -> None:
    """By our clock: not every server keeps a limit of its own."""
    async with opened(left_alone, GraphLimits()) as graph:
        # A server that has just begun takes longer for its first queries.
        await graph.verify()

    async def answers() -> bool:
        with suppress(GraphUnavailable):
            await graph.verify()
            return True
        return False

    async with opened(left_alone, SHORT) as graph:
        await until(answers)
        with pytest.raises(GraphUnavailable, match="TimeoutError"):
            await graph.connection.read(
                "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b"
                " WITH a * b AS c WHERE c = -1 RETURN count(c) AS n"
            )
        await until(answers)


async def test_a_refused_login_asks_for_a_correction(graph_address: GraphAddress) -> None:
    """Waiting would not help, so it is another error; the password stays out of it."""
    if graph_address.user is None:
        pytest.skip("this server asks for no login")
    wrong = GraphAddress(
        graph_address.url, "somebody", SecretStr("canary-4f1d-do-not-leak"), graph_address.database
    )
    async with opened(wrong, GraphLimits()) as graph:
        with pytest.raises(GraphMisconfigured, match="NEO4J_PASSWORD") as caught:
            await graph.verify()
    assert "canary" not in str(caught.value) + repr(caught.value.__cause__)


async def test_a_database_that_is_not_there_asks_for_a_correction(
    graph_address: GraphAddress,
) -> None:
    """The error names the setting to look at."""
    elsewhere = GraphAddress(
        graph_address.url, graph_address.user, graph_address.password, "nowhere"
    )
    async with opened(elsewhere, GraphLimits()) as graph:
        with pytest.raises(GraphMisconfigured, match=r"'nowhere'.*NEO4J_DATABASE"):
            await graph.verify()


@pytest.mark.parametrize("url", ["http://me:{}@db.example:7474", "bolt://me:{}@db.example", "db"])
def test_an_address_that_is_none_asks_for_a_correction(url: str, canary: str) -> None:
    """Also a password written into the address stays out of the error."""
    with pytest.raises(GraphMisconfigured, match="NEO4J_URL takes bolt://") as caught:
        Neo4jGraph(url.format(canary), "neo4j", SecretStr(canary))
    assert canary not in str(caught.value) + repr(caught.value.__cause__)


async def test_options_may_be_the_text_of_a_map(graph: Neo4jGraph) -> None:
    """Imbi's own store keeps them as text."""
    await write(graph, """CREATE (:Plugin {id: 'p', plugin_slug: 'x', options: '{"a": [1]}'})""")
    record = await graph.plugin("p")
    assert record is not None
    assert record.options == {"a": [1]}
    assert (record.service_slug, record.service_plugins) == (None, ())


@pytest.mark.parametrize("stored", ["[1]", "{", "3"])
async def test_options_that_are_no_map_ask_for_a_correction(graph: Neo4jGraph, stored: str) -> None:
    """Never run with options that were not understood."""
    await write(graph, f"CREATE (:Plugin {{id: 'p', plugin_slug: 'x', options: '{stored}'}})")
    with pytest.raises(ConfigurationError, match="'p' are no JSON object"):
        await graph.plugin("p")


async def test_a_siblings_broken_options_do_not_stop_a_plugin(graph: Neo4jGraph) -> None:
    """They are another integration's trouble."""
    await plant(graph, SEED)
    await write(graph, "MATCH (p:Plugin {id: 'p-2'}) SET p.options = '{'")
    record = await graph.plugin("p-1")
    assert record is not None
    assert [(sibling.slug, sibling.options) for sibling in record.service_plugins] == [("aws", {})]


async def test_the_list_of_plugins_tells_which_have_credentials(graph: Neo4jGraph) -> None:
    """That they are there, never what they are."""
    await plant(graph, SEED)
    listed = await graph.list_plugins()
    assert [each.plugin_slug for each in listed] == ["aws", "sonarqube"]
    assert [each.has_configuration for each in listed] == [False, True]
    assert [each.has_application for each in listed] == [True, False]
    assert {(each.service_slug, each.service_endpoint) for each in listed} == {
        ("quality", "https://sonar.example")
    }
    assert "canary" not in repr(listed)


async def test_planting_twice_changes_nothing(graph: Neo4jGraph) -> None:
    """The demo may be started again on the same database."""
    count = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n) AS n, count(r) AS r"
    await plant(graph, SEED)
    once = await graph.connection.read(count)
    await plant(graph, SEED)
    assert await graph.connection.read(count) == once
    assert once[0]["n"] == 7
    found = await graph.connection.read(
        "MATCH (p:Project)-[e:EXISTS_IN]->(:ThirdPartyService {slug: 'quality'})"
        " MATCH (p)-[:OWNED_BY]->(:Team)-[:BELONGS_TO]->(o:Organization)"
        " RETURN p.id AS id, e.identifier AS identifier, o.slug AS organization"
    )
    assert found == [{"id": "1", "identifier": "acme:shop", "organization": "acme"}]


async def test_the_schema_is_created_once(graph: Neo4jGraph) -> None:
    """The command says what it created, and the second time that it was nothing."""
    await drop_schema(graph)
    assert await apply_schema(graph) == SCHEMA
    assert await apply_schema(graph) == ()


async def test_what_breaks_a_constraint_is_named(graph: Neo4jGraph) -> None:
    """With the query that finds the nodes in question."""
    await drop_schema(graph)
    await write(graph, "CREATE (:Plugin {id: 'p'})", "CREATE (:Plugin {id: 'p'})")
    with pytest.raises(GraphMisconfigured, match=r"constraint Plugin\.id cannot be created"):
        await apply_schema(graph)


async def test_writers_of_one_new_node_both_succeed(graph: Neo4jGraph) -> None:
    """The loser of the race to create it finds it at its next try."""
    await apply_schema(graph)
    await asyncio.gather(*(plant(graph, SEED) for _ in range(3)))
    assert len(await graph.list_plugins()) == 2
