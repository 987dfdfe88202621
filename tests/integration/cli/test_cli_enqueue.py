"""`enqueue` against a real Redis."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from station import SIGNING_KEY, Station

from imbi_sdk.queue import Signer, keys
from imbi_sdk.queue.wire import decode

FOR = ("--project", "p-1:shop", "--org", "acme")
EVENT = {
    "type": "push",
    "third_party_service": "github",
    "attributed_to": "",
    "metadata": {"webhook_id": "wh-1", "headers": {}},
    "payload": {"ref": "main"},
}


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(EVENT))
    return str(path)


@pytest.fixture
def some_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files in the working directory, `x` and `x.json`."""
    monkeypatch.chdir(tmp_path)
    for name in ("x", "x.json"):
        (tmp_path / name).write_text("{}")


def stored(station: Station, job: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job and its event as they lie in Redis, the signature checked."""

    async def work(redis: Redis) -> tuple[bytes, dict[bytes, bytes]]:
        delivery = await redis.hget(f"{keys.JOB}{job}", "delivery") or b""
        event = await redis.hgetall(f"{keys.EVENT}{delivery.decode()}")
        return await redis.get(f"{keys.BODY}{job}") or b"", event

    body, events = station.do(work)
    decoded = decode(job, body)
    assert decoded.is_signed_by(Signer([SecretStr(SIGNING_KEY)]))
    return decoded.job.model_dump(), json.loads(next(iter(events.values())))


def test_an_event_file_gives_a_signed_job(station: Station, event: str) -> None:
    """Everything that was said on the command line stands in the job."""
    (line,) = station.lines(
        *("enqueue", "github#sync", "--event", event, *FOR, "--team", "web"),
        *("--service", "github", "--plugin-id", "github=plug-1", "--webhook", "wh-1"),
        *("--delivery", "d-7", "--external-identifier", "acme/shop"),
    )
    assert (line["status"], line["delivery"]) == ("accepted", "d-7")
    job, found = stored(station, line["job"])
    assert found == EVENT
    assert job["context"] == {
        "project_id": "p-1",
        "project_slug": "shop",
        "org_slug": "acme",
        "team_slug": "web",
        "actor": None,
        "service": "github",
    }
    assert (job["plugin_id"], job["external_identifier"]) == ("plug-1", "acme/shop")


def test_the_same_file_twice_is_one_delivery(station: Station, event: str) -> None:
    """As at the gateway: the second time it is a duplicate, and it says what to do."""
    arguments = ("enqueue", "github#sync", "--event", event, *FOR)
    first, second = station.lines(*arguments)[0], station.call(*arguments)
    assert first["status"] == "accepted"
    assert first["job"] in second.stdout
    assert "duplicate" in second.stdout
    assert "--delivery" in second.stderr
    station.bury()
    assert station.lines(*arguments)[0]["status"] == "revived"


def test_rules_come_from_a_file_for_every_project(
    station: Station, event: str, tmp_path: Path
) -> None:
    """A config may be an object or text; the order is that of the ordinals."""
    rules = tmp_path / "rules.json"
    second = {"handler": "github#b", "ordinal": 2, "handler_config": '{"x": 1}'}
    first = {"handler": "github#a", "ordinal": 1, "handler_config": {"y": [1]}}
    rules.write_text(json.dumps([second, first]))
    lines = station.lines(
        *("enqueue", "--rules", str(rules), "--event", event, *FOR, "--project", "p-2")
    )
    assert [(line["project"], line["handler"]) for line in lines] == [
        ("p-1", "github#a"),
        ("p-1", "github#b"),
        ("p-2", "github#a"),
        ("p-2", "github#b"),
    ]
    configs = [stored(station, line["job"])[0]["rule"]["config"] for line in lines[:2]]
    assert [json.loads(config) for config in configs] == [{"y": [1]}, {"x": 1}]


def test_a_body_is_wrapped_into_an_event_context(station: Station) -> None:
    """From stdin here; the type and the service come from the command line."""
    result = station.call(
        *("enqueue", "github#sync", "--body", "-", "--type", "push", "--service", "github"),
        *(*FOR, "--json"),
        text='{"ref": "main"}',
    )
    assert result.exit_code == 0, result.output
    _, found = stored(station, json.loads(result.stdout)["job"])
    assert (found["type"], found["third_party_service"]) == ("push", "github")
    assert found["payload"] == {"ref": "main"}


@pytest.mark.parametrize(
    ("arguments", "text", "complaint"),
    [
        (("github#sync", "--event", "-", *FOR), "{", "stdin is no JSON"),
        (("github#sync", "--event", "-", *FOR), "[]", "no event context"),
        (("github#sync", "--event", "-", *FOR), '{"ref": 1}', "--body"),
        (("github#sync", "--body", "-", *FOR), "[]", "no JSON object"),
        (("github#sync", "--body", "-", *FOR), '{"n": NaN}', "/payload/n is NaN"),
        (("github#sync", "--body", "-", *FOR), "[" * 100_000, "stdin"),
        (("github#sync", "--body", "-", *FOR), f'{{"n": {"9" * 5_000}}}', "stdin holds an integer"),
        (("github#sync", "--body", "nowhere.json", *FOR), "", "nowhere.json cannot be read"),
        (("nohandler", "--body", "-", *FOR), "{}", "handler 1/handler"),
        (("--rules", "-", "--body", "x.json", *FOR), '{"a": 1}', "no list of rules"),
        (("--rules", "-", "--body", "x.json", *FOR), '[{"ordinal": 1}]', "/0/handler"),
        (("--rules", "-", "--body", "x.json", *FOR), "[1]", "stdin /0 is no object"),
        (("--rules", "-", "--body", "-", *FOR), "[]", "Only one file"),
        (("github#sync", *FOR), "", "--event FILE or --body FILE"),
        (("--body", "-", *FOR), "{}", "Name handlers"),
        (("github#sync", "--body", "-", "--org", "acme"), "{}", "No project"),
        (("github#sync", "--body", "-", "--project", "p"), "{}", "No organization"),
        (("github#sync", "--body", "-", "--project", ":x", "--org", "a"), "{}", "no project"),
        (("github#sync", "--body", "-", *FOR, "--plugin-id", "x"), "{}", "slug=id"),
        (("github#sync", "--body", "-", *FOR, "--timeout", "soon"), "{}", "no duration"),
        (("a#b", "c#d", "--config", "x", "--body", "-", *FOR), "{}", "for one handler"),
    ],
)
def test_bad_input_is_refused_with_its_place(
    station: Station, some_files: None, arguments: tuple[str, ...], text: str, complaint: str
) -> None:
    """Exit code 2, nothing enqueued, and the message says which file and where in it."""
    result = station.call("enqueue", *arguments, text=text)
    assert result.exit_code == 2, result.output
    assert complaint in result.stderr
    assert station.lines("jobs", "list") == []


def test_wait_follows_the_jobs_to_their_end(station: Station, event: str) -> None:
    """Exit code 0 when all succeed or skip, 1 when one dies."""
    arguments = ("enqueue", "github#sync", "--event", event, *FOR, "--wait", "--timeout", "30s")

    def play(ending: Any, delivery: str) -> Any:
        found: list[Any] = []
        thread = threading.Thread(
            target=lambda: found.append(station.call(*arguments, "--delivery", delivery, "--json"))
        )
        thread.start()
        while not ending():
            pass
        thread.join()
        return found[0]

    good = play(station.succeed, "d-1")
    assert good.exit_code == 0
    assert json.loads(good.stdout)["state"] == "succeeded"
    bad = play(station.bury, "d-2")
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["state"] == "dead"


def test_wait_gives_up_in_time_and_says_where_to_look(station: Station, event: str) -> None:
    """Nobody works here, so the job is still waiting; the exit code is 1."""
    result = station.call(
        *("enqueue", "github#sync", "--event", event, *FOR, "--wait", "--timeout", "0.1s")
    )
    assert result.exit_code == 1
    assert "1 of 1 have not ended within 0.1s" in result.stderr
    assert "imbi-worker jobs show" in result.stderr
    assert "no worker is alive" in result.stdout


def test_without_a_signing_key_nothing_is_enqueued(
    station: Station, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers would refuse it; exit code 78 names the variable."""
    monkeypatch.delenv("IMBI_WORKER_SIGNING_KEY")
    result = station.call("enqueue", "github#sync", "--event", event, *FOR)
    assert result.exit_code == 78
    assert "IMBI_WORKER_SIGNING_KEY" in result.stderr


def test_a_secret_in_an_event_is_not_repeated_in_an_error(station: Station, canary: str) -> None:
    """The message names the pointer, not the value."""
    text = '{"token": "CANARY", "n": NaN}'.replace("CANARY", canary)
    result = station.call("enqueue", "github#sync", "--body", "-", *FOR, text=text)
    assert result.exit_code == 2
    assert canary not in result.output


@pytest.mark.parametrize("word", ["enqueue", "status"])
def test_a_redis_that_is_away_is_told_of(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """In words for an operator: what is wrong, and that doing it again does no harm."""
    body = tmp_path / "body.json"
    body.write_text("{}")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{closed.getsockname()[1]}")
        words = ("github#sync", "--body", str(body), "--project", "p", "--org", "o")
        result = station.call(word, *(words if word == "enqueue" else ()))
    assert result.exit_code == 69
    hint = {
        "enqueue": "Run it again when Redis answers: what was enqueued is not enqueued twice.",
        "status": "Look at REDIS_URL, then try again.",
    }
    assert result.stderr.splitlines() == [
        "imbi-worker: Redis does not answer (connection refused).",
        hint[word],
    ]
