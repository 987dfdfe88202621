"""`dead import`: lines of an export back into dead letters."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from imbi_worker import wiring
from imbi_worker.cli.changes.pace import Pace, progress_bar
from imbi_worker.cli.files import STDIN
from imbi_worker.cli.output import FAILED, OK, Output
from imbi_worker.cli.session import Session, actor, execute
from imbi_worker.operations.errors import InvalidInput, OperationError
from imbi_worker.operations.exports import ImportedLine, Verdict, import_lines, numbered_lines
from imbi_worker.operations.holding import mandate
from imbi_worker.operations.letters import Keys, Seal

_HEADERS = ("LINE", "ID", "RESULT", "DETAIL")
_GOOD = frozenset({"imported", "known"})
# What went wrong is shown, and not more of it than can be read.
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What to import, why, and how fast."""

    file: Path
    reason: str
    is_dry: bool
    rate: str | None


@dataclass(slots=True)
class _Tally:
    counts: Counter[Verdict] = field(default_factory=Counter)
    problems: list[ImportedLine] = field(default_factory=list)

    def add(self, one: ImportedLine) -> None:
        self.counts[one.verdict] += 1
        if one.verdict not in _GOOD and len(self.problems) < _SHOWN:
            self.problems.append(one)

    @property
    def failed(self) -> int:
        return sum(count for verdict, count in self.counts.items() if verdict not in _GOOD)


def bring_in(order: ImportOrder, output: Output) -> None:
    """Read the lines; leaves with the exit code."""

    async def work(session: Session) -> int:
        by = mandate(actor(), order.reason, looks_only=order.is_dry)
        pace = Pace(order.rate)
        settings = session.settings
        keys = Keys(Seal.of_environment(), wiring.signer(settings), settings.accept_unsigned)
        tally = _Tally()
        try:
            with _opened(order.file) as (stream, total):
                steps = import_lines(
                    session.inspection,
                    numbered_lines(stream),
                    keys,
                    by,
                    scope=f"file:{order.file.name}" if order.file != STDIN else "stdin",
                    **({"at_once": 1} if order.rate is not None else {}),
                )
                label = "Looking" if order.is_dry else "Importing"
                with progress_bar(label, total) as bar:
                    async with aclosing(steps):
                        async for step in steps:
                            _note(step, tally, order, output)
                            bar.step(len(step))
                            await pace.turn()
        except (OperationError, asyncio.CancelledError):
            if tally.counts:
                _tell(tally, order, output, start="Stopped: ")
                output.say("Run it again: what is here already is passed over.")
            raise
        _tell(tally, order, output)
        return FAILED if tally.failed else OK

    execute(work, output)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int | None]]:
    """The file, and how many lines it has where that can be known."""
    if path == STDIN:
        yield sys.stdin.buffer, None
        return
    try:
        with path.open("rb") as stream:
            total = None
            if stream.seekable():
                total = sum(1 for _ in numbered_lines(stream))
                stream.seek(0)
            yield stream, total
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None


def _note(step: Sequence[ImportedLine], tally: _Tally, order: ImportOrder, output: Output) -> None:
    for one in step:
        tally.add(one)
        if output.as_json:
            output.record({**asdict(one), "is_dry": order.is_dry})


def _tell(tally: _Tally, order: ImportOrder, output: Output, *, start: str = "") -> None:
    if tally.problems and not output.as_json:
        output.table(
            _HEADERS,
            [(str(one.number), one.job, one.verdict, one.detail) for one in tally.problems],
        )
        if tally.failed > len(tally.problems):
            output.say(f"… {tally.failed - len(tally.problems):,} more; see all with --json.")
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in tally.counts.items())
    dry = "Nothing was changed; would be: " if order.is_dry else ""
    output.say(f"{start}{dry}{told or 'The file holds no dead letter'}.")
