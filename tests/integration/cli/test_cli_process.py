"""The command as a process: streams, signals, exit codes, and what it loads."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from bolt import Bolt
from station import Station
from terminal import screen

from imbi_worker.graph import GraphAddress

COMMAND = str(Path(sys.executable).parent / "imbi-worker")
HEAVY = ("arq", "redis", "neo4j", "aiohttp", "structlog", "cryptography", "imbi_sdk")


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [COMMAND, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["--json"], 2),
        (["nonsense"], 2),
        (["jobs", "list", "--state", "asleep"], 2),
        (["jobs", "show", "nope"], 3),
        (["dead", "replay", "nope", "--dry-run"], 1),
        (["plugins", "show", "nope"], 3),
    ],
)
def test_the_exit_code_says_what_happened(
    station: Station, arguments: Sequence[str], code: int
) -> None:
    """0 ok, 1 failed, 2 usage, 3 not found; a failure is told on stderr."""
    result = run(*arguments)
    assert result.returncode == code, result.stderr
    assert bool(result.stderr) is (code != 0)
    assert "Traceback" not in result.stderr


def test_the_version_is_data(station: Station) -> None:
    """On stdout, as text or as JSON."""
    assert run("--version").stdout.startswith("imbi-worker 0.")
    assert set(json.loads(run("--version", "--json").stdout)) == {"version"}


def test_colours_in_a_pipe_wrap_no_sentence(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe has no edge, whatever the shell says of its terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    assert run("jobs", "why", "nope").stderr.startswith("imbi-worker: There is no job 'nope'.\n")


def carried_out(program: str) -> subprocess.CompletedProcess[str]:
    """A program of these tests, in a Python of its own that has imported nothing yet."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["jobs", "--help"], ["dead"]])
