"""What the evaluation of one expression may use."""

import time
from typing import Final

LONGEST: Final = 8 * 1024 * 1024


class TooCostly(Exception):  # noqa: N818 - a verdict on an expression, not a fault of ours
    """The expression needs more than one may."""


class OutOfTime(TooCostly):
    """Its processor time is over."""


class Budget:
    """What one evaluation may use of its thread's processor time, and of memory.

    Not the time of the clock: a busy machine must not turn a good rule into a dead job.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.thread_time() + seconds
        self._left = LONGEST

    def spend(self) -> None:
        """Called at every step.

        :raises OutOfTime: the time is over
        """
        if time.thread_time() > self._until:
            raise OutOfTime("it takes too long")

    def take(self, size: int) -> None:
        """Called with the length of every text and list before it is made.

        :raises TooCostly: all of them together are too long
        """
        self._left -= size
        if self._left < 0:
            raise TooCostly(f"it makes more than {LONGEST} characters or elements")
