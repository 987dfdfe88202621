"""Every command of the command line, on a queue full of secrets: none of them prints one."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import pytest
from scene import COMMAND, Scene, event, until_nothing_waits
from typer.testing import CliRunner

from imbi_sdk.encryption import TokenEncryption
from imbi_worker.cli.program import NOUNS, VERBS, app

pytestmark = pytest.mark.timeout(400)
COMMANDS: Final = [
    *VERBS,
    *(f"{noun} {verb}" for noun, (_, parts) in NOUNS.items() for verb in parts),
]
WHY: Final = ("--reason", "a look", "--yes")
# What each command is asked, beside `--json`, with which it is asked the same once more.
# {dead}, {other} are dead letters, {skipped} has ended well, {event}, {config} are files.
CASES: Final[Mapping[str, Sequence[Sequence[str]]]] = {
    "status": [()],
    "check": [(), ("--fleet",), ("--live", "--file", "{folder}/text.heartbeat")],
    "doctor": [()],
    "bench": [("--jobs", "100", "--anyway")],
    "enqueue": [
        (
            *("leaky#leak", "--event", "{event}", "--config", "{config}", "--project", "p-x"),
            *("--org", "org", "--plugin-id", "leaky=p-leaky", "--wait", "--timeout", "30s"),
        ),
        ("leaky#leak", "--event", "{misfit}", "--project", "p-x", "--org", "org"),
    ],
    "jobs list": [(), ("state:dead", "--limit", "1000")],
    "jobs show": [("{dead}", "--event"), ("{skipped}", "--event")],
    "jobs why": [("{dead}",), ("{skipped}",)],
    "jobs cancel": [("{dead}", *WHY)],
    "jobs retry": [("{dead}", *WHY)],
    "jobs tail": [("--limit", "1000")],
    "dead list": [("--limit", "1000")],
    "dead groups": [()],
    "dead show": [("{dead}", "--event")],
    "dead replay": [
        ("{dead}", "--reason", "a look", "--dry-run"),
        ("{dead}", "--config", "{misfit}", *WHY),
        ("{other}", "--config", "{config}", *WHY),
        ("plugin:leaky-app", "--limit", "20", *WHY),
    ],
    "dead discard": [("{last}", *WHY)],
    "dead export": [("--event",), ("--for-reading", "--event"), ("--output", "{folder}/new-{nth}")],
    "dead import": [
        ("{letters}", "--reason", "a look"),
        ("{letters}", "--reason", "a look", "--dry-run"),
        ("{torn_letters}", "--reason", "a look"),
    ],
    "deliveries list": [("--limit", "1000")],
    "deliveries show": [("json-1",)],
    "workers list": [()],
    "queue pause": [("--reason", "a look")],
    "queue resume": [("--reason", "a look")],
    "queue drain": [("--reason", "a look", "--timeout", "30s")],
    "queue stats": [()],
    "holds list": [()],
    "holds add": [("plugin:p-nobody", "--for", "1m", "--reason", "a look")],
    "holds remove": [("plugin:p-nobody", "--reason", "a look"), ("queue", "--reason", "a look")],
    "audit tail": [("--limit", "1000")],
    "plugins list": [()],
    "plugins show": [("leaky",)],
    "plugins schema": [("leaky#leak",)],
    "plugins doctor": [()],
    "plugins new": [("issue-tracker", "--directory", "{folder}/new-{nth}")],
    "actions run": [
        ("leaky#leak", "--event", "{event}", "--plugin-id", "p-leaky", "--dry-run"),
        *(
            ("leaky#leak", *asked, "--event", "{event}", "--plugin-id", "p-leaky")
            for asked in (
                ("--config", "{config}"),
                ("--config", "{misfit}"),
                ("--config", "{all_said}"),
            )
        ),
    ],
    "credentials list": [()],
    "credentials check": [(), ("p-leaky",)],
    "credentials set": [("p-leaky", "api_token", "--from-file", "{token}")],
    "credentials rotate": [("--dry-run",), ("--yes",)],
    "config show": [()],
    "config schema": [()],
    "tokens new": [("alice", "--role", "viewer")],
    "graph schema": [()],
}
# They go on, and are looked at where they run: the workers and the dashboard of the scene.
# The demo has servers and secrets of its own, which its own test looks for.
ELSEWHERE: Final = {"run", "dashboard", "demo"}
GOOD: Final = {0, 1, 3, 4}


def test_every_command_has_a_case() -> None:
    """A new command goes into CASES, with arguments that make it say all it can say."""
    assert sorted({*CASES, *ELSEWHERE}) == sorted(COMMANDS)


@pytest.fixture(scope="module")
def words(scene: Scene) -> Iterator[dict[str, str]]:
    """What stands for the names in braces; the environment leads to the scene meanwhile."""
    files = {
        "event": json.dumps(event(scene.canaries)),
        "config": config(scene, "plain", "api_token"),
        "all_said": config(scene, "all said", "private_key"),
        "misfit": json.dumps({"way": [scene.canaries.config], "api_token": scene.canaries.config}),
        "token": scene.canaries.token,
    }
    for name, text in files.items():
        (scene.folder / f"{name}.json").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name not in scene.environment]:
            patch.delenv(name)
        for name, value in scene.environment.items():
            patch.setenv(name, value)
        patch.setenv("COLUMNS", "250")
        TokenEncryption.reset_instance()
        # So that there is one to list, whatever else ran before.
        code, said = ask(["holds", "add", "handler:leaky#nobody", "--for", "1h", *WHY[:2]])
        assert code == 0, said
        yield {
            **{name: str(scene.folder / f"{name}.json") for name in files},
            "folder": str(scene.folder),
            "dead": scene.jobs["json", "bare", "config"],
            "other": scene.jobs["json", "url", "client_secret"],
            "last": scene.jobs["json", "base64 lines", "header"],
            "skipped": scene.jobs["json", "skip", "private_key"],
            **exported(scene),
        }
    TokenEncryption.reset_instance()


def exported(scene: Scene) -> dict[str, str]:
    """A file of dead letters, and one that somebody has changed."""
    # An export makes its file anew; tests in several processes may come back here.
    folder = Path(mkdtemp(dir=scene.folder))
    letters, torn = folder / "letters", folder / "torn-letters"
    code, said = ask(["dead", "export", "--event", "--output", str(letters)])
    assert code == 0, said
    torn.write_text(letters.read_text().replace('"sealed":"g', '"sealed":"h'))
    return {"letters": str(letters), "torn_letters": str(torn)}


def test_an_export_shows_no_secret(scene: Scene, words: Mapping[str, str]) -> None:
    """Whoever has the file has nothing without the key."""
    told = Path(words["letters"]).read_bytes()
    assert b'"sealed":' in told
    assert not scene.canaries.found_in(told)


def config(scene: Scene, way: str, of: str) -> str:
    return json.dumps({"way": way, "of": of, "api_token": scene.canaries.config})


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("command", CASES)
def test_no_command_prints_a_secret(
    scene: Scene, words: Mapping[str, str], command: str, more: Sequence[str]
) -> None:
    """Neither on stdout nor on stderr, as text or as JSON."""
    for nth, case in enumerate(CASES[command]):
        named = {**words, "nth": f"{nth}-{len(more)}"}
        code, said = ask([*command.split(), *(word.format(**named) for word in case), *more])
        # What does not fit is refused, and that is where it would be quoted.
        assert code in (GOOD | {2} if "{misfit}" in case else GOOD), said
        assert said
        assert not scene.canaries.found_in(said), said


def ask(asked: list[str]) -> tuple[int, str]:
    """The exit code, and all that was said."""
    if asked[0] in {"actions", "plugins", "bench"}:
        # What plugins say in any way, and logs of a worker: in a process of their own.
        done = subprocess.run(  # noqa: S603 - our own command
            [COMMAND, *asked], capture_output=True, text=True, check=False, timeout=150
        )
        return done.returncode, done.stdout + done.stderr
    result = CliRunner().invoke(app, asked)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_what_a_job_is_shown_with_is_masked_by_its_name(
    scene: Scene, words: Mapping[str, str]
) -> None:
    """An operator sees that there is a secret, and everything else of config and event."""
    _, text = ask(["jobs", "show", words["dead"], "--event", "--json"])
    told = json.loads(text)
    assert told["config"] == {"way": "bare", "of": "config", "api_token": "***"}
    assert told["event"]["payload"] == {"ref": "main", "password": "***"}
    assert told["event"]["metadata"]["headers"]["authorization"] == "***"


def test_a_plain_name_hides_nothing(scene: Scene, words: Mapping[str, str], tmp_path: Path) -> None:
    """As docs/api.md says: what a rule holds under a name that tells nothing is shown."""
    until_nothing_waits(scene)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"way": "plain note", "of": "config"}))
    asked = ["enqueue", "leaky#leak", "--event", words["event"], "--config", str(path)]
    _, said = ask([*asked, "--project", "p-y", "--org", "org", "--wait", "--json"])
    (job,) = set(re.findall(r"\b[0-9a-f]{32}\b", said))
    _, text = ask(["jobs", "show", job, "--json"])
    assert json.loads(text)["config"]["way"] == "plain note"
