"""`credentials set` at a terminal: what is typed is seen by nobody, and can be broken off."""

import fcntl
import logging
import select
import signal
import subprocess
import termios
import time
from array import array
from pathlib import Path
from typing import IO

import pytest
from bolt import Bolt
from station import Station
from terminal import COMMAND, Terminal, terminal

from imbi_sdk.credentials import credentials_from_record
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.registry import get_plugin, load_plugins
from imbi_worker.graph import GraphAddress
from imbi_worker.graph.seed import Seed, SeedPlugin, SeedService, plant
from installing import install

SET = ("credentials", "set", "plug-1", "api_token")
PLUGINS = tuple(SeedPlugin(f"plug-{n}", "demo") for n in range(20))


class Plugged(Bolt):
    """With a plugin whose credentials can be read."""

    def value(self) -> str | None:
        record = self.do(lambda graph: graph.plugin("plug-1"))
        if record is None or record.configuration is None:
            return None
        TokenEncryption.reset_instance()
        load_plugins()
        return credentials_from_record(record, get_plugin("demo")).get("api_token")


@pytest.fixture
def bolt(
    station: Station, graph_address: GraphAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Plugged:
    """A graph with plugins of one kind, which is installed for this process and its children."""
    install(tmp_path, "imbi-demo-plugin", {"demo": "imbi_worker.demo.plugin:DemoPlugin"})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bolt = Plugged(graph_address)
    bolt.is_configured(monkeypatch)
    services = (SeedService("demo-service", None, PLUGINS),)
    bolt.do(lambda graph: plant(graph, Seed("acme", services=services)))
    return bolt


def said(shown: Terminal) -> str:
    return " ".join(shown.screen.decode().split())


def test_what_is_typed_is_stored_and_shown_nowhere(station: Station, bolt: Plugged) -> None:
    """Whatever a shell would make of it."""
    value = "pa$$ \"q`uo'te\\ %s ü€ {x} #!"
    with terminal(*SET) as shown:
        shown.wait_for("api_token: ")
        command = Path(f"/proc/{shown.process.pid}/cmdline").read_text()
        shown.type(f"{value}\n")
        assert shown.end() == 0
    assert "is set" in said(shown)
    assert "pa$$" not in said(shown) + command
    assert bolt.value() == value


def test_ctrl_c_breaks_off_at_once(station: Station, bolt: Plugged) -> None:
    """With half of it typed: exit code 130, and nothing is stored."""
    with terminal(*SET) as shown:
        shown.wait_for("api_token: ")
        shown.type("half a sec")
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 130
    assert "half" not in said(shown)
    assert "Traceback" not in said(shown)
    assert bolt.value() is None


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ("\n", 4, "The value is empty"),
        ("\x04", 4, "The value is empty"),
        ("-----BEGIN KEY-----\nabc\n", 2, "More than one line was given. Give it with --from-file"),
        (f"{'x' * 5_000}\n", 2, "longer than a terminal's line"),
    ],
)
def test_what_is_no_line_is_refused(
    station: Station, bolt: Plugged, typed: str, code: int, told: str
) -> None:
    """Nothing, or more than a terminal gives: else a piece of a key would be stored."""
    with terminal(*SET) as shown:
        shown.wait_for("api_token: ")
        shown.type(typed)
        assert shown.end() == code
    assert told in said(shown)
    assert bolt.value() is None


@pytest.mark.parametrize(
    ("words", "code"), [(("nope", "api_token"), 3), (("plug-1", "api_tokne"), 4)]
)
def test_nobody_is_asked_for_a_secret_that_has_no_place(
    station: Station, bolt: Plugged, words: tuple[str, str], code: int
) -> None:
    """An unknown plugin id or field is told before."""
    with terminal("credentials", "set", *words) as shown:
        assert shown.end() == code
    assert f"{words[1]}: " not in said(shown)


def test_ctrl_c_ends_a_command_that_reads_stdin(station: Station) -> None:
    """Though its event loop is running, and waits."""
    arguments = ("enqueue", "github#sync", "--body", "-", "--project", "p", "--org", "o")
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, *arguments], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"{")
        process.stdin.flush()
        until_read(process.stdin)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert b"Traceback" not in process.stderr.read()
    assert station.lines("jobs", "list") == []


def until_read(pipe: IO[bytes]) -> None:
    """Until the other side has taken what was written."""
    deadline = time.monotonic() + 30
    left = array("i", [1])
    while left[0]:
        assert time.monotonic() < deadline, "nobody reads"
        select.select([], [], [], 0.01)
        fcntl.ioctl(pipe, termios.FIONREAD, left)


def test_bytes_that_are_no_text_are_refused(station: Station, bolt: Plugged, canary: str) -> None:
    """From stdin as from a file, and they are not shown."""
    result = station.call(*SET, raw=b"\xff" + canary.encode())
    assert result.exit_code == 2
    assert "stdin is no UTF-8 text" in result.stderr
    assert canary not in result.output


@pytest.mark.parametrize("verb", ["list", "check"])
def test_all_plugins_are_read_at_once(
    station: Station, bolt: Plugged, caplog: pytest.LogCaptureFixture, verb: str
) -> None:
    """Two queries, however many plugins there are."""
    with caplog.at_level(logging.DEBUG, logger="neo4j.io"):
        result = station.call("credentials", verb, "--json")
    assert {f"plug-{n}" in result.stdout for n in range(len(PLUGINS))} == {True}
    queries = [one for one in caplog.messages if " C: RUN " in one]
    assert len(queries) == 2, queries
