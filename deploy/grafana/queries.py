"""The questions that panels ask Prometheus: which series, and how they are put together."""

from typing import Final

# What series are chosen by: of a worker, of a plugin on it, of the queue, of a gateway.
WORKER: Final = 'namespace=~"$namespace", job=~"$job"'
PLUGIN: Final = f'{WORKER}, plugin=~"$plugin"'
QUEUE: Final = f'{WORKER}, queue=~"$queue"'
GATEWAY: Final = 'namespace=~"$namespace", plugin=~"$plugin"'
REPEATED: Final = f'{PLUGIN}, outcome=~"retry|timeout"'
FAILED: Final = 'outcome=~"retry|timeout|dead"'

RUNNING: Final = f"imbi_worker_jobs_running{{{WORKER}}}"
SLOTS: Final = f"imbi_worker_slots{{{WORKER}}}"


def rate(metric: str, chosen: str = PLUGIN) -> str:
    return f"rate({metric}{{{chosen}}}[$__rate_interval])"


def total_rate(by: str, metric: str, chosen: str = PLUGIN) -> str:
    """How fast a counter of workers grows, over all of them."""
    return f"sum by ({by}) ({rate(metric, chosen)})"


def percentile(percent: int, metric: str, by: str, chosen: str = PLUGIN) -> str:
    """What *percent* of a histogram's observations stay below."""
    buckets = f"sum by (le, {by}) ({rate(f'{metric}_bucket', chosen)})"
    return f"histogram_quantile({percent / 100}, {buckets})"


def of_queue(metric: str, by: str = "", more: str = "") -> str:
    """Every process of a queue exports the same: the maximum of one job, then the sum of jobs."""
    largest = f"max by (namespace, job, queue{by and f', {by}'}) ({metric}{{{QUEUE}{more}}})"
    return f"sum{f' by ({by})' if by else ''} ({largest})"


def counted(metric: str, by: str, window: str = "$__rate_interval") -> str:
    """How fast a counter of the queue grows; its rate before its maximum."""
    largest = f"max by (namespace, job, queue, {by}) (rate({metric}{{{QUEUE}}}[{window}]))"
    return f"sum by ({by}) ({largest})"


def failing(by: str = "") -> str:
    """The share of attempts that did not succeed within ten minutes, repeated ones included."""
    group = f" by ({by})" if by else ""
    failed = f"sum{group} (increase(imbi_worker_attempts_total{{{PLUGIN}, {FAILED}}}[10m]))"
    return f"{failed} / sum{group} (increase(imbi_worker_attempts_total{{{PLUGIN}}}[10m]))"
