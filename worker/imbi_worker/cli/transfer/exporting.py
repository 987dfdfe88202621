"""`dead export`: dead letters into lines of JSON, on stdout or into a file."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from imbi_worker.cli.changes.pace import Bar, Pace, progress_bar
from imbi_worker.cli.output import FAILED, OK, Output, counted
from imbi_worker.cli.session import Session, execute
from imbi_worker.operations.errors import InvalidInput, OperationError
from imbi_worker.operations.exports import export_lines, export_order
from imbi_worker.operations.letters import Seal

_AGAIN = "The same command with --resume goes on."


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What to export, and where to."""

    find: Callable[[Session], Awaitable[Sequence[str]]]
    file: Path | None
    resumes: bool
    is_for_reading: bool
    with_event: bool
    rate: str | None


def export(order: ExportOrder, output: Output) -> None:
    """Write the lines; leaves with the exit code."""

    async def work(session: Session) -> int:
        if order.resumes and order.file is None:
            raise InvalidInput("--resume goes on with a file.", "Name it with --output FILE.")
        pace = Pace(order.rate)
        seal = None if order.is_for_reading else Seal.of_environment()
        found = await order.find(session)
        with _target(order) as (stream, known):
            ordered = await export_order(session.inspection, found)
            jobs = [one for one in ordered if one not in known]
            lines = export_lines(session.inspection, jobs, seal=seal, with_event=order.with_event)
            try:
                with _bar(order, len(jobs)) as bar:
                    done = await _write(lines, stream, pace, bar)
            except (OperationError, asyncio.CancelledError):
                again = _AGAIN if order.file is not None else "Run it again."
                output.say(f"Stopped before all {counted(len(jobs), 'dead letter')}. {again}")
                raise
        _tell(done, len(found), len(known), order, output)
        return OK if done == len(jobs) else FAILED

    execute(work, output)


async def _write(
    lines: AsyncGenerator[Mapping[str, Any]], stream: IO[bytes], pace: Pace, bar: Bar
) -> int:
    done = 0
    try:
        async with aclosing(lines):
            async for line in lines:
                await pace.turn()
                stream.write(f"{json.dumps(line)}\n".encode())
                done += 1
                bar.step()
    finally:
        stream.flush()
    return done


def _bar(order: ExportOrder, total: int) -> AbstractContextManager[Bar]:
    # Lines and a bar on one terminal would spoil each other.
    shows = order.file is not None or not sys.stdout.isatty()
    return progress_bar("Exporting", total, shows=shows)


@contextmanager
def _target(order: ExportOrder) -> Iterator[tuple[IO[bytes], frozenset[str]]]:
    """Where the lines go, and the ids of those that are there already."""
    if order.file is None:
        yield sys.stdout.buffer, frozenset()
        return
    known = _known(order.file) if order.resumes and order.file.exists() else frozenset()
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if order.resumes else os.O_EXCL)
    try:
        # Errors and configs are in it: nobody else on this machine is to read them.
        opened = os.open(order.file, flags, 0o600)
    except FileExistsError:
        hint = "Name another file, or go on with this one: --resume."
        raise InvalidInput(f"{order.file} exists.", hint) from None
    except OSError as error:
        raise InvalidInput(f"{order.file} cannot be written: {error.strerror}.") from None
    with os.fdopen(opened, "ab") as stream:
        yield stream, known


def _known(file: Path) -> frozenset[str]:
    """The ids of the whole lines of *file*; the rest of one that was cut off is taken away."""
    ids: set[str] = set()
    whole = 0
    try:
        with file.open("rb+") as stream:
            for number, line in enumerate(stream, 1):
                if not line.endswith(b"\n"):
                    break
                ids.add(_id_of(line, file, number))
                whole += len(line)
            stream.truncate(whole)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be gone on with: {error.strerror}.") from None
    return frozenset(ids)


def _id_of(line: bytes, file: Path, number: int) -> str:
    try:
        found = json.loads(line)["id"]
    except (ValueError, TypeError, KeyError):
        hint = "Name another file; this one stays as it is."
        raise InvalidInput(f"{file} line {number} is no line of an export.", hint) from None
    return str(found)


def _tell(done: int, found: int, known: int, order: ExportOrder, output: Output) -> None:
    if output.as_json:
        output.tell({"exported": done, "already_there": known})
        return
    place = f" to {order.file}" if order.file is not None else ""
    parts = [f"{counted(done, 'dead letter')} exported{place}"]
    if known:
        parts.append(f"{known:,} were there already")
    gone = found - known - done
    if gone > 0:
        parts.append(f"{gone:,} are no dead letters any more, or have no body")
    output.say(f"{', '.join(parts)}.")
