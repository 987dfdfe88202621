"""The rotation as a conversation: the warning, the question, the progress, the figures."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from imbi_worker.cli import questions
from imbi_worker.cli.changes.pace import Pace, progress_bar
from imbi_worker.cli.output import FAILED, OK, Output, counted
from imbi_worker.operations.errors import OperationError
from imbi_worker.operations.rotation import (
    Failure,
    KeyRing,
    RotationReport,
    Secrets,
    Tally,
    count_secrets,
    rotate,
)

_WARNING: Final = (
    "Imbi's other services must already have the new key as theirs: what is rotated cannot be"
    " read with the old one. Keep the old one until all is done."
)
_HEADERS: Final = ("NODE", "NAME", "PROBLEM")


def agrees(output: Output, *, is_confirmed: bool) -> bool:
    """Warn, and ask at a terminal unless *is_confirmed*."""
    output.say(_WARNING)
    question = "Do they have it, and shall the rotation begin?"
    stakes = "Stored secrets would be encrypted anew"
    return questions.agrees(question, stakes, output, is_confirmed=is_confirmed)


async def rotate_all(
    secrets: Secrets, keys: KeyRing, output: Output, pace: Pace, *, is_dry: bool
) -> int:
    """Rotate, show progress and figures; the exit code."""
    tally = Tally(is_dry=is_dry)
    try:
        await _go_through(secrets, keys, tally, pace)
    except (OperationError, asyncio.CancelledError):
        if tally.report().looked_at:
            output.say(f"Stopped. {_summary(tally.report())} Run it again for the rest.")
        raise
    report = tally.report()
    if output.as_json:
        output.record(report)
    elif report.failures:
        _tell_failures(report.failures, output)
    output.say(_summary(report))
    return FAILED if report.failures else OK


async def _go_through(secrets: Secrets, keys: KeyRing, tally: Tally, pace: Pace) -> None:
    total = await count_secrets(secrets)
    with progress_bar("Looking" if tally.is_dry else "Rotating", total) as bar:
        async with aclosing(rotate(secrets, keys, is_dry=tally.is_dry)) as steps:
            async for one in steps:
                tally.add(one)
                bar.step()
                await pace.turn()


def _tell_failures(failures: Sequence[Failure], output: Output) -> None:
    """Each by its name; what to do about a kind of them once, not a thousand times."""
    output.table(_HEADERS, [(one.place, one.name, one.problem) for one in failures])
    output.heading("What to do")
    for (problem, hint), count in Counter((one.problem, one.hint) for one in failures).items():
        output.prose(f"{problem} ({counted(count, 'secret')}): {hint}")


def _summary(report: RotationReport) -> str:
    done = "to rotate" if report.is_dry else "rotated"
    parts = [
        f"{report.rotated:,} {done}",
        f"{report.already_new:,} already new",
        f"{report.unreadable:,} unreadable",
    ]
    if report.changed_meanwhile:
        parts.append(f"{report.changed_meanwhile:,} changed meanwhile and repeated")
    others = len(report.failures) - report.unreadable
    if others:
        parts.append(f"{others:,} more failed")
    return f"{', '.join(parts)}."
