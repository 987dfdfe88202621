"""``bolt+s://`` and ``neo4j+s://``: certificates and names are verified, with their reasons."""

import gc
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from certificates import HOST, Authority
from imbi_sdk.errors import GraphUnavailable
from imbi_worker import wiring
from imbi_worker.graph import GraphAddress, GraphMisconfigured, Neo4jGraph
from imbi_worker.operations.checks import graph_finding
from imbi_worker.settings import Settings
from waiting import until

# The driver (6.4) leaves the transport of a handshake that was cut to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What the driver has left is collected here, and not in another test."""
    yield
    gc.collect()


def at(address: GraphAddress, scheme: str, host: str = HOST) -> str:
    return f"{scheme}://{host}:{urlsplit(address.url).port}"


@pytest.fixture
def settings(
    graph_behind_tls: GraphAddress, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """As an operator writes them."""
    address = graph_behind_tls
    monkeypatch.setenv("NEO4J_URL", at(address, "neo4j+s"))
    monkeypatch.setenv("NEO4J_USER", address.user or "")
    monkeypatch.setenv("NEO4J_PASSWORD", address.password.get_secret_value())
    monkeypatch.setenv("NEO4J_DATABASE", address.database)
    monkeypatch.setenv("NEO4J_CA_FILE", str(authority.file))
    return Settings.load()


async def answers(graph: Neo4jGraph) -> bool:
    try:
        await graph.verify()
    except GraphUnavailable:
        return False
    return True


@pytest.mark.parametrize("scheme", ["bolt+s", "neo4j+s"])
async def test_a_graph_of_an_authority_of_ours_is_read(settings: Settings, scheme: str) -> None:
    """Through routing, too, where each server of the cluster shows a certificate."""
    assert settings.neo4j_url is not None
    url = settings.neo4j_url.replace("neo4j+s", scheme)
    store = wiring.open_store(settings.model_copy(update={"neo4j_url": url}))
    assert isinstance(store, Neo4jGraph)
    try:
        await until(lambda: answers(store), within=30)
        assert await store.plugin("none") is None
    finally:
        await store.close()


async def refusal(settings: Settings, **changes: object) -> str:
    graph = wiring.open_graph(settings.model_copy(update=changes))
    try:
        with pytest.raises(GraphMisconfigured) as refused:
            await graph.verify()
    finally:
        await graph.close()
    assert settings.neo4j_password.get_secret_value() not in str(refused.value)
    return str(refused.value)


async def test_a_graph_of_an_unknown_authority_is_refused(settings: Settings) -> None:
    """The system's are asked, which do not know ours; the setting that helps is named."""
    assert settings.neo4j_url is not None
    url = settings.neo4j_url.replace("neo4j+s", "bolt+s")
    said = await refusal(settings, neo4j_url=url, neo4j_ca_file=None)
    assert "its certificate is not trusted" in said
    assert "NEO4J_CA_FILE" in said


async def test_a_graph_under_another_name_is_refused(settings: Settings) -> None:
    """Its certificate has two names, and this way to write 127.0.0.1 is none of them."""
    assert settings.neo4j_url is not None
    url = settings.neo4j_url.replace(f"neo4j+s://{HOST}", "bolt+s://127.1")
    said = await refusal(settings, neo4j_url=url)
    assert "not valid for '127.1'" in said
    assert "a name that stands in the certificate" in said


async def test_a_graph_behind_tls_is_not_read_without(settings: Settings) -> None:
    """There is no way back to a connection that is not encrypted."""
    assert settings.neo4j_url is not None
    url = settings.neo4j_url.replace("neo4j+s", "bolt")
    store = wiring.open_graph(settings.model_copy(update={"neo4j_url": url, "neo4j_ca_file": None}))
    try:
        assert not await answers(store)
    finally:
        await store.close()


async def test_a_graph_that_anybody_may_be_is_a_warning(settings: Settings) -> None:
    """`check` says so of `+ssc`, and of no other way."""
    assert settings.neo4j_url is not None
    for security, status in (("+ssc", "warning"), ("+s", "ok")):
        url = settings.neo4j_url.replace("neo4j+s", f"bolt{security}")
        ca_file = settings.neo4j_ca_file if security == "+s" else None
        graph = wiring.open_graph(
            settings.model_copy(update={"neo4j_url": url, "neo4j_ca_file": ca_file})
        )
        try:
            await until(lambda graph=graph: answers(graph), within=30)
            assert (await graph_finding(graph)).status == status
        finally:
            await graph.close()


def test_an_authority_for_an_address_that_asks_for_none_is_refused(settings: Settings) -> None:
    """Whoever names one believes that certificates are verified: `+ssc` trusts anybody."""
    assert settings.neo4j_url is not None
    for scheme in ("neo4j", "bolt", "neo4j+ssc"):
        url = settings.neo4j_url.replace("neo4j+s", scheme)
        with pytest.raises(GraphMisconfigured, match=r"write (neo4j|bolt)\+s://"):
            wiring.open_graph(settings.model_copy(update={"neo4j_url": url}))


def test_a_file_without_certificates_is_named(settings: Settings, tmp_path: Path) -> None:
    """Before anybody connects."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (empty, tmp_path / "nowhere"):
        with pytest.raises(GraphMisconfigured, match=f"NEO4J_CA_FILE: .*{path.name}"):
            wiring.open_graph(settings.model_copy(update={"neo4j_ca_file": path}))
