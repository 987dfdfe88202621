"""`imbi-worker demo` as a user runs it: in a pipe, in a terminal, and when it is ended early."""

import asyncio
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from imbi_worker.demo.batch import run_batch
from imbi_worker.demo.bodies import read_bodies
from imbi_worker.demo.names import PILOTS
from imbi_worker.demo.parts import Told, notify
from imbi_worker.demo.scenes import Deliver, Scene
from imbi_worker.demo.show import Wishes, tell_story
from imbi_worker.demo.story import STORY

COMMAND = str(Path(sys.executable).with_name("imbi-worker"))
COLUMNS, LINES = 100, 40
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


@dataclass
class Demo:
    """The command with a temporary directory of its own, so that what it leaves can be found."""

    directory: Path
    environment: Mapping[str, str]
    pids: list[int] = field(default_factory=list)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, "demo", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pids.append(process.pid)
        return process

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments)
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    async def assert_nothing_is_left(self) -> None:
        """No process and no file; what dies with a killed demo gets a moment to do so."""
        async with asyncio.timeout(10):
            while self.processes() or list(self.directory.iterdir()):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.05)

    def processes(self) -> list[str]:
        """Servers name the directory in their command lines, workers the demo's process."""
        ours = [str(self.directory), *(f" {pid} run --demo-plugin" for pid in self.pids)]
        return [line for line in command_lines() if any(mark in line for mark in ours)]


def command_lines() -> list[str]:
    proc = Path("/proc")
    if not proc.is_dir():
        listed = subprocess.run(
            ["/bin/ps", "-Aww", "-o", "args="], stdout=subprocess.PIPE, check=True
        )
        return listed.stdout.decode(errors="replace").splitlines()
    lines = []
    for path in proc.glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines


@pytest.fixture
def demo(canary: str) -> Iterator[Demo]:
    """Settings and servers of yours are named in its environment, and must not be touched."""
    directory = Path(tempfile.mkdtemp(prefix="demo-", dir="/tmp"))
    kept = {"PATH", "HOME", "LANG"}
    environment = {name: value for name, value in os.environ.items() if name in kept} | {
        "TMPDIR": str(directory),
        "REDIS_URL": f"redis://:{canary}@nobody.invalid:6379/0",
        "NEO4J_URL": "bolt://nobody.invalid:7687",
        "NEO4J_PASSWORD": canary,
        "IMBI_AUTH_ENCRYPTION_KEY": canary,
        "IMBI_WORKER_SIGNING_KEY_FILE": f"/nowhere/{canary}",
    }
    yield Demo(directory, environment)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three bodies; two of them are the same, and one names no repository."""
    body = {"action": "opened", "repository": {"full_name": "tidewater/harbor-api"}}
    write(tmp_path / "issues.1.json", body)
    write(tmp_path / "issues.2~again.json", body)
    write(tmp_path / "ping.json", {"zen": "Calm water."})
    (tmp_path / "notes.txt").write_text("no body")
    return tmp_path


def write(path: Path, body: object) -> None:
    path.write_text(json.dumps(body))


async def test_every_job_ends_as_the_story_says(demo: Demo, canary: str) -> None:
    """Exit code 0, every scene with its sentence, no colour in a pipe, and nothing is left."""
    ended = demo.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "All 19 jobs ended as told" in ended.stdout
    for scene in STORY:
        assert scene.title in ended.stdout
        assert scene.sentence in ended.stdout
        assert all(claim.value in ended.stdout for claim in scene.claims)
    table = ended.stdout.partition("plain successes")[2]
    assert len(re.findall(r"^ +ok +\S+ +\S+#\w+", table, re.MULTILINE)) == 19
    assert "\x1b" not in ended.stdout
    assert canary not in ended.stdout + ended.stderr
    await demo.assert_nothing_is_left()


async def test_a_terminal_shows_the_jobs_as_they_move(demo: Demo) -> None:
    """The live view is drawn, without colours under NO_COLOR; the table has the last word."""
    demo.environment = {**demo.environment, "TERM": "xterm-256color", "NO_COLOR": "1"}
    code, shown = await asyncio.to_thread(run_in_terminal, demo)
    assert code == 0, shown
    assert "of 19 jobs have ended" in shown
    assert "its turn comes in its lane" in shown
    assert "is dead: its lease runs out" in shown
    assert re.search(r"held, \d\.\d s to go", shown)
    assert "All 19 jobs ended as told" in shown
    assert not COLOUR.search(shown)
    await demo.assert_nothing_is_left()


def run_in_terminal(demo: Demo) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "demo"], env=demo.environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    demo.pids.append(process.pid)
    os.close(theirs)
    shown = bytearray()
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):
        while piece := terminal.read(65536):
            shown += piece
    return process.wait(30), shown.decode(errors="replace")


async def test_a_job_that_ends_otherwise_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to come and what came are both named, and the workers' logs are shown."""
    monkeypatch.setenv("COLUMNS", "200")
    told = Told(answers=(500,))
    scene = Scene("a wrong ending", "-", (Deliver("github-push", (PILOTS,), (notify("x", told),)),))
    assert not await tell_story(Wishes(), (scene,))
    out = capsys.readouterr().out
    assert "WRONG" in out
    assert "answers: 500 was to come, 202 came" in out
    assert "NOT as told: scene 1 (a wrong ending)" in out
    assert "worker 1 (process" in out


