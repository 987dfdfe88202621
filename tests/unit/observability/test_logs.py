"""Logs: one JSON line each, the job's names on it, no secret in it."""

import io
import json
import logging
from contextvars import copy_context
from typing import Any

import pytest
import structlog

from imbi_sdk.attempt import Redactor
from imbi_worker.observability import configure_logs
from imbi_worker.queue.kept_lines import KEPT, LINES, LONGEST, Lines
from imbi_worker.queue.telling import JOB_FIELDS


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object(out: io.StringIO) -> None:
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)
    structlog.get_logger("x").info("job.attempt.succeeded", duration_ms=3)
    [line] = lines(out)
    assert (line["event"], line["level"], line["duration_ms"]) == (
        "job.attempt.succeeded",
        "info",
        3,
    )
    assert line["timestamp"].endswith("Z")


def test_lines_of_plugins_and_libraries_come_in_the_same_form(out: io.StringIO) -> None:
    """With the logger's name, the job's fields, and the traceback as a field."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)

    def in_a_job() -> None:
        JOB_FIELDS.set({"job_id": "j1", "handler": "a#b"})
        error = ValueError("broken")
        logging.getLogger("some.plugin").error("could not %s", "sync", exc_info=error)

    copy_context().run(in_a_job)
    [line] = lines(out)
    assert (line["logger"], line["event"], line["job_id"]) == (
        "some.plugin",
        "could not sync",
        "j1",
    )
    assert "ValueError: broken" in line["exception"]


def test_whoever_writes_a_secret_it_does_not_leave(out: io.StringIO, canary: str) -> None:
    redactor = Redactor()
    configure_logs(level="info", style="json", redactor=redactor, stream=out)
    with redactor.using([canary]):
        structlog.get_logger().info("said", detail=f"token {canary}", nested={"a": [canary]})
        logging.getLogger("plugin").warning("sent %s", canary)
        error = RuntimeError(canary)
        logging.getLogger("plugin").error("failed", exc_info=error)
    assert canary not in out.getvalue()
    assert len(lines(out)) == 3


def test_arqs_lines_with_arguments_are_silent(out: io.StringIO) -> None:
    configure_logs(level="debug", style="json", redactor=Redactor(), stream=out)
    logging.getLogger("arq.worker").info("  0.1s -> id:fn({'token': 'x'})")
    assert out.getvalue() == ""


def test_lines_below_the_level_are_not_written(out: io.StringIO) -> None:
    configure_logs(level="warning", style="json", redactor=Redactor(), stream=out)
    structlog.get_logger().info("quiet")
    logging.getLogger("x").info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(out)] == ["loud"]


def test_text_is_for_terminals(out: io.StringIO) -> None:
    configure_logs(level="info", style="text", redactor=Redactor(), stream=out)
    structlog.get_logger().info("job.attempt.dead", job_id="j1")
    assert "job.attempt.dead" in out.getvalue()
    assert "job_id=j1" in out.getvalue()


class Stubborn:
    """An object that cannot be shown."""

    def __init__(self, canary: str) -> None:
        self.canary = canary

    def __repr__(self) -> str:
        raise RuntimeError(self.canary)


def test_a_field_that_cannot_be_shown_spoils_no_line(out: io.StringIO, canary: str) -> None:
    """Its type stands there instead; not what it said of itself."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)
    log = structlog.get_logger("x")
    log.info("odd", one=Stubborn(canary), two={1, 2}, three=float("nan"), four=b"\xff", five=object)
    [line] = lines(out)
    assert line["event"] == "odd"
    assert "Stubborn without a repr" in line["one"]
    assert canary not in out.getvalue()


