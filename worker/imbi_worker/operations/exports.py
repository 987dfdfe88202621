"""Dead letters out into lines, and lines back into dead letters."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Literal, TypeAlias

from imbi_sdk.attempt import Redactor
from imbi_worker.operations.errors import operation_errors
from imbi_worker.operations.letters import Keys, LineError, Seal, read_line, write_line
from imbi_worker.queue.control import Mandate
from imbi_worker.queue.imports import Imported, ImportResult, Letter, bring_back
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.asking import redis_errors
from imbi_worker.queue.inspection.letters import in_order, whole_letters
from imbi_worker.queue.janitor import Retention

# A body of 26 MiB and its event, encrypted: longer lines are no export.
LONGEST_LINE: Final = 128 * 1024 * 1024
_AT_ONCE: Final = 200
_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
_KEPT: Final = Retention()
_DETAILS: Final[dict[ImportResult, str]] = {
    "imported": "",
    "known": "it is here already, or was: {detail}",
    "event gone": "its event was gone when it was exported: have the sender deliver again",
    "no room": "{room} are kept: replay or discard some, then import the rest",
}
_ROOM: Final = {
    "letters": f"{_KEPT.count:,} dead letters",
    "bytes": f"{_KEPT.size_bytes // 1024**2:,} MiB of dead letters",
}

Verdict: TypeAlias = ImportResult | Literal["refused"]


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """What became of one line of a file; *number* counts from 1."""

    number: int
    job: str
    verdict: Verdict
    detail: str = ""


async def export_order(inspection: Inspection, jobs: Sequence[str]) -> list[str]:
    """*jobs* as they are exported: in the order they were first enqueued, to be replayed in it."""
    with operation_errors():
        return await in_order(inspection, jobs)


async def export_lines(
    inspection: Inspection, jobs: Sequence[str], *, seal: Seal | None, with_event: bool = False
) -> AsyncGenerator[dict[str, Any], None]:
    """A JSON object for each of *jobs* that is a dead letter still. Writes nothing."""
    redactor = Redactor()
    with operation_errors():
        async for letter in whole_letters(inspection, jobs):
            yield write_line(letter, redactor, seal=seal, with_event=with_event)


def numbered_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that hold anything, and their numbers; one that is too long is cut."""
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE)
        if line.strip():
            yield number, line


async def import_lines(
    inspection: Inspection,
    lines: Iterable[tuple[int, bytes]],
    keys: Keys,
    by: Mandate,
    *,
    scope: str,
    at_once: int = _AT_ONCE,
) -> AsyncGenerator[Sequence[ImportedLine], None]:
    """Bring dead letters back, some hundred in a step; *scope* is for the audit.

    A line that is no letter, was changed or is not signed is refused, and the rest goes on.
    Interrupted, the steps so far are done; another call passes over them.
    """
    waiting: list[tuple[int, Letter]] = []
    weight = 0
    for number, line in lines:
        try:
            letter = read_line(line, keys)
        except LineError as error:
            yield [ImportedLine(number, error.job, "refused", str(error))]
            continue
        waiting.append((number, letter))
        weight += letter.size_bytes
        if len(waiting) >= at_once or weight >= _BYTES_AT_ONCE:
            yield await _bring(inspection, waiting, by, scope)
            waiting, weight = [], 0
    if waiting:
        yield await _bring(inspection, waiting, by, scope)


async def _bring(
    inspection: Inspection, numbered: Sequence[tuple[int, Letter]], by: Mandate, scope: str
) -> list[ImportedLine]:
    with operation_errors(), redis_errors():
        done = await bring_back(
            inspection.redis,
            [letter for _, letter in numbered],
            by,
            queue=inspection.queue,
            scope=scope,
            retention=_KEPT,
        )
    return [
        ImportedLine(number, one.job, one.result, _detail(one))
        for (number, _), one in zip(numbered, done, strict=True)
    ]


def _detail(one: Imported) -> str:
    return _DETAILS[one.result].format(detail=one.detail, room=_ROOM.get(one.detail, ""))
