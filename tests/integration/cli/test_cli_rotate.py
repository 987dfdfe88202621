"""`credentials rotate` as an operator meets it: figures, the question, the bar, exit codes."""

import json
import re
import signal
from typing import Any

import pytest
from bolt import Bolt
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from station import Station
from terminal import terminal

from imbi_worker.graph import PLACES, GraphAddress, Neo4jGraph, Neo4jSecrets
from imbi_worker.graph.seed import Seed, SeedApplication, SeedPlugin, SeedService, plant

OLD = Fernet.generate_key().decode()
STRANGER = Fernet.generate_key().decode()


def sealed(text: str, key: str = OLD) -> str:
    return Fernet(key).encrypt(text.encode()).decode()


class Vault(Bolt):
    """A graph with the new key."""

    def __init__(self, address: GraphAddress, key: str) -> None:
        super().__init__(address)
        self.key = key

    def sow(self, *plugins: SeedPlugin) -> None:
        services = (SeedService("demo-service", None, plugins),)
        self.do(lambda graph: plant(graph, Seed("acme", services=services)))

    def sow_many(self, count: int, text: str) -> None:
        self.sow(*(SeedPlugin(f"p-{n:03}", "demo", sealed(text)) for n in range(count)))

    def stored(self) -> dict[str, str | None]:
        async def work(graph: Neo4jGraph) -> dict[str, str | None]:
            pages = [await Neo4jSecrets(graph).page(place, limit=1_000) for place in PLACES]
            return {one.name: one.ciphertext for page in pages for one in page}

        return self.do(work)

    def opened(self, *old: str) -> dict[str, str | None]:
        """The plain texts, by the new key alone or with older ones; None where none fits."""
        keys = MultiFernet([Fernet(key) for key in (self.key, *old)])
        return {name: opened(text, keys) for name, text in self.stored().items()}


def opened(text: str | None, keys: MultiFernet) -> str | None:
    assert text is not None
    try:
        return keys.decrypt(text).decode()
    except InvalidToken:
        return None


