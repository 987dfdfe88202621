"""Another store than Neo4j: found by its entry point, opened with plain values."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imbi_worker import wiring
from imbi_worker.graph import Neo4jGraph
from imbi_worker.settings import Settings, SettingsError
from installing import install

ADAPTER = """
class Store:
    def __init__(self, url, user, password, database):
        self.opened = (url, user, password.get_secret_value(), database)
"""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("NEO4J_URL", "store://somewhere")
    monkeypatch.setenv("NEO4J_PASSWORD", "p")
    return Settings.load(graph="other")


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an installed adapter; it takes four values and no ca_file."""
    points = {"other": "other_store:Store"}
    modules = {"other_store": ADAPTER}
    install(tmp_path, "other-store", points, modules=modules, group="imbi.worker.graphs")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "other"
    sys.modules.pop("other_store", None)


@pytest.mark.usefixtures("adapter")
def test_an_adapter_is_found_by_its_entry_point(settings: Settings) -> None:
    store = wiring.open_store(settings)
    assert store.opened == ("store://somewhere", "neo4j", "p", "neo4j")  # type: ignore[attr-defined]  # the test's own class


def test_an_adapter_that_knows_no_authorities_is_named_with_the_setting(
    settings: Settings, tmp_path: Path, adapter: str
) -> None:
    """And what to do; no traceback of a call that cannot be."""
    trusting = settings.model_copy(update={"neo4j_ca_file": tmp_path / "ca.pem"})
    with pytest.raises(SettingsError, match=rf"NEO4J_CA_FILE: .*'{adapter}' takes no ca_file: lea"):
        wiring.open_store(trusting)


def test_an_adapter_of_another_shape_is_refused_by_its_name(
    settings: Settings, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("other_store")
    monkeypatch.setattr(module.Store, "__init__", lambda self, url: None)
    with pytest.raises(SettingsError, match=rf"IMBI_WORKER_GRAPH: the adapter '{adapter}' cannot"):
        wiring.open_store(settings)


def test_an_adapter_that_is_not_installed_is_named_with_those_that_are(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"IMBI_WORKER_GRAPH: .*'other' \(there are: neo4j\)"):
        wiring.open_store(settings)


async def test_neo4j_is_one_of_them(settings: Settings) -> None:
    neo4j = settings.model_copy(update={"graph": "neo4j", "neo4j_url": "bolt://127.0.0.1:1"})
    store = wiring.open_store(neo4j)
    assert isinstance(store, Neo4jGraph)
    await store.close()
