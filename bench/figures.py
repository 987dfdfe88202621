"""The figures, what each must reach and what it should, and how a run answers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, TypeAlias

from bench.engines import (
    ARQ,
    ARQ_DEFAULT,
    FLOOR,
    OWN_EVENT,
    PEERS,
    SHARED_EVENT,
    UPDATE_PROJECT,
    WHOLE_PATH,
    Engine,
)

Samples: TypeAlias = Mapping[str, Sequence[float]]
FASTEST: Final = "the fastest peer"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    With a *peer* (the name of its sample, or `FASTEST` of the shape) *must* and *goal* are
    ratios to it, without one they are in *unit*. *is_least*: more is better.
    """

    name: str
    sample: str
    unit: str
    must: float | None = None
    goal: float | None = None
    peer: str | None = None
    is_least: bool = True


def key(shape: str, engine: Engine, what: str = "jobs_per_s") -> str:
    """The name of a sample."""
    return f"{shape}/{engine.name}/{what}"


def _against(name: str, sample: str, peer: str, must: float, goal: float) -> Figure:
    return Figure(name, sample, "jobs/s", must, goal, peer)


def _at_most(name: str, sample: str, unit: str, must: float, goal: float | None) -> Figure:
    return Figure(name, sample, unit, must, goal, is_least=False)


def _told(shape: str, label: str, *engines: Engine) -> tuple[Figure, ...]:
    return tuple(Figure(f"{label}: {e.name}", key(shape, e), "jobs/s") for e in engines)


