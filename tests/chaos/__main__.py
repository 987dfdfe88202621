"""``python -m chaos``: one run, one line, exit code 1 when a promise was broken."""

import argparse
import asyncio
import random
import sys
from pathlib import Path
from typing import Final

from chaos.run import Plan, run
from chaos.verdict import Verdict

_SHOWN: Final = 10


def main() -> int:
    plan = _plan()
    verdict = asyncio.run(run(plan))
    _tell(verdict)
    if not verdict.is_clean:
        sys.stdout.write(
            f"once more: make chaos SECONDS={plan.seconds:g} SEED={plan.seed}"
            f" WORKERS={plan.workers} FSYNC={plan.fsync}"
            f" ARGS='--jobs {plan.jobs} --keep DIRECTORY'\n"
        )
    sys.stdout.write(
        f"chaos: seed={plan.seed} jobs={verdict.jobs} lost={len(verdict.lost)}"
        f" order_breaks={len(verdict.order_breaks)}"
        f" unexplained_duplicates={len(verdict.unexplained_duplicates)}"
        f" recovered_kills={verdict.recovered_kills}\n"
    )
    return 0 if verdict.is_clean else 1


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=None, help="a new one when not given")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=20_000, help="enqueue no more than these")
    parser.add_argument(
        "--fsync",
        choices=("always", "everysec"),
        default="always",
        help="everysec: a restart of Redis loses up to a second of acknowledged writes",
    )
    parser.add_argument("--keep", type=Path, help="a directory for the history and the logs")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    return Plan(
        seed=seed,
        seconds=given.seconds,
        workers=given.workers,
        jobs=given.jobs,
        keep=given.keep,
        fsync=given.fsync,
    )


def _tell(verdict: Verdict) -> None:
    for cause, count in sorted(verdict.causes.items()):
        sys.stdout.write(f"{cause}: {count}\n")
    for problems in (
        verdict.lost,
        verdict.order_breaks,
        verdict.unexplained_duplicates,
        verdict.others,
    ):
        for problem in problems[:_SHOWN]:
            sys.stdout.write(f"BROKEN: {problem}\n")
        if len(problems) > _SHOWN:
            sys.stdout.write(f"BROKEN: and {len(problems) - _SHOWN} more like that\n")


if __name__ == "__main__":
    sys.exit(main())
