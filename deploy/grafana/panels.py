"""What the dashboard shows: each panel's title, sentence, expressions and unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["stat", "timeseries", "table"]

# What series are chosen by: of a worker, of a plugin on it, of the queue, of a gateway.
WORKER: Final = 'namespace=~"$namespace", job=~"$job"'
_P: Final = f'{WORKER}, plugin=~"$plugin"'
_Q: Final = f'{WORKER}, queue=~"$queue"'
_G: Final = 'namespace=~"$namespace", plugin=~"$plugin"'
_REPEATED: Final = f'{_P}, outcome=~"retry|timeout"'
_FAILED: Final = 'outcome=~"retry|timeout|dead"'

_RUNNING: Final = f"imbi_worker_jobs_running{{{WORKER}}}"
_SLOTS: Final = f"imbi_worker_slots{{{WORKER}}}"
Unit: TypeAlias = Literal["short", "s", "percentunit", "ops", "bytes"]


@dataclass(frozen=True)
class Panel:
    """One panel. *shows* maps a legend to its expression; *red* is where it becomes alarming."""

    title: str
    text: str
    shows: Mapping[str, str]
    unit: Unit
    kind: Kind
    width: int
    red: float | None = None
    is_stacked: bool = False


def _rate(metric: str, chosen: str = _P) -> str:
    return f"rate({metric}{{{chosen}}}[$__rate_interval])"


def _sum(by: str, metric: str, chosen: str = _P) -> str:
    """How fast a counter of workers grows, over all of them."""
    return f"sum by ({by}) ({_rate(metric, chosen)})"


def _p(percent: int, metric: str, by: str, chosen: str = _P) -> str:
    buckets = f"sum by (le, {by}) ({_rate(f'{metric}_bucket', chosen)})"
    return f"histogram_quantile({percent / 100}, {buckets})"


def _of_queue(metric: str, by: str = "", more: str = "") -> str:
    """Every process of a queue exports the same: the maximum of one job, then the sum of jobs."""
    largest = f"max by (namespace, job, queue{by and f', {by}'}) ({metric}{{{_Q}{more}}})"
    return f"sum{f' by ({by})' if by else ''} ({largest})"


def _counted(metric: str, by: str, window: str = "$__rate_interval") -> str:
    """How fast a counter of the queue grows; its rate before its maximum."""
    largest = f"max by (namespace, job, queue, {by}) (rate({metric}{{{_Q}}}[{window}]))"
    return f"sum by ({by}) ({largest})"


def _failing(by: str = "") -> str:
    group = f" by ({by})" if by else ""
    failed = f"sum{group} (increase(imbi_worker_attempts_total{{{_P}, {_FAILED}}}[10m]))"
    return f"{failed} / sum{group} (increase(imbi_worker_attempts_total{{{_P}}}[10m]))"


def _stat(title: str, text: str, shows: Mapping[str, str], unit: Unit, **more: Any) -> Panel:
    return Panel(title, text, shows, unit, "stat", 4, **more)


def _third(title: str, text: str, shows: Mapping[str, str], unit: Unit, **more: Any) -> Panel:
    return Panel(title, text, shows, unit, "timeseries", 8, **more)


def _half(title: str, text: str, shows: Mapping[str, str], unit: Unit, **more: Any) -> Panel:
    return Panel(title, text, shows, unit, "timeseries", 12, **more)


def _table(title: str, text: str, shows: Mapping[str, str], unit: Unit) -> Panel:
    return Panel(title, text, shows, unit, "table", 24)


ROWS: Final[Mapping[str, tuple[Panel, ...]]] = {
    "Overview": (
        _stat(
            "Workers",
            "Alive by their heartbeats, in all queues that are chosen.",
            {"alive": _of_queue("imbi_queue_workers")},
            "short",
        ),
        _stat(
            "Due",
            "Jobs that could run this moment.",
            {"due": _of_queue("imbi_queue_jobs", more=', state="due"')},
            "short",
            red=1000,
        ),
        _stat(
            "Oldest due",
            "How long the job that could run for longest has waited. Alert: 5 minutes.",
            {"oldest": f"max(imbi_queue_oldest_due_age_seconds{{{_Q}}})"},
            "s",
            red=300,
        ),
        _stat(
            "Slots taken",
            "Of all workers together. Alert: 90 % for a quarter of an hour.",
            {"taken": f"sum({_RUNNING}) / sum({_SLOTS})"},
            "percentunit",
            red=0.9,
        ),
        _stat(
            "Attempts that fail",
            "Within ten minutes, repeated ones included. Alert: 5 % of one plugin.",
            {"failed": _failing()},
            "percentunit",
            red=0.05,
        ),
        _stat(
            "Dead letters",
            "Kept now, until somebody replays or discards them.",
            {"kept": _of_queue("imbi_queue_jobs", more=', state="dead"')},
            "short",
            red=1,
        ),
        _half(
            "Jobs that ended",
            "By what they came to, over all plugins.",
            {"{{outcome}}": _counted("imbi_queue_jobs_ended_total", "outcome")},
            "ops",
        ),
        _half(
            "Attempts",
            "By what they came to. A job has up to eight.",
            {"{{outcome}}": _sum("outcome", "imbi_worker_attempts_total")},
            "ops",
        ),
    ),
    "Backlog": (
        _half(
            "Jobs by state",
            "due: could run. running. blocked: behind another one of their lane. scheduled: until a"
            " retry, or put off. paused: under a hold.",
            {
                "{{state}}": _of_queue(
                    "imbi_queue_jobs", "state", ', state=~"due|running|blocked|scheduled|paused"'
                )
            },
            "short",
            is_stacked=True,
        ),
        _half(
            "Oldest due",
            "By queue: the one figure that grows when nobody takes jobs.",
            {
                "{{job}} {{queue}}": "max by (job, queue)"
                f" (imbi_queue_oldest_due_age_seconds{{{_Q}}})"
            },
            "s",
            red=300,
        ),
        _third(
            "Wait for a slot",
            "From when a job could run to its start. Lanes, retries and holds are no part of it.",
            {
                f"p{percent} {{{{queue}}}}": _p(
                    percent, "imbi_worker_queue_wait_seconds", "queue", _Q
                )
                for percent in (50, 95, 99)
            },
            "s",
        ),
        _third(
            "Enqueued by gateways",
            "What Redis made of them. Only where a gateway counts.",
            {"{{result}}": _sum("result", "imbi_client_enqueued_total", _G)},
            "ops",
        ),
        _third(
            "Enqueued before",
            "Duplicates that were dropped, and dead jobs that a redelivery revived.",
            {"{{result}}": _counted("imbi_worker_dedup_total", "result")},
            "ops",
        ),
        _half(
            "Holds",
            "Pauses of operators, rate limits of services, holds whose jobs come back just now.",
            {"{{kind}}": _of_queue("imbi_queue_holds", "kind")},
            "short",
        ),
        _half(
            "Put off without using an attempt",
            "By why: a rate limit, a service's Retry-After, a graph that is away, a drain.",
            {"{{reason}}": _sum("reason", "imbi_worker_deferrals_total")},
            "ops",
        ),
    ),
    "Plugins": (
        _third(
            "Attempts by plugin",
            "other: a name that is not installed.",
            {"{{plugin}}": _sum("plugin", "imbi_worker_attempts_total")},
            "ops",
        ),
        _third(
            "Duration, p95",
            "How long actions run, whatever they come to.",
            {
                "{{plugin}}#{{action}}": _p(
                    95, "imbi_worker_action_duration_seconds", "plugin, action"
                )
            },
            "s",
        ),
        _third(
            "From enqueue to end, p95",
            "What a user sees: waits, lanes, retries and holds included.",
            {"{{plugin}}": _p(95, "imbi_worker_end_to_end_seconds", "plugin")},
            "s",
        ),
        _table(
            "Plugins and their versions",
            "On how many workers. Two lines of one plugin: a rollout, or one that hangs.",
            {
                "workers": "count by (slug, version, api_version)"
                f" (imbi_worker_plugin_info{{{WORKER}}})"
            },
            "short",
        ),
    ),
    "Failures": (
        _half(
            "Errors by kind",
            "docs/runbooks/ImbiFailureRate.md says what each of them asks for.",
            {"{{error_class}}": _sum("error_class", "imbi_worker_attempt_errors_total")},
            "ops",
        ),
        _half(
            "Attempts that fail, by plugin",
            "Within ten minutes. Alert: 5 %.",
            {"{{plugin}}": _failing("plugin")},
            "percentunit",
            red=0.05,
        ),
        _third(
            "Attempts to be repeated",
            "Retries and timeouts, by plugin.",
            {"{{plugin}}": _sum("plugin", "imbi_worker_attempts_total", _REPEATED)},
            "ops",
        ),
        _third(
            "Deaths",
            "Jobs that became dead letters within an hour, by plugin; without those that no"
            " attempt has ended.",
            {
                "{{plugin}}": "sum by (plugin) (increase("
                f'imbi_worker_end_to_end_seconds_count{{{_P}, outcome="dead"}}[1h]))'
            },
            "short",
        ),
        _third(
            "Room of dead letters",
            "Beyond 1 GiB, or 10,000 dead letters, the oldest are thrown away.",
            {"{{job}} {{queue}}": f"max by (job, queue) (imbi_queue_dead_letter_bytes{{{_Q}}})"},
            "bytes",
            red=0.9 * 1024**3,
        ),
        _half(
            "How credentials were come by",
            "ok and cached are well. unavailable: the graph is away.",
            {"{{result}}": _sum("result", "imbi_worker_credentials_fetch_seconds_count", WORKER)},
            "ops",
        ),
        _half(
            "Lookup of credentials, p95",
            "How long attempts waited for them.",
            {"{{result}}": _p(95, "imbi_worker_credentials_fetch_seconds", "result", WORKER)},
            "s",
        ),
    ),
    "Workers": (
        _third(
            "Slots taken, by worker",
            "Jobs in hand of those it runs at most.",
            {"{{instance}}": f"{_RUNNING} / {_SLOTS}"},
            "percentunit",
            red=0.9,
        ),
        _third(
            "Since the last claim",
            "A worker claims every second or two, a full one too. Draining ones are left out.",
            {
                "{{instance}}": f"time() - imbi_worker_last_poll_timestamp_seconds{{{WORKER}}}"
                f" and (imbi_worker_draining{{{WORKER}}} == 0)"
            },
            "s",
            red=60,
        ),
        _third(
            "Calls of Redis that failed",
            "By worker, within five minutes; and who cannot read the queue's figures just now.",
            {
                "{{instance}}": f"increase(imbi_worker_redis_errors_total{{{WORKER}}}[5m])",
                "unanswered scrapes": f"count(imbi_queue_up{{{_Q}}} == 0)",
            },
            "short",
        ),
        _half(
            "Versions",
            "Workers by version and commit of imbi-worker, and by Python.",
            {
                "{{version}} {{revision}} on {{python}}": "count by (version, revision, python)"
                f" (imbi_worker_build_info{{{WORKER}}})"
            },
            "short",
        ),
        _half(
            "Repairs",
            "What the janitor mended within an hour. It should never have to: report it.",
            {"{{kind}}": f"max by (kind) (increase(imbi_queue_repairs_total{{{_Q}}}[1h]))"},
            "short",
            red=1,
        ),
    ),
}
