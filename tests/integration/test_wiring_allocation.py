"""The memory of large blocks goes back to the system, in a process of its own."""

import os
import subprocess
import sys

import pytest

from imbi_worker.wiring import allocation

# What events do to the heap: a large block is freed, then others come and go between small ones.
_STORY = """
import sys
from pathlib import Path
from imbi_worker.wiring.allocation import return_large_blocks

def resident():
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if "VmRSS" in line).split()[1]) // 1024

if sys.argv[1] == "set":
    return_large_blocks()
before = resident()
large = bytes(25_000_000)
del large
small = []
for _ in range(4):
    large = [bytes(12_000_000) for _ in range(2)]
    small.append(bytes(100_000))
    del large
print(resident() - before)
"""

needs_glibc = pytest.mark.skipif(
    "CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="only glibc has the threshold"
)


def megabytes_left(word: str) -> int:
    ran = subprocess.run(  # noqa: S603 - this very interpreter, words of our own
        [sys.executable, "-c", _STORY, word], check=True, capture_output=True, text=True
    )
    return int(ran.stdout)


@needs_glibc
def test_nothing_is_kept_of_blocks_that_were_freed() -> None:
    """As glibc comes, it keeps megabytes; a bound on our own would else prove nothing."""
    assert megabytes_left("set") < 4
    assert megabytes_left("as it comes") > 10


def test_a_system_without_that_switch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As are musl and macOS, which have no mallopt."""
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda name: object())
    allocation.return_large_blocks()