def test_help_and_version_load_no_heavy_library(arguments: list[str]) -> None:
    """What makes a command slow to start is loaded only when it has work to do."""
    program = (
        "import sys\n"
        "from imbi_worker.cli.program import app\n"
        "try:\n"
        f"    app({arguments!r})\n"
        "except SystemExit:\n"
        f"    print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    result = carried_out(program)
    assert "loaded []" in result.stdout


LOOKS = (
    "status",
    "jobs list",
    "jobs show {job}",
    "jobs why {job}",
    "jobs tail",
    "dead list",
    "dead groups",
    "deliveries list",
    "deliveries show delivery-1",
    "holds list",
    "workers list",
    "queue stats",
    "audit tail",
    "config show",
)
CHANGES = (
    "jobs cancel {job} --dry-run",
    "jobs retry {job} --dry-run",
    "queue pause --dry-run",
    "dead discard --all-matching --dry-run",
)
# What is told in a sentence or to a program.
SENTENCES = (
    "jobs why {job}",
    "jobs cancel {job} --dry-run --json",
    "queue pause --dry-run",
    "status --json",
    "jobs list --json",
    "dead list --json",
    "config show --json",
)
NOT_TO_LOOK = frozenset(
    (
        *("arq", "neo4j", "aiohttp", "structlog", "cryptography.x509", "jwt.algorithms"),
        *("starlette", "prometheus_client", "opentelemetry", "jsonpatch", "imbi_sdk.registry"),
        *("imbi_sdk.queue.producer", "imbi_worker.dispatch", "imbi_worker.builtin"),
    )
)
NOT_FOR_A_CATALOGUE = frozenset(
    ("celpy", "lark", "pendulum", "opentelemetry", "imbi_worker.queue.inspection.views")
)
# Under Python 3.11 up to 466; a tenth of them costs some 25 ms.
MOST_MODULES = 480


def loaded(station: Station, line: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    (job,) = station.enqueue()
    program = (
        "import json, sys\n"
        "from imbi_worker.cli.program import app\n"
        "try:\n"
        f"    app({line.format(job=job).split()!r})\n"
        "except SystemExit:\n"
        "    print(json.dumps(list(sys.modules)), file=sys.stderr)\n"
    )
    result = carried_out(program)
    told, _, modules = result.stderr.strip().rpartition("\n")
    assert "Usage:" not in told
    return set(json.loads(modules))


@pytest.mark.parametrize("line", LOOKS)
def test_a_look_at_the_queue_loads_what_it_needs(station: Station, line: str) -> None:
    """No arq, graph driver, web client, plugin or script, and into a pipe nothing that draws."""
    found = loaded(station, line)
    assert sorted((NOT_TO_LOOK | {"rich.console", "imbi_sdk.queue.scripts"}) & found) == []
    assert len(found) <= MOST_MODULES


def test_a_list_of_plugins_runs_none(station: Station) -> None:
    """What their actions need, Redis and the graph's driver are for others."""
    found = loaded(station, "plugins list")
    assert sorted((set(HEAVY) - {"imbi_sdk", "cryptography"} | NOT_FOR_A_CATALOGUE) & found) == []
    assert "imbi_worker.builtin.update_project" in found


def test_a_list_of_credentials_loads_the_driver_and_no_action(
    station: Station, graph_address: GraphAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor Redis, which it does not ask."""
    Bolt(graph_address).is_configured(monkeypatch)
    found = loaded(station, "credentials list")
    heavy = set(HEAVY) - {"neo4j", "cryptography", "imbi_sdk"} | NOT_FOR_A_CATALOGUE
    assert sorted(heavy & found) == []
    assert "neo4j" in found


@pytest.mark.parametrize("line", CHANGES)
def test_a_change_of_the_queue_loads_neither_arq_nor_graph(station: Station, line: str) -> None:
    """Jobs are cancelled, woken and discarded by a script in Redis."""
    assert sorted(NOT_TO_LOOK & loaded(station, line)) == []


@pytest.mark.parametrize("line", SENTENCES)
def test_a_sentence_waits_for_nothing_that_draws(
    station: Station, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does JSON, where a table would have its colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "rich.console" not in loaded(station, line)


@pytest.mark.parametrize("line", LOOKS)
def test_who_looks_loads_no_change(station: Station, line: str) -> None:
    """The scripts that hold, cancel and replay are read by who does it."""
    assert "imbi_worker.queue.control" not in loaded(station, line)


@pytest.mark.parametrize("question", ["--live", "--ready"])
def test_a_probe_loads_next_to_nothing(station: Station, question: str) -> None:
    """It is asked every few seconds, beside jobs that need the CPU."""
    assert (
        loaded(station, f"check {question} --file /nowhere") & {*HEAVY, "asyncio", "rich"} == set()
    )


def test_what_is_loaded_on_use_is_the_real_thing() -> None:
    """Whoever asks a stand-in for a name gets the library's own; so does the next import."""
    program = (
        "import sys\n"
        "from imbi_worker.cli.start import short_start\n"
        "with short_start(is_brief=True):\n"
        "    import jwt\n"
        "assert 'jwt.algorithms' not in sys.modules\n"
        "token = jwt.encode({'a': 1}, 'k' * 32)\n"
        "from jwt import decode\n"
        "print(decode(token, 'k' * 32, algorithms=['HS256']), jwt.decode is decode)\n"
    )
    result = carried_out(program)
    assert result.stdout == "{'a': 1} True\n"


@pytest.mark.parametrize("is_brief", [True, False])
def test_once_a_command_is_loaded_its_garbage_is_collected(*, is_brief: bool) -> None:
    """Nobody looks for any while modules load; what then runs may run for days."""
    program = (
        "import gc\n"
        "from imbi_worker.cli.start import put_off_collecting, short_start\n"
        "put_off_collecting()\n"
        "before = gc.isenabled()\n"
        f"with short_start(is_brief={is_brief}):\n"
        "    pass\n"
        "print(before, gc.isenabled())\n"
    )
    result = carried_out(program)
    assert result.stdout == "False True\n"


def test_ctrl_c_ends_a_wait_with_130(station: Station) -> None:
    """The job stays enqueued; there is no traceback."""
    arguments = ["enqueue", "github#sync", "--body", "-", "--project", "p", "--org", "o", "--wait"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, *arguments, "--timeout", "60s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("{}")
        process.stdin.close()
        told = process.stderr.readline()
        assert "accepted" in told
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=30) == 130
    assert "Traceback" not in rest
    assert len(station.lines("jobs", "list")) == 1


@pytest.mark.parametrize(
    "arguments",
    ["jobs list --limit 1000 --json", "jobs list --limit 1000", "dead list --limit 1000", "status"],
)
def test_a_closed_pipe_is_no_failure_to_talk_about(station: Station, arguments: str) -> None:
    """`jobs list | head -1` prints no traceback."""
    station.enqueue(projects=[f"p-{n}" for n in range(250)])
    station.bury()
    station.enqueue(projects=[f"p-{n}" for n in range(250)], delivery="d-2")
    result = subprocess.run(  # noqa: S603 - a pipe of our own
        ["/bin/sh", "-c", f"{COMMAND} {arguments} | head -1"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


@pytest.mark.parametrize(
    "line",
    ["--version", "--help", "jobs --help", "jobs list", "status", "config show --json", "doctor"],
)
@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}])
def test_who_reads_nothing_is_told_so_by_the_exit_code(
    station: Station, line: str, variables: dict[str, str]
) -> None:
    """141, as a shell says it of any program that ends at a closed pipe; not that it failed."""
    station.enqueue()
    ours, theirs = os.pipe()
    os.close(ours)
    result = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, *line.split()],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | variables,
    )
    os.close(theirs)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize("line", ["--version", "status", "config show --json"])
