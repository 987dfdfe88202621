"""A command at a terminal of its own, as an operator has it before them."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = str(Path(sys.executable).parent / "imbi-worker")


class Terminal:
    """A command whose questions and talk go to a terminal; its stdout is a pipe."""

    def __init__(self, *arguments: str) -> None:
        self.screen = b""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, *arguments],
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        )
        os.close(theirs)

    def wait_for(self, pattern: str) -> None:
        while not re.search(pattern.encode(), self.screen):
            assert self._read(), f"{pattern!r} never came: {self.screen!r}"

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """The exit code; the whole screen has been read then."""
        while self._read():
            pass
        return self.process.wait(timeout=30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self._ours)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 30)
        assert ready, f"nothing more came for 30 s: {self.screen!r}"
        try:
            found = os.read(self._ours, 65_536)
        except OSError:  # Linux says EIO when the other side has closed
            return False
        self.screen += found
        return bool(found)


def screen(*arguments: str, columns: int, **variables: str) -> str:
    """What a command prints, all of it, at a terminal of that width."""
    ours, theirs = pty.openpty()
    size = struct.pack("HHHH", 60, columns, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment | {"TERM": "xterm-256color"} | variables,
    ):
        os.close(theirs)
        shown = b""
        try:
            while found := os.read(ours, 65_536):
                shown += found
        except OSError:  # Linux says EIO when the other side has closed
            pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    opened = Terminal(*arguments)
    try:
        yield opened
    finally:
        opened.close()
