"""The change of keys on a real Bolt server: interrupted, raced, and with strange things stored."""

import asyncio
import base64
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from imbi_sdk.credentials import patch_plugin_configuration
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.settings import AuthSettings
from imbi_worker.graph import PLACES, Neo4jGraph, Neo4jSecrets, StoredSecret
from imbi_worker.graph.connection import Transaction, rows
from imbi_worker.graph.seed import Seed, SeedApplication, SeedPlugin, SeedService, plant
from imbi_worker.operations.errors import Misconfigured, Unavailable
from imbi_worker.operations.rotation import KeyRing, Rotated, RotationReport, Tally, rotate

OLD, OLDER, NEW = (Fernet.generate_key().decode() for _ in range(3))
STRANGER = Fernet.generate_key().decode()


def settings(new: str = NEW, *old: str) -> AuthSettings:
    return AuthSettings(SecretStr(new), tuple(SecretStr(key) for key in old or (OLD, OLDER)))


def sealed(text: str, key: str = OLD) -> str:
    return Fernet(key).encrypt(text.encode()).decode()


def opened(ciphertext: str | None, key: str = NEW) -> str:
    assert ciphertext is not None
    return Fernet(key).decrypt(ciphertext.encode()).decode()


def plugin(name: str, configuration: str | None, secret: str | None = None) -> SeedPlugin:
    application = SeedApplication(f"{name}-app", "client", secret) if secret else None
    return SeedPlugin(name, "demo", configuration, application=application)


async def sow(graph: Neo4jGraph, *plugins: SeedPlugin) -> None:
    await plant(graph, Seed("acme", services=(SeedService("demo-service", None, plugins),)))


async def run(
    secrets: Neo4jSecrets, keys: AuthSettings | None = None, *, is_dry: bool = False
) -> RotationReport:
    tally = Tally(is_dry=is_dry)
    async for one in rotate(secrets, KeyRing(keys or settings()), is_dry=is_dry):
        tally.add(one)
    return tally.report()


async def stored(graph: Neo4jGraph) -> dict[str, str | None]:
    """All ciphertexts by name."""
    pages = [await Neo4jSecrets(graph).page(place, limit=1_000) for place in PLACES]
    return {one.name: one.ciphertext for page in pages for one in page}


async def do(graph: Neo4jGraph, statement: str) -> None:
    async def work(transaction: Transaction) -> None:
        await rows(transaction, statement)

    await graph.connection.write(work)


class Interfered(Neo4jSecrets):
    """The graph's secrets, and somebody who acts between our reading and our writing."""

    def __init__(self, graph: Neo4jGraph, times: int) -> None:
        super().__init__(graph)
        self.graph = graph
        self.times = times

    async def replace(self, secret: StoredSecret, new: str) -> bool:
        if self.times:
            self.times -= 1
            await self.interfere(secret)
        return await super().replace(secret, new)

    async def interfere(self, secret: StoredSecret) -> None:
        raise NotImplementedError


class Patched(Interfered):
    async def interfere(self, secret: StoredSecret) -> None:
        await patch_plugin_configuration(self.graph, secret.name, {f"field_{self.times}": "v"})


class Removed(Interfered):
    async def interfere(self, secret: StoredSecret) -> None:
        await do(self.graph, f"MATCH (p:Plugin {{id: '{secret.name}'}}) DETACH DELETE p")


class Emptied(Interfered):
    async def interfere(self, secret: StoredSecret) -> None:
        await do(
            self.graph, f"MATCH (p:Plugin {{id: '{secret.name}'}}) REMOVE p.plugin_configuration"
        )


