"""The replay as a conversation: the plan, the question, the pace, the result."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imbi_worker import wiring
from imbi_worker.cli import files
from imbi_worker.cli.changes.pace import Pace, progress_bar
from imbi_worker.cli.output import Output
from imbi_worker.cli.questions import agrees
from imbi_worker.cli.session import Session, actor
from imbi_worker.operations.errors import OperationError
from imbi_worker.operations.holding import mandate
from imbi_worker.operations.replays import NewConfig, plan_replay, replay_one
from imbi_worker.operations.replays import Replay as Replay
from imbi_worker.operations.sources import parse_json
from imbi_worker.queue.inspection import Inspection

_HEADERS = ("ID", "HANDLER", "RESULT", "DETAIL")
# Of a bulk replay only what did not go is shown, and not more of it than can be read.
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay, how fast, and how far to go without asking."""

    jobs: tuple[str, ...]
    config: NewConfig | None
    reason: str
    is_dry: bool
    is_confirmed: bool
    is_bulk: bool
    rate: str | None = None


def new_config(path: Path, session: Session) -> NewConfig:
    """The config that a file holds, to be signed with this process's key.

    :raises InvalidInput: the file cannot be read, or is no JSON
    """
    source = files.read(path)
    parse_json(source)
    return NewConfig(source.text, wiring.signer(session.settings), session.settings.accept_unsigned)


async def plan(inspection: Inspection, request: Request) -> tuple[Replay, ...]:
    """What would be replayed, and what could not be; writes nothing."""
    with progress_bar("Looking", len(request.jobs)) as bar:
        return await plan_replay(
            inspection,
            request.jobs,
            config=request.config,
            checks_configs=True,
            on_progress=bar.to,
        )


def is_agreed(planned: Sequence[Replay], request: Request, output: Output) -> bool:
    """Whether to go on from the plan: something can be replayed, and nobody says no."""
    ready = [one for one in planned if one.verdict == "ready"]
    _warn(ready, output)
    if request.is_dry or not ready:
        _show(planned, request, output)
        output.say(_summary(planned))
        _explain_failures(planned, output)
        return False
    _explain_failures(planned, output)
    question = f"Replay {len(ready):,} of {len(planned):,} dead letters?"
    stakes = f"{len(ready):,} dead letters would run again"
    if agrees(question, stakes, output, is_confirmed=request.is_confirmed):
        return True
    output.say("Nothing was replayed.")
    return False


async def replay_all(
    inspection: Inspection, planned: Sequence[Replay], request: Request, output: Output
) -> bool:
    """Whether every one was replayed. Interrupted, it says how far it came."""
    by = mandate(actor(), request.reason, looks_only=False)
    pace, done = Pace(request.rate), list[Replay]()
    try:
        with progress_bar("Replaying", len(planned)) as bar:
            for one in planned:
                if one.verdict == "ready":
                    await pace.turn()
                done.append(
                    await replay_one(
                        inspection, one, actor=by.actor, reason=by.reason, config=request.config
                    )
                )
                bar.step()
    except (OperationError, asyncio.CancelledError):
        _show(done, request, output)
        output.say(f"Stopped: {_summary(done)}. Run it again for the rest of {len(planned):,}.")
        raise
    _show(done, request, output)
    output.say(_summary(done))
    return all(one.verdict == "replayed" for one in done)


def _warn(ready: Sequence[Replay], output: Output) -> None:
    count = sum(one.later_ran for one in ready)
    if count:
        output.say(
            f"Later jobs of their lanes have already run for {count:,} of them: what these do"
            " comes after what those have done."
        )


def _explain_failures(planned: Sequence[Replay], output: Output) -> None:
    count = sum(one.verdict == "would fail" for one in planned)
    if count:
        output.say(
            f"{count:,} would only die again and stay where they are: correct the config with"
            " --config FILE, or have the sender deliver again under the mended rule."
        )


def _show(found: Sequence[Replay], request: Request, output: Output) -> None:
    if output.as_json:
        output.records(found)
        return
    rows = [
        (one.job, one.handler, one.verdict, _detail(one))
        for one in found
        if not request.is_bulk or one.verdict not in {"replayed", "ready"}
    ]
    if rows or not found:
        output.table(_HEADERS, rows[:_SHOWN] if request.is_bulk else rows)
    if request.is_bulk and len(rows) > _SHOWN:
        output.say(f"… {len(rows) - _SHOWN:,} more; see all with --json.")


def _detail(one: Replay) -> str:
    warning = "later jobs of its lane already ran" if one.later_ran else ""
    return "; ".join(part for part in (one.detail, warning) if part)


def _summary(found: Sequence[Replay]) -> str:
    counts = Counter(one.verdict for one in found)
    return ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items()) or "0 found"
