"""From start to stop: what both embedded servers have in common."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from imbi_worker.embedded.child import Child


class EmbeddedServer(ABC):
    """A server that runs as a child. ``kill`` and ``restart`` are what a crash looks like.

    Its methods wait: call them outside a running event loop, or on a thread.
    """

    def __init__(self, name: str) -> None:
        self._child = Child(name)

    def start(self) -> Self:
        """Return when the server answers."""
        program = self._find()
        try:
            self._child.open()
            self._run(program)
        except BaseException:
            self.stop()
            raise
        return self

    def kill(self) -> None:
        """SIGKILL: what was not on disk is lost."""
        self._child.kill()

    def restart(self) -> None:
        """Start again with the same data after :meth:`kill`, or kill first, then start."""
        self._child.kill()
        self._run(self._find())

    def stop(self) -> None:
        """For good: its own directory is gone afterwards. May be called twice."""
        self._child.close()

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does what it is for, just now."""

    @abstractmethod
    def _find(self) -> Path:
        """The installed program; raises `EmbeddedServerError` with what to install."""

    @abstractmethod
    def _run(self, program: Path) -> None:
        """Start *program* in the child and wait until it answers."""