def test_a_full_disk_is_told_of(station: Station, line: str) -> None:
    """What could not be written must not look like all there was."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(  # noqa: S603 - our own command
            [COMMAND, *line.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert result.stderr == (
        "imbi-worker: the output cannot be written: No space left on device.\n"
    )


@pytest.fixture
def busy(station: Station) -> tuple[Station, str, str]:
    """A bit of everything; the ids of a dead letter and of a job that waits."""
    (dead,) = station.enqueue("github#sync")
    station.bury("HTTP 404 from https://api.github.com/repos/acme/shop/labels: no such label")
    (waits, _) = station.enqueue("github#sync", "github#label", delivery="d-2")
    station.call("holds", "add", "handler:github#sync", "--for", "1h", "--reason", "frozen for now")
    station.beat("worker-7")
    return station, dead, waits


SCREENS = (
    "status",
    "jobs list",
    "jobs show {dead}",
    "jobs why {waits}",
    "jobs tail",
    "dead list",
    "dead groups",
    "dead show {dead}",
    "dead replay {dead} --dry-run",
    "dead discard {dead} --dry-run",
    "jobs cancel {waits} --dry-run",
    "deliveries list",
    "deliveries show d-2",
    "workers list",
    "holds list",
    "queue stats",
    "audit tail",
    "config show",
    "plugins list",
    "credentials rotate --dry-run",
    "check",
    "doctor",
)


@pytest.mark.parametrize("line", SCREENS)
def test_forty_columns_are_enough(busy: tuple[Station, str, str], line: str) -> None:
    """No word is cut in two: an id stands on the screen as it can be copied, in any colour."""
    _, dead, waits = busy
    words = line.format(dead=dead, waits=waits).split()
    narrow, wide = screen(*words, columns=40), screen(*words, columns=400, NO_COLOR="1")
    assert "Traceback" not in narrow
    assert "\x1b[3" not in wide
    if line == "jobs list":
        assert "\x1b[31mdead" in narrow
    ids = {job for job in (dead, waits) if job in wide}
    assert {job for job in ids if job in narrow} == ids
    assert len(narrow.splitlines()) < 400


def test_colours_stay_away_from_pipes(station: Station) -> None:
    """A pipe gets no escape sequences, and no line is wrapped."""
    (job,) = station.enqueue()
    station.bury("x" * 300)
    result = run("dead", "list")
    assert "\x1b" not in result.stdout
    assert "x" * 300 in result.stdout
    assert job in result.stdout