def test_a_message_that_does_not_fit_its_arguments_is_told_without_them(
    out: io.StringIO, canary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own way would print them to stderr, past the redactor."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)
    logging.getLogger("some.plugin").error("%d jobs", canary)
    [line] = lines(out)
    assert line["event"].startswith("log.unreadable")
    assert line["logger"] == "some.plugin"
    assert canary not in out.getvalue() + "".join(capsys.readouterr())


def test_lines_say_which_service_and_version_wrote_them(out: io.StringIO) -> None:
    """Whoever gathers the logs of many asks for it."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)
    structlog.get_logger("x").info("hello")
    [line] = lines(out)
    assert line["service"] == "imbi-worker"
    assert line["version"]


def test_a_line_that_an_action_writes_is_kept_with_its_attempt(
    out: io.StringIO, canary: str
) -> None:
    """Redacted, short, the last ones only; lines of the machinery around it are not."""
    redactor = Redactor()
    redactor.register([canary])
    configure_logs(level="info", style="json", redactor=redactor, stream=out)

    def in_a_job() -> Lines:
        kept = Lines()
        LINES.set(kept)
        plugin = logging.getLogger("some.plugin")
        plugin.warning("token %s %s", canary, "x" * 1_000)
        plugin.debug("not logged at all")
        for nth in range(KEPT + 4):
            structlog.get_logger().info("step", nth=nth)
        logging.getLogger("imbi_worker.queue").warning("of the machinery")
        return kept

    found = copy_context().run(in_a_job).of_failure()
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found, default=str))
    kept = found["lines"]
    assert isinstance(kept, list)
    assert len(kept) == KEPT
    assert kept[-1][3] == f"step nth={KEPT + 3}"
    assert found["lines_left_out"] == 5
    assert canary not in json.dumps(found)


def test_of_a_success_only_warnings_are_kept() -> None:
    """They have a place for a day; everything else is in the log."""
    kept = Lines()
    kept.add(1, "info", "p", "fine")
    assert kept.of_success() == {}
    kept.add(2, "warning", "p", "x" * 999)
    told = json.loads(json.dumps(kept.of_success()))
    [(_, level, _, text)] = told["lines"]
    assert (level, len(text)) == ("warning", LONGEST)


def test_what_a_logger_is_given_as_extra_are_fields(out: io.StringIO, canary: str) -> None:
    """Masked, names and values; none takes the place of a field of ours or of the job's."""
    redactor = Redactor()
    redactor.register([canary])
    configure_logs(level="info", style="json", redactor=redactor, stream=out)

    def in_a_job() -> None:
        JOB_FIELDS.set({"job_id": "j1", "attempt": 1})
        taken = {"event": "e", "level": "l", "service": "s", "job_id": "mine", "attempt": 1}
        own = {"nth": 7, "token": canary, canary: "as a name"}
        logging.getLogger("p").warning("hello", extra={**taken, **own})
        structlog.get_logger("q").warning("hello", job_id="mine", **{canary: "as a name"})

    copy_context().run(in_a_job)
    first, second = lines(out)
    assert canary not in out.getvalue()
    assert (first["event"], first["level"], first["service"]) == ("hello", "warning", "imbi-worker")
    assert (first["extra_event"], first["extra_level"], first["extra_service"]) == ("e", "l", "s")
    assert (first["nth"], first["token"], first["***"]) == (7, "***", "as a name")
    for line in (first, second):
        assert (line["job_id"], line["extra_job_id"]) == ("j1", "mine")
    assert "extra_attempt" not in first
    assert (first["logger"], second["logger"]) == ("p", "q")
    assert second["***"] == "as a name"


def test_lines_of_the_machinery_are_not_kept_as_the_actions(out: io.StringIO) -> None:
    """Whichever logger they are written with."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)

    def in_a_job() -> Lines:
        kept = Lines()
        LINES.set(kept)
        structlog.get_logger("imbi_worker.queue").warning("action.abandoned")
        logging.getLogger("imbi_worker.graph").warning("of the graph")
        return kept

    assert copy_context().run(in_a_job).of_failure() == {}
    assert len(lines(out)) == 2


def test_names_of_loggers_do_not_fill_the_memory(out: io.StringIO) -> None:
    """A plugin may make one for each job."""
    configure_logs(level="info", style="json", redactor=Redactor(), stream=out)
    for nth in range(1_500):
        structlog.get_logger(f"plugin.{nth}").info("hello")
    assert len(structlog.get_config()["logger_factory"]._made) <= 1_000
    assert lines(out)[-1]["logger"] == "plugin.1499"


def test_no_word_of_ours_lets_a_plugins_secret_through(out: io.StringIO, canary: str) -> None:
    """A plugin may use our events, our fields, and things that are no text at all."""
    redactor = Redactor()
    redactor.register([canary])
    configure_logs(level="info", style="json", redactor=redactor, stream=out)
    plugin = structlog.get_logger("plugin")
    plugin.info("job.attempt.succeeded", outcome=canary, hint=canary, reason=canary)
    plugin.info({"job.attempt.succeeded": canary}, next_retry_at=canary)
    plugin.info(None, error=canary)
    with structlog.contextvars.bound_contextvars(token=canary):
        structlog.get_logger("imbi_worker.queue").info("job.attempt.succeeded", outcome="succeeded")
    assert canary not in out.getvalue()
    assert len(lines(out)) == 4
    assert lines(out)[-1]["token"] == "***"