@pytest.fixture
def vault(
    station: Station,
    graph_address: GraphAddress,
    encryption_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Vault:
    vault = Vault(graph_address, encryption_key)
    vault.is_configured(monkeypatch)
    monkeypatch.setenv("IMBI_WORKER_OLD_ENCRYPTION_KEYS", OLD)
    return vault


def test_a_rotation_is_warned_of_done_and_counted(
    station: Station, vault: Vault, canary: str
) -> None:
    """The warning comes first, on stderr; no value and no key shows."""
    vault.sow(
        SeedPlugin("p-1", "demo", sealed(canary), application=SeedApplication("app", "id", canary)),
        SeedPlugin("p-2", "demo", sealed("{}", vault.key)),
    )
    vault.sow(
        SeedPlugin("p-3", "aws", application=SeedApplication("other", "id", sealed(canary))),
    )
    result = station.call("credentials", "rotate", "--yes")
    assert result.exit_code == 1
    assert result.stderr.startswith("Imbi's other services must already have the new key")
    assert "2 rotated, 1 already new, 1 unreadable." in result.stderr
    (line,) = [line for line in result.stdout.splitlines() if "ServiceApplication" in line]
    assert "app" in line
    assert "no key that was given opens it" in line
    assert "opens it (1 secret): Add its key to IMBI_WORKER_OLD_ENCRYPTION_KEYS" in result.stdout
    for secret in (canary, OLD, vault.key, "gAAAA"):
        assert secret not in result.output
    assert vault.opened() == {"p-1": canary, "p-2": "{}", "other": canary, "app": None}


def test_when_nothing_is_left_over_all_is_well(station: Station, vault: Vault) -> None:
    """Exit code 0, as often as one likes; also for a graph without secrets."""
    assert station.call("credentials", "rotate", "--yes").exit_code == 0
    vault.sow_many(3, "{}")
    for told in ("3 rotated, 0 already new", "0 rotated, 3 already new"):
        result = station.call("credentials", "rotate", "--yes")
        assert result.exit_code == 0, result.output
        assert told in result.stderr


def test_the_figures_are_data(station: Station, vault: Vault) -> None:
    """One object, with the secrets that are left over by name."""
    vault.sow(SeedPlugin("p-1", "demo", sealed("{}", STRANGER)), SeedPlugin("p-2", "demo", "{}"))
    vault.sow_many(2, "{}")
    result = station.call("credentials", "rotate", "--yes", "--json")
    assert result.exit_code == 1
    told: dict[str, Any] = json.loads(result.stdout)
    failures = told.pop("failures")
    assert told == {
        "is_dry": False,
        "looked_at": 4,
        "rotated": 2,
        "already_new": 0,
        "unreadable": 2,
        "changed_meanwhile": 0,
    }
    assert {(one["place"], one["name"]) for one in failures} == {
        ("Plugin", "p-1"),
        ("Plugin", "p-2"),
    }


def test_a_dry_run_neither_asks_nor_writes(station: Station, vault: Vault) -> None:
    """It only says what there is to do."""
    vault.sow_many(2, "{}")
    before = vault.stored()
    result = station.call("credentials", "rotate", "--dry-run")
    assert result.exit_code == 0
    assert "2 to rotate, 0 already new, 0 unreadable." in result.stderr
    assert vault.stored() == before


def test_a_rate_that_is_none_is_told_before_the_question(station: Station, vault: Vault) -> None:
    """And a rotation at a rate does what one without does."""
    vault.sow_many(2, "{}")
    refused = station.call("credentials", "rotate", "--rate", "often")
    assert refused.exit_code == 2
    assert "5/s" in refused.stderr
    result = station.call("credentials", "rotate", "--yes", "--rate", "1000/s", "--json")
    assert json.loads(result.stdout)["rotated"] == 2


def test_nothing_is_rotated_where_nobody_can_be_asked(station: Station, vault: Vault) -> None:
    """A script says `--yes`, or it is a mistake: exit code 2."""
    vault.sow_many(1, "{}")
    before = vault.stored()
    result = station.call("credentials", "rotate", text="y\n")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert vault.stored() == before


@pytest.mark.parametrize(
    "variable", ["IMBI_AUTH_ENCRYPTION_KEY", "IMBI_WORKER_OLD_ENCRYPTION_KEYS"]
)
def test_a_wrong_key_is_a_configuration_error(
    station: Station, vault: Vault, canary: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 78, the variable by name, its value nowhere; nothing is touched."""
    vault.sow_many(1, "{}")
    before = vault.stored()
    monkeypatch.setenv(variable, canary)
    result = station.call("credentials", "rotate", "--yes")
    assert result.exit_code == 78
    assert variable in result.stderr.splitlines()[-1]
    assert canary not in result.output
    assert vault.stored() == before


def test_an_unreachable_graph_is_an_unavailable_dependency(
    station: Station, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 69, naming the setting."""
    monkeypatch.setenv("NEO4J_URL", "bolt://127.0.0.1:1")
    result = station.call("credentials", "rotate", "--yes")
    assert result.exit_code == 69
    assert "NEO4J_URL" in result.stderr


def test_at_a_terminal_it_asks_and_shows_a_bar(station: Station, vault: Vault) -> None:
    """A yes begins, and how far it has come is to be seen; stdout stays clean."""
    vault.sow_many(150, "{}")
    with terminal("credentials", "rotate") as shown:
        shown.wait_for("y/N")
        assert b"must already have the new key" in shown.screen
        shown.type("y\n")
        assert shown.end() == 0
        assert b"Rotating" in shown.screen
        assert b"/150" in shown.screen
        assert b"150 rotated" in shown.screen
        assert shown.process.stdout is not None
        assert shown.process.stdout.read() == b""
    assert set(vault.opened().values()) == {"{}"}


def test_a_no_changes_nothing(station: Station, vault: Vault) -> None:
    """Neither does a mere Enter; exit code 1."""
    vault.sow_many(1, "{}")
    before = vault.stored()
    for answer in ("n\n", "\n"):
        with terminal("credentials", "rotate") as shown:
            shown.wait_for("y/N")
            shown.type(answer)
            assert shown.end() == 1
            assert b"Nothing was rotated" in shown.screen
    assert vault.stored() == before


def test_ctrl_c_at_the_question_is_a_no(station: Station, vault: Vault) -> None:
    """Exit code 130, without a traceback."""
    with terminal("credentials", "rotate") as shown:
        shown.wait_for("y/N")
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 130
        assert b"Traceback" not in shown.screen


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_a_run_may_be_ended_anywhere(
    station: Station, vault: Vault, canary: str, ending: signal.Signals
) -> None:
    """Every secret can be read after it, and a second run does what is left, no more."""
    vault.sow_many(600, canary)
    with terminal("credentials", "rotate", "--yes") as shown:
        shown.wait_for("[1-9]/600")
        shown.process.send_signal(ending)
        code = shown.end()
    assert set(vault.opened(OLD).values()) == {canary}
    done = sum(text == canary for text in vault.opened().values())
    assert 0 < done < 600, "the machine is too fast for this test: sow more"
    assert code == (130 if ending == signal.SIGINT else -signal.SIGKILL)
    if ending == signal.SIGINT:
        told = re.search(rb"Stopped. (\d+) rotated", shown.screen)
        assert told is not None
        # The write that was interrupted may have landed.
        assert int(told[1]) in {done - 1, done}
    (report,) = station.lines("credentials", "rotate", "--yes")
    assert (report["rotated"], report["already_new"]) == (600 - done, done)
    assert set(vault.opened().values()) == {canary}
