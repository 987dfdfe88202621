"""The last word of the demo: every job, its outcome, what each scene shows, the verdict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imbi_worker.demo.evidence import Ended, Evidence, is_kept
from imbi_worker.demo.scenes import Claim, Scene
from imbi_worker.demo.view import named, styled

_INDENT = 4
_WIDTHS = (5, 12, 36, 9, None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A scene with its jobs, and each of its claims with whether it was kept."""

    number: int
    scene: Scene
    ended: tuple[Ended, ...]
    claims: tuple[tuple[Claim, bool], ...]

    @property
    def is_as_told(self) -> bool:
        jobs = all(not one.flaws for one in self.ended)
        return jobs and all(kept for _, kept in self.claims) and bool(self.ended or self.claims)


def judge(story: Sequence[Scene], evidence: Evidence) -> tuple[Judged, ...]:
    return tuple(
        Judged(
            number,
            scene,
            evidence.scene(number),
            tuple((claim, is_kept(claim, number, evidence)) for claim in scene.claims),
        )
        for number, scene in enumerate(story, 1)
    )


def show(console: Console, judged: Sequence[Judged], took: timedelta) -> None:
    """For people."""
    for one in judged:
        title = Text.assemble((f"\n{one.number:>2}  {one.scene.title}", "bold"))
        for webhook in sorted({ended.member.webhook for ended in one.ended}):
            title.append(f"  {webhook}", style="dim")
        console.print(title)
        console.print(Padding(Text(one.scene.sentence), (0, 0, 0, _INDENT)))
        console.print(Padding(_table(one), (0, 0, 0, _INDENT)))
        for claim, kept in one.claims:
            line = Text.assemble(_sign(is_good=kept), " ", claim.value)
            console.print(Padding(line, (0, 0, 0, _INDENT)))
    console.print()
    jobs = [ended for one in judged for ended in one.ended]
    wrong = [one for one in judged if not one.is_as_told]
    seconds = f"{took.total_seconds():.1f} s"
    if wrong:
        names = ", ".join(f"{one.number} ({one.scene.title})" for one in wrong)
        console.print(f"NOT as told: scene {names}; {len(jobs)} jobs, {seconds}.", style="bold red")
    else:
        console.print(f"All {len(jobs)} jobs ended as told, in {seconds}.", style="bold green")


def _table(judged: Judged) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    for width in _WIDTHS:
        table.add_column(width=width, overflow="fold")
    for ended in judged.ended:
        table.add_row(
            _sign(is_good=not ended.flaws),
            ended.member.project,
            named(ended.member.part),
            Text("lost", style="red") if ended.state is None else styled(ended.state),
            _how(ended),
        )
    return table


def _sign(*, is_good: bool) -> Text:
    return Text("ok   ", "green") if is_good else Text("WRONG", "bold red")


def _how(ended: Ended) -> str:
    if ended.flaws:
        return "; ".join(ended.flaws)
    attempts = ""
    if len(ended.attempts) > 1:
        runs = [(name, len(list(same))) for name, same in groupby(ended.attempts)]
        attempts = ", ".join(name if count == 1 else f"{count} x {name}" for name, count in runs)
    if any(status >= HTTPStatus.BAD_REQUEST for status in ended.answers):
        attempts += f" ({', '.join(str(status) for status in ended.answers)})"
    return ": ".join(text.strip() for text in (ended.reason, attempts) if text)


def as_json(judged: Sequence[Judged]) -> list[str]:
    """For programs: one line for each job, then one for each claim."""
    lines: list[dict[str, Any]] = []
    for one in judged:
        scene = {"scene": one.number, "title": one.scene.title, "shows": one.scene.sentence}
        lines += [
            {
                **scene,
                "job": ended.member.id,
                "webhook": ended.member.webhook,
                "project": ended.member.project,
                "handler": ended.member.part.handler,
                "mark": ended.member.part.mark,
                "state": ended.state,
                "reason": ended.reason or None,
                "attempts": ended.attempts,
                "answers": ended.answers,
                "as_told": not ended.flaws,
                "flaws": ended.flaws,
            }
            for ended in one.ended
        ]
        lines += [{**scene, "claim": claim, "as_told": kept} for claim, kept in one.claims]
    return [json.dumps(line) for line in lines]