PROMISED: Final = (
    _against("no-op, against tuned arq", key("no-op", OWN_EVENT), key("no-op", ARQ), 5, 8),
    _against("no-op, against the fastest peer", key("no-op", OWN_EVENT), FASTEST, 3, 5),
    _against(
        "no-op, 1 ms of round trip, against the fastest peer", key("far", OWN_EVENT), FASTEST, 3, 5
    ),
    _at_most("worker CPU per job, engine", key("no-op", OWN_EVENT, "cpu_us"), "us", 100, 60),
    Figure("whole path, no-op action", key("no-op", WHOLE_PATH), "jobs/s", 4_000, 8_000),
    _against("whole path, against every peer's no-op", key("no-op", WHOLE_PATH), FASTEST, 1, 2.5),
    Figure("update_project, 100 at once", key("no-op", UPDATE_PROJECT), "jobs/s", 1_500, 4_000),
    _at_most("idle pick-up p50", key("pick-up", WHOLE_PATH, "idle_p50_ms"), "ms", 2.5, 1.5),
    _at_most("idle pick-up p99", key("pick-up", WHOLE_PATH, "idle_p99_ms"), "ms", 10, 5),
    _at_most("at 200 jobs/s, p99", key("pick-up", WHOLE_PATH, "steady_p99_ms"), "ms", 5, 3.5),
    Figure("enqueue in deliveries of 10", key("enqueue", SHARED_EVENT), "jobs/s", 10_000, 20_000),
    _at_most("Redis CPU per job, long queue against short", "backlog/ratio", "x", 1.5, 1.1),
    _at_most("kill -9: runs again after", "recovery/seconds", "s", 20, 16),
    _at_most("100 bodies of 25 MB: memory beyond idle", "large/mb", "MB", 64, None),
    _at_most("RSS idle", key("footprint", WHOLE_PATH, "idle_rss_mb"), "MB", 110, 85),
    _at_most(
        "RSS, 100 running with 2 KiB", key("footprint", WHOLE_PATH, "busy_rss_mb"), "MB", 140, 100
    ),
    _at_most(
        "idle commands per second", key("footprint", WHOLE_PATH, "idle_commands"), "1/s", 2, 1.2
    ),
    _at_most("a waiting job beyond its body", "waiting/bytes", "bytes", 1_536, None),
    _at_most("imbi-worker --help", "operate/help_ms", "ms", 300, 150),
    _at_most("imbi-worker --version", "operate/version_ms", "ms", 300, 150),
    _at_most("jobs why, 100,000 jobs", "operate/why_ms", "ms", 300, 250),
    _at_most("status, 100,000 jobs", "operate/status_ms", "ms", 300, 250),
    _at_most("the same, CPU time", "operate/status_cpu_ms", "ms", 300, 250),
    _at_most("jobs list, 100,000 jobs", "operate/jobs_list_ms", "ms", 300, 250),
    _at_most("deliveries list", "operate/deliveries_list_ms", "ms", 300, 250),
    _at_most("workers list", "operate/workers_list_ms", "ms", 300, 250),
    _at_most("holds list", "operate/holds_list_ms", "ms", 300, 250),
    _at_most("queue stats", "operate/queue_stats_ms", "ms", 300, 250),
    _at_most("audit tail", "operate/audit_tail_ms", "ms", 300, 250),
    _at_most("status, its data alone", "operate/status_data_ms", "ms", 300, 20),
    _at_most("dead list, 100,000 dead letters", "operate/dead_list_ms", "ms", 500, 300),
    _at_most("dead groups, 100,000 dead letters", "operate/dead_groups_s", "s", 10, 4),
    _at_most("dead groups, its memory", "operate/dead_groups_mb", "MB", 100, 60),
    _at_most("claims of 20 workers for nothing, with a queue", "wasted/queue", "%", 5, None),
    _at_most("claims of 20 workers for nothing, 200 jobs/s", "wasted/single", "%", 5, None),
    _at_most("the same in deliveries of 10", "wasted/tens", "%", 5, None),
    _at_most("100 idle workers: woken by one enqueue", "wake-ups/workers", "workers", 1, None),
)
TOLD: Final = (
    *_told("no-op", "no-op", SHARED_EVENT, *PEERS, ARQ_DEFAULT, FLOOR),
    *(
        Figure(f"CPU: {e.name}", key("no-op", e, "cpu_us"), "us")
        for e in (WHOLE_PATH, *PEERS, FLOOR)
    ),
    *_told("far", "1 ms of round trip", *PEERS, FLOOR),
    *_told("sleep", "5 ms of sleep", OWN_EVENT, *PEERS, FLOOR),
    *_told("enqueue", "enqueue", *PEERS, FLOOR),
    *(
        Figure(f"{label}: {e.name}", key(shape, e, what), unit)
        for label, shape, what, unit in (
            ("idle pick-up p50", "pick-up", "idle_p50_ms", "ms"),
            ("idle pick-up p99", "pick-up", "idle_p99_ms", "ms"),
            ("at 200 jobs/s, p99", "pick-up", "steady_p99_ms", "ms"),
            ("idle commands", "footprint", "idle_commands", "1/s"),
            ("RSS idle", "footprint", "idle_rss_mb", "MB"),
        )
        for e in (OWN_EVENT, *PEERS)
    ),
    Figure("Redis CPU per job, long queue", "backlog/large_us", "us"),
    Figure("Redis CPU per job, short queue", "backlog/small_us", "us"),
)


def results(samples: Samples) -> dict[str, dict[str, Any]]:
    """Every figure that was measured, in the table's order; medians."""
    found = {name: median(values) for name, values in samples.items() if values}
    return {
        figure.name: _result(figure, found)
        for figure in (*PROMISED, *TOLD)
        if figure.sample in found
    }


def _result(figure: Figure, found: Mapping[str, float]) -> dict[str, Any]:
    value = found[figure.sample]
    peer = _peer(figure, found)
    ratio = value / found[peer] if peer is not None else None
    judged = value if ratio is None else ratio
    met = None
    # A figure against peers that were not measured stays open.
    if figure.must is not None and (figure.peer is None or ratio is not None):
        met = judged >= figure.must if figure.is_least else judged <= figure.must
    return {
        "value": round(value, 2),
        "unit": figure.unit,
        "peer": peer.split("/")[1] if peer is not None else None,
        "ratio": round(ratio, 2) if ratio is not None else None,
        "must": figure.must,
        "goal": figure.goal,
        "met": met,
    }


def _peer(figure: Figure, found: Mapping[str, float]) -> str | None:
    if figure.peer != FASTEST:
        return figure.peer if figure.peer in found else None
    shape = figure.sample.split("/")[0]
    rates = [name for peer in PEERS if (name := key(shape, peer)) in found]
    return max(rates, key=lambda name: found[name], default=None)
