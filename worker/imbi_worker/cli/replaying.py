"""The replay as a conversation: the plan, the question, the result."""

from collections import Counter
from dataclasses import dataclass

from imbi_worker.cli.output import Output
from imbi_worker.cli.questions import agrees
from imbi_worker.cli.session import actor
from imbi_worker.operations.dead_letters import NewConfig, Replay, plan_replay, replay_one
from imbi_worker.queue.inspection import Inspection

_HEADERS = ("ID", "HANDLER", "RESULT", "DETAIL")


@dataclass(frozen=True, slots=True)
class Request:
    """What to replay, and how far to go without asking."""

    jobs: tuple[str, ...]
    config: NewConfig | None
    reason: str
    is_dry: bool
    is_confirmed: bool


async def plan(inspection: Inspection, request: Request) -> tuple[Replay, ...]:
    """What would be replayed, and what could not be; writes nothing."""
    return await plan_replay(inspection, request.jobs, config=request.config)


def is_agreed(planned: tuple[Replay, ...], request: Request, output: Output) -> bool:
    """Whether to go on from the plan: something can be replayed, and nobody says no."""
    ready = [one for one in planned if one.verdict == "ready"]
    _warn(ready, output)
    if request.is_dry or not ready:
        _show(planned, output)
        output.say(_summary(planned))
        return False
    question = f"Replay {len(ready):,} of {len(planned):,} dead letters?"
    stakes = f"{len(ready):,} dead letters would run again"
    if agrees(question, stakes, output, is_confirmed=request.is_confirmed):
        return True
    output.say("Nothing was replayed.")
    return False


async def replay_all(
    inspection: Inspection, planned: tuple[Replay, ...], request: Request, output: Output
) -> bool:
    """Whether every one was replayed."""
    done = [
        await replay_one(
            inspection, one, actor=actor(), reason=request.reason, config=request.config
        )
        for one in planned
    ]
    _show(done, output)
    output.say(_summary(done))
    return all(one.verdict == "replayed" for one in done)


def _warn(ready: list[Replay], output: Output) -> None:
    count = sum(one.later_ran for one in ready)
    if count:
        output.say(
            f"Later jobs of their lanes have already run for {count:,} of them: what these do"
            " comes after what those have done."
        )


def _show(found: tuple[Replay, ...] | list[Replay], output: Output) -> None:
    if output.as_json:
        output.records(found)
    else:
        rows = [(one.job, one.handler, one.verdict, _detail(one)) for one in found]
        output.table(_HEADERS, rows)


def _detail(one: Replay) -> str:
    warning = "later jobs of its lane already ran" if one.later_ran else ""
    return "; ".join(part for part in (one.detail, warning) if part)


def _summary(found: tuple[Replay, ...] | list[Replay]) -> str:
    counts = Counter(one.verdict for one in found)
    return ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items()) or "0 found"
