"""What plugins say past logging becomes lines of the log."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
import structlog

from imbi_sdk.attempt import Redactor
from imbi_worker.observability import logged_output, masked_output
from imbi_worker.queue.kept_lines import LINES, Lines
from imbi_worker.queue.telling import JOB_FIELDS
from logged import json_log


@pytest.fixture
def log(canary: str) -> Iterator[io.StringIO]:
    with json_log(canary) as out:
        yield out


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_print_is_a_line_that_names_its_job(log: io.StringIO, canary: str) -> None:
    """Masked, and kept with the attempt."""

    def in_a_job() -> Lines:
        kept = Lines()
        LINES.set(kept)
        JOB_FIELDS.set({"job_id": "j1"})
        print("token", canary, "50%", end="\n\n")  # noqa: T201 - what is tested
        print("to stderr", file=sys.stderr)  # noqa: T201 - what is tested
        return kept

    with logged_output():
        kept = copy_context().run(in_a_job).of_failure()
    assert [(one["logger"], one["event"], one["job_id"]) for one in lines(log)] == [
        ("stdout", "token *** 50%", "j1"),
        ("stderr", "to stderr", "j1"),
    ]
    assert "token *** 50%" in str(kept)


def test_a_line_that_never_ends_is_told_in_pieces(log: io.StringIO) -> None:
    """Its memory is bounded; what was begun is told at the end."""
    with logged_output():
        for _ in range(5_000):
            sys.stdout.write("12345")
        sys.stdout.write("the end")
    assert len(lines(log)) == 4
    assert lines(log)[-1]["event"].endswith("the end")


def test_threads_do_not_mix_their_lines(log: io.StringIO) -> None:
    """Each has a line of its own."""

    def say(word: str) -> None:
        sys.stdout.write(f"{word} ")
        barrier.wait()
        sys.stdout.write(f"{word}\n")

    barrier = threading.Barrier(2)
    with logged_output():
        threads = [threading.Thread(target=say, args=(word,)) for word in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {one["event"] for one in lines(log)} == {"one one", "two two"}


def test_warnings_and_errors_of_threads_are_lines(log: io.StringIO, canary: str) -> None:
    """Each one whole, with its traceback as a field."""

    def fail() -> None:
        raise RuntimeError(canary)

    with logged_output(), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(f"old {canary}", stacklevel=1)
        thread = threading.Thread(target=fail, name="worker of a plugin")
        thread.start()
        thread.join()
    warned, failed = lines(log)
    assert (warned["logger"], "old ***" in warned["event"]) == ("py.warnings", True)
    assert failed["event"] == "thread worker of a plugin failed"
    assert "RuntimeError: ***" in failed["exception"]


class Odd:
    """Fails when it is thrown away."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __del__(self) -> None:
        raise RuntimeError(self.text)


def test_an_error_that_nobody_can_catch_is_a_line(log: io.StringIO, canary: str) -> None:
    """As of a finalizer."""
    with logged_output():
        Odd(canary)
    (line,) = lines(log)
    assert line["logger"] == "python"
    assert "RuntimeError: ***" in line["exception"]


def test_everything_is_as_it_was_afterwards(log: io.StringIO) -> None:
    """Also after an error."""

    def hooks() -> list[Any]:
        return [sys.stdout, sys.stderr, threading.excepthook, sys.unraisablehook]

    before, shown = hooks(), warnings.showwarning
    with logged_output():
        assert not {*hooks()} & {*before}
    with pytest.raises(KeyError), logged_output():
        raise KeyError
    assert hooks() == before
    assert warnings.showwarning is shown


def test_children_and_bytes_get_the_real_streams(
    log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """A plugin may give its stdout to a program it runs."""
    real = sys.stdout.fileno()
    with logged_output():
        assert sys.stdout.fileno() == real
        assert sys.stdout.writable()
        assert sys.stdout.encoding
        sys.stdout.buffer.write(b"bytes\n")
        sys.stdout.buffer.flush()
    assert capfd.readouterr().out == "bytes\n"


def test_an_action_run_by_hand_prints_to_stderr(
    canary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Masked: stdout is for the answer."""
    redactor = Redactor()
    redactor.register([canary])
    root = logging.getLogger()
    before = list(root.handlers)
    with masked_output(redactor):
        print("the token is", canary)  # noqa: T201 - what is tested
        logging.getLogger("a plugin").warning("refused %s", canary)
        structlog.get_logger("a plugin").warning("refused", token=canary)
    shown = capsys.readouterr()
    assert shown.out == ""
    first, *others = shown.err.splitlines()
    assert first == "the token is ***"
    assert ["refused ***" in others[0], "token=***" in others[1]] == [True, True]
    assert root.handlers == before