async def test_every_body_of_a_folder_succeeds(demo: Demo, folder: Path) -> None:
    """Three jobs for each of three projects, also for equal bodies; figures as JSON on stdout."""
    ended = demo.run("--deliveries", str(folder), "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    totals = json.loads(ended.stdout)
    assert (totals["bodies"], totals["jobs"], totals["requests"]) == (3, 27, 18)
    # None of the bodies names a commit to create a release of.
    assert totals["skipped"] == 9
    assert totals["lost"] == []
    assert totals["jobs_per_second"] > 0
    await demo.assert_nothing_is_left()


async def test_a_lost_delivery_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A body whose jobs do not all succeed fails the run, with its file, project and reason."""
    good, bad, *_ = read_bodies(folder)
    without_type = {name: value for name, value in bad.event.items() if name != "type"}
    assert not await run_batch([good, replace(bad, event=without_type)], Wishes())
    out = capsys.readouterr().out
    lost = [line for line in out.splitlines() if line.startswith(f"  {bad.name} for ")]
    assert len(lost) == 6
    assert any("dead (permanent error" in line for line in lost)
    assert good.name not in "".join(lost)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("", "", "name a folder"),
        ("notes.txt", "-", "no *.json in it"),
        (
            "push.json",
            '{"a": 1,\n "b"}',
            "is no JSON: Expecting ':' delimiter at line 2",
        ),
    ],
    ids=["no folder", "no body", "no JSON"],
)
async def test_a_folder_that_cannot_be_used_is_refused(
    demo: Demo, tmp_path: Path, name: str, content: str, told: str
) -> None:
    """Exit code 2, before anything is started; the message names the place and the remedy."""
    folder = tmp_path / "bodies"
    if name:
        folder.mkdir()
        (folder / name).write_text(content)
    ended = demo.run("--deliveries", str(folder))
    assert ended.returncode == 2
    assert told in ended.stderr
    assert str(folder) in ended.stderr
    assert "Starting" not in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
async def test_a_demo_that_is_ended_early_leaves_nothing(
    demo: Demo, number: signal.Signals, code: int
) -> None:
    """Ctrl-C, SIGTERM, even SIGKILL: no process and no file stays behind."""
    process = demo.start()
    await read_until(process, "the story begins")
    assert len(demo.processes()) >= 5
    process.send_signal(number)
    _, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err
    await demo.assert_nothing_is_left()


async def test_keep_leaves_servers_that_the_command_line_can_use(demo: Demo, folder: Path) -> None:
    """Secrets stand in a private file only; another shell that reads it sees the jobs."""
    process = demo.start("--deliveries", str(folder), "--keep")
    shown = await read_until(process, "Ctrl-C ends it all")
    (path,) = re.findall(r"In another shell: \. (\S+)", shown)
    exports = read_private(Path(path))
    hidden = [value for name, value in exports.items() if re.search("KEY|TOKEN|PASSWORD", name)]
    assert len(hidden) == 4
    assert not [secret for secret in hidden if secret in shown or secret in str(command_lines())]
    listed = run_shell(f". {path} && {COMMAND} jobs list --json")
    assert {job["state"] for job in listed} == {"succeeded", "skipped"}
    process.send_signal(signal.SIGINT)
    await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 0
    await demo.assert_nothing_is_left()


async def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """What it has printed up to the line with *words*; fails with its errors when it ends first."""
    assert process.stdout is not None
    assert process.stderr is not None
    shown = ""
    async with asyncio.timeout(60):
        while words not in shown:
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, shown + process.stderr.read()
            shown += line
    return shown


def read_private(path: Path) -> dict[str, str]:
    """The exported variables of a file that nobody else may read."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return dict(re.findall(r"^export (\w+)=(\S+)$", path.read_text(), re.MULTILINE))


def run_shell(command: str) -> Sequence[Mapping[str, str]]:
    ended = subprocess.run(  # noqa: S603 - the file that the demo has written
        ["/bin/sh", "-c", command],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]