@pytest.fixture
def old_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What patches in this process encrypts with an old key, as a service left behind would."""
    monkeypatch.setattr(TokenEncryption, "_instance", TokenEncryption(OLD, [NEW]))


async def test_every_secret_comes_under_the_new_key(graph: Neo4jGraph) -> None:
    """Blobs and client secrets, of any old key and of the old double encoding; byte for byte."""
    doubled = base64.urlsafe_b64encode(sealed('{"d": "4"}').encode()).decode()
    await sow(
        graph,
        plugin("old", sealed('{"a": "1"}'), sealed("secret one")),
        plugin("older", sealed('{ "b" : null }', OLDER), sealed("secret two", OLDER)),
        plugin("new", sealed('{"c": "3"}', NEW), sealed("secret three", NEW)),
        plugin("doubled", doubled),
        plugin("no-json", sealed("é, and no JSON at all")),
        plugin("none", None),
        plugin("empty", ""),
    )
    before = await stored(graph)
    report = await run(Neo4jSecrets(graph))
    assert report == RotationReport(
        is_dry=False,
        looked_at=8,
        rotated=6,
        already_new=2,
        unreadable=0,
        changed_meanwhile=0,
        failures=(),
    )
    after = await stored(graph)
    assert {name: opened(text) for name, text in after.items()} == {
        "old": '{"a": "1"}',
        "older": '{ "b" : null }',
        "new": '{"c": "3"}',
        "doubled": '{"d": "4"}',
        "no-json": "é, and no JSON at all",
        "old-app": "secret one",
        "older-app": "secret two",
        "new-app": "secret three",
    }
    assert (after["new"], after["new-app"]) == (before["new"], before["new-app"])
    assert await Neo4jSecrets(graph).count() == 8


async def test_a_secret_keeps_its_age(graph: Neo4jGraph) -> None:
    """A token says when its secret was set; a new key is no new secret."""
    then = datetime(2024, 2, 29, tzinfo=UTC)
    token = Fernet(OLD).encrypt_at_time(b"{}", int(then.timestamp())).decode()
    await sow(graph, plugin("p", token))
    await run(Neo4jSecrets(graph))
    rotated = (await stored(graph))["p"]
    assert rotated is not None
    assert Fernet(NEW).extract_timestamp(rotated.encode()) == int(then.timestamp())


async def test_a_second_run_finds_nothing_to_do(graph: Neo4jGraph) -> None:
    """Not even by writing the same once more."""
    await sow(graph, plugin("p", sealed("{}"), sealed("s")))
    await run(Neo4jSecrets(graph))
    before = await stored(graph)
    report = await run(Neo4jSecrets(graph))
    assert (report.rotated, report.already_new) == (0, 2)
    assert await stored(graph) == before


async def test_a_dry_run_counts_and_writes_nothing(graph: Neo4jGraph) -> None:
    """The figures are those that the run itself would give."""
    await sow(graph, plugin("p", sealed("{}"), sealed("s")), plugin("lost", sealed("{}", STRANGER)))
    before = await stored(graph)
    dry = await run(Neo4jSecrets(graph), is_dry=True)
    assert await stored(graph) == before
    wet = await run(Neo4jSecrets(graph))
    assert (dry.rotated, dry.unreadable, dry.failures) == (2, 1, wet.failures)
    assert wet.rotated == 2


@pytest.mark.parametrize("steps", [0, 1, 7, 11])
async def test_an_interrupted_run_leaves_everything_readable(graph: Neo4jGraph, steps: int) -> None:
    """And the next one does what is left, with no other memory than the graph."""
    await sow(graph, *(plugin(f"p-{n}", sealed(f"{n}"), sealed(f"s-{n}")) for n in range(6)))
    keys = KeyRing(settings())
    async with aclosing(rotate(Neo4jSecrets(graph), keys)) as run_of_ours:
        for _ in range(steps):
            await anext(run_of_ours)
    both = TokenEncryption(NEW, [OLD])
    expected = {f"p-{n}": f"{n}" for n in range(6)} | {f"p-{n}-app": f"s-{n}" for n in range(6)}
    assert {n: both.decrypt(text) for n, text in (await stored(graph)).items()} == expected
    report = await run(Neo4jSecrets(graph))
    assert (report.rotated, report.already_new) == (12 - steps, steps)
    assert {n: opened(text) for n, text in (await stored(graph)).items()} == expected


async def test_many_secrets_are_read_in_pages(graph: Neo4jGraph) -> None:
    """Each comes up once, whatever is written meanwhile."""
    await sow(graph, *(plugin(f"p-{n}", sealed("{}")) for n in range(230)))
    seen = Counter([one.name async for one in rotate(Neo4jSecrets(graph), KeyRing(settings()))])
    assert len(seen) == 230
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_a_page_ends_at_its_limit(graph: Neo4jGraph, limit: int) -> None:
    """And the next one goes on behind it, until one is empty."""
    await sow(graph, *(plugin(f"p-{n}", "x") for n in range(6)))
    secrets, after, sizes = Neo4jSecrets(graph), None, []
    while page := await secrets.page("Plugin", after=after, limit=limit):
        sizes.append(len(page))
        after = page[-1].node
    assert sum(sizes) == 6
    assert max(sizes) == min(limit, 6)


async def test_a_concurrent_patch_lands_and_so_does_the_rotation(
    graph: Neo4jGraph, old_writer: None
) -> None:
    """Both writers' work is there afterwards: the patch's field, under the new key."""
    await sow(graph, plugin("p", sealed('{"token": "t"}')))
    report = await run(Patched(graph, times=3))
    assert (report.rotated, report.changed_meanwhile, report.failures) == (1, 1, ())
    text = opened((await stored(graph))["p"])
    assert '"token": "t"' in text
    assert all(f'"field_{n}"' in text for n in range(3))


async def test_patches_and_rotations_at_once_all_land(graph: Neo4jGraph, old_writer: None) -> None:
    """Two rotations and a patch of each plugin, all together: no field is lost, none unreadable."""
    names = [f"p-{n}" for n in range(8)]
    await sow(graph, *(plugin(name, sealed('{"token": "t"}')) for name in names))

    async def patch_all() -> None:
        for name in names:
            await patch_plugin_configuration(graph, name, {"more": "m"})

    secrets = Neo4jSecrets(graph)
    first, second, _ = await asyncio.gather(run(secrets), run(secrets), patch_all())
    assert (first.failures, second.failures) == ((), ())
    # What was patched behind the rotations' backs is under the old key of that writer.
    await run(secrets)
    for text in (await stored(graph)).values():
        assert opened(text) == '{"token": "t", "more": "m"}'


async def test_an_endless_race_is_given_up_by_name(graph: Neo4jGraph, old_writer: None) -> None:
    """After a few tries, with nothing overwritten; the other secrets go on."""
    await sow(graph, plugin("busy", sealed("{}")), plugin("calm-app-only", None, sealed("s")))
    report = await run(Patched(graph, times=5))
    (failure,) = report.failures
    assert (failure.place, failure.name) == ("Plugin", "busy")
    assert "another writer" in failure.problem
    assert (report.rotated, report.changed_meanwhile) == (1, 1)
    assert "field_0" in opened((await stored(graph))["busy"], OLD)


async def test_a_node_that_is_removed_meanwhile_is_named(graph: Neo4jGraph) -> None:
    """It is not made again, and the run goes on."""
    await sow(graph, plugin("gone", sealed("{}")), plugin("stays", None, sealed("s")))
    report = await run(Removed(graph, times=1))
    (failure,) = report.failures
    assert (failure.place, failure.name) == ("Plugin", "gone")
    assert "removed" in failure.problem
    assert report.rotated == 1
    assert set(await stored(graph)) == {"stays-app"}


async def test_a_secret_that_is_removed_meanwhile_stays_removed(graph: Neo4jGraph) -> None:
    """Its node is there, nothing is under an old key, and nothing is written."""
    await sow(graph, plugin("emptied", sealed("{}")))
    report = await run(Emptied(graph, times=1))
    assert (report.already_new, report.changed_meanwhile, report.failures) == (1, 1, ())
    assert await stored(graph) == {}


async def test_what_no_key_opens_stays_and_is_named_without_its_content(
    graph: Neo4jGraph, canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another's key, no token at all, no text at all: each by name, none of them changed."""
    caplog.set_level(logging.DEBUG, logger="imbi_common")
    caplog.set_level(logging.DEBUG, logger="imbi_worker")
    await sow(
        graph,
        plugin("stranger", sealed("{}", STRANGER)),
        plugin("plain", canary),
        plugin("number", "x", sealed(canary, STRANGER)),
        plugin("fine", sealed(canary)),
    )
    await do(graph, "MATCH (p:Plugin {id: 'number'}) SET p.plugin_configuration = 17")
    before = await stored(graph)
    outcomes: Sequence[Rotated] = [
        one async for one in rotate(Neo4jSecrets(graph), KeyRing(settings()))
    ]
    tally = Tally(is_dry=False)
    for one in outcomes:
        tally.add(one)
    report = tally.report()
    named = {(one.place, one.name) for one in report.failures}
    assert named == {
        ("Plugin", "stranger"),
        ("Plugin", "plain"),
        ("Plugin", "number"),
        ("ServiceApplication", "number-app"),
    }
    assert (report.rotated, report.unreadable) == (1, 4)
    after = await stored(graph)
    assert {name for name, text in after.items() if before[name] != text} == {"fine"}
    page = await Neo4jSecrets(graph).page("Plugin", limit=10)
    assert canary not in f"{outcomes!r}{report!r}{page!r}{caplog.text}"


