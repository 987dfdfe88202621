"""The heartbeat file: whole or not there, and its age is looked at first."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from imbi_worker.probes import Check, Health, Heartbeat, NoHeartbeat

BEAT = Heartbeat(
    worker="pod-1",
    at=0.0,
    live=Health((Check("event loop", is_ok=True, detail="turns"),)),
    ready=Health((Check("graph", is_ok=False, detail="away", counts=False),)),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat.json"


def test_what_is_written_is_read(file: Path) -> None:
    """And nothing is left beside it."""
    beat = replace(BEAT, at=time.time())
    beat.write(file)
    beat.write(file)
    assert Heartbeat.read(file) == beat
    assert list(file.parent.iterdir()) == [file]


def test_an_old_beat_is_none(file: Path) -> None:
    """The process is gone or stands still, and is named."""
    replace(BEAT, at=time.time() - 21).write(file)
    with pytest.raises(NoHeartbeat, match=r"was last written 21 s ago by pod-1"):
        Heartbeat.read(file)


def test_no_file_says_what_to_set(file: Path) -> None:
    """The worker has not started, or writes another one."""
    with pytest.raises(NoHeartbeat, match="IMBI_WORKER_HEARTBEAT_FILE"):
        Heartbeat.read(file)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", '{"worker": "w"}', '{"worker":"w","at":"x","live":[],"ready":[]}']
)
def test_another_file_is_no_heartbeat(file: Path, text: str) -> None:
    """Whatever is in it."""
    file.write_text(text)
    with pytest.raises(NoHeartbeat, match="is no heartbeat of a worker"):
        Heartbeat.read(file)


def test_a_file_that_is_a_folder_cannot_be_read(file: Path) -> None:
    """Told with the system's own word."""
    file.mkdir()
    with pytest.raises(NoHeartbeat, match="cannot be read: Is a directory"):
        Heartbeat.read(file)


def test_a_check_that_does_not_count_decides_nothing() -> None:
    """It is reported."""
    assert BEAT.ready.is_ok
    assert json.dumps(BEAT.ready.to_json())
