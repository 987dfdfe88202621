"""Another store than Neo4j: found by its entry point, opened with plain values."""

import sys
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


def test_an_adapter_is_found_by_its_entry_point(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"other": "other_store:Store"}
    modules = {"other_store": ADAPTER}
    install(tmp_path, "other-store", points, modules=modules, group="imbi.worker.graphs")
    monkeypatch.syspath_prepend(str(tmp_path))
    store = wiring.open_store(settings)
    assert store.opened == ("store://somewhere", "neo4j", "p", "neo4j")  # type: ignore[attr-defined]  # the test's own class
    sys.modules.pop("other_store", None)


def test_an_adapter_that_is_not_installed_is_named_with_those_that_are(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"IMBI_WORKER_GRAPH: .*'other' \(there are: neo4j\)"):
        wiring.open_store(settings)


async def test_neo4j_is_one_of_them(settings: Settings) -> None:
    neo4j = settings.model_copy(update={"graph": "neo4j", "neo4j_url": "bolt://127.0.0.1:1"})
    store = wiring.open_store(neo4j)
    assert isinstance(store, Neo4jGraph)
    await store.close()