async def test_two_nodes_of_one_name_keep_their_own_secrets(graph: Neo4jGraph) -> None:
    """An application's slug is unique in its organization only; a node may have no name."""
    await do(
        graph,
        f"CREATE (:ServiceApplication {{slug: 'app', client_secret: '{sealed('one')}'}}),"
        f" (:ServiceApplication {{slug: 'app', client_secret: '{sealed('two')}'}}),"
        f" (:ServiceApplication {{client_secret: '{sealed('three')}'}})",
    )
    assert (await run(Neo4jSecrets(graph))).rotated == 3
    page = await Neo4jSecrets(graph).page("ServiceApplication", limit=10)
    assert {opened(one.ciphertext) for one in page} == {"one", "two", "three"}
    assert {one.name for one in page} >= {"app"}


async def test_a_graph_that_is_gone_is_unavailable(canary: str) -> None:
    """The error tells where to look, and no key."""
    graph = Neo4jGraph("bolt://127.0.0.1:1", "neo4j", SecretStr(canary))
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1") as caught:
        await run(Neo4jSecrets(graph))
    await graph.close()
    assert canary not in repr(caught.value)


@pytest.mark.parametrize(
    ("found", "variable"),
    [
        (AuthSettings(), "IMBI_AUTH_ENCRYPTION_KEY"),
        (AuthSettings(SecretStr("canary-4f1d-do-not-leak")), "IMBI_AUTH_ENCRYPTION_KEY"),
        (
            AuthSettings(SecretStr(NEW), (SecretStr("canary-4f1d-do-not-leak"),)),
            "IMBI_WORKER_OLD_ENCRYPTION_KEYS",
        ),
    ],
)
def test_a_key_that_is_none_is_named_by_its_variable(
    found: AuthSettings, variable: str, canary: str
) -> None:
    """Before anything is read; the key itself shows nowhere."""
    with pytest.raises(Misconfigured) as caught:
        KeyRing(found)
    assert variable in caught.value.hint
    assert canary not in f"{caught.value!r}{caught.value.hint}"
