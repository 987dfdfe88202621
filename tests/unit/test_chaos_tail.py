"""The end of the append-only file: what a dead machine would have lost, and no more."""

import time
from pathlib import Path

import pytest

from chaos.tail import Tail


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "appendonlydir").mkdir()
    path = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    path.write_bytes(b"first,")
    return path


def test_what_was_written_since_is_cut_off(tmp_path: Path, file: Path) -> None:
    tail = Tail(tmp_path)
    tail.see(time.monotonic(), unwritten=0)
    file.write_bytes(b"first,second,")
    assert tail.lose(0.0) is not None
    assert file.read_bytes() == b"first,"


def test_a_length_that_lacks_what_was_acknowledged_is_not_used(tmp_path: Path, file: Path) -> None:
    tail = Tail(tmp_path)
    tail.see(time.monotonic(), unwritten=10)
    file.write_bytes(b"first,second,")
    assert tail.lose(0.0) is None
    assert file.read_bytes() == b"first,second,"


def test_a_rewritten_file_is_left_alone(tmp_path: Path, file: Path) -> None:
    tail = Tail(tmp_path)
    tail.see(time.monotonic(), unwritten=0)
    newer = file.with_name("appendonly.aof.2.incr.aof")
    newer.write_bytes(b"anew")
    assert tail.lose(0.0) is None
    assert newer.read_bytes() == b"anew"
