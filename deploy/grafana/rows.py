"""What the dashboard shows, row by row."""

from collections.abc import Mapping
from typing import Final

from panels import Panel, half, stat, table, third
from queries import (
    GATEWAY,
    PLUGIN,
    QUEUE,
    REPEATED,
    RUNNING,
    SLOTS,
    WORKER,
    counted,
    failing,
    of_queue,
    percentile,
    total_rate,
)

ROWS: Final[Mapping[str, tuple[Panel, ...]]] = {
    "Overview": (
        stat(
            "Workers",
            "Alive by their heartbeats, in all queues that are chosen.",
            {"alive": of_queue("imbi_queue_workers")},
            "short",
        ),
        stat(
            "Due",
            "Jobs that could run this moment.",
            {"due": of_queue("imbi_queue_jobs", more=', state="due"')},
            "short",
            red=1000,
        ),
        stat(
            "Oldest due",
            "How long the job that could run for longest has waited. Alert: 5 minutes.",
            {"oldest": f"max(imbi_queue_oldest_due_age_seconds{{{QUEUE}}})"},
            "s",
            red=300,
        ),
        stat(
            "Slots taken",
            "Of all workers together. Alert: 90 % for a quarter of an hour.",
            {"taken": f"sum({RUNNING}) / sum({SLOTS})"},
            "percentunit",
            red=0.9,
        ),
        stat(
            "Attempts that fail",
            "Within ten minutes, repeated ones included. Alert: 5 % of one plugin.",
            {"failed": failing()},
            "percentunit",
            red=0.05,
        ),
        stat(
            "Dead letters",
            "Kept now, until somebody replays or discards them.",
            {"kept": of_queue("imbi_queue_jobs", more=', state="dead"')},
            "short",
            red=1,
        ),
        half(
            "Jobs that ended",
            "By what they came to, over all plugins.",
            {"{{outcome}}": counted("imbi_queue_jobs_ended_total", "outcome")},
            "ops",
        ),
        half(
            "Attempts",
            "By what they came to. A job has up to eight.",
            {"{{outcome}}": total_rate("outcome", "imbi_worker_attempts_total")},
            "ops",
        ),
    ),
    "Backlog": (
        half(
            "Jobs by state",
            "due: could run. running. blocked: behind another one of their lane. scheduled: until a"
            " retry, or put off. paused: under a hold.",
            {
                "{{state}}": of_queue(
                    "imbi_queue_jobs", "state", ', state=~"due|running|blocked|scheduled|paused"'
                )
            },
            "short",
            is_stacked=True,
        ),
        half(
            "Oldest due",
            "By queue: the one figure that grows when nobody takes jobs.",
            {
                "{{job}} {{queue}}": "max by (job, queue)"
                f" (imbi_queue_oldest_due_age_seconds{{{QUEUE}}})"
            },
            "s",
            red=300,
        ),
        third(
            "Wait for a slot",
            "From when a job could run to its start. Lanes, retries and holds are no part of it.",
            {
                f"p{percent} {{{{queue}}}}": percentile(
                    percent, "imbi_worker_queue_wait_seconds", "queue", QUEUE
                )
                for percent in (50, 95, 99)
            },
            "s",
        ),
        third(
            "Enqueued by gateways",
            "What Redis made of them. Only where a gateway counts.",
            {"{{result}}": total_rate("result", "imbi_client_enqueued_total", GATEWAY)},
            "ops",
        ),
        third(
            "Enqueued before",
            "Duplicates that were dropped, and dead jobs that a redelivery revived.",
            {"{{result}}": counted("imbi_worker_dedup_total", "result")},
            "ops",
        ),
        half(
            "Holds",
            "Pauses of operators, rate limits of services, holds whose jobs come back just now.",
            {"{{kind}}": of_queue("imbi_queue_holds", "kind")},
            "short",
        ),
        half(
            "Put off without using an attempt",
            "By why: a rate limit, a service's Retry-After, a graph that is away, a drain.",
            {"{{reason}}": total_rate("reason", "imbi_worker_deferrals_total")},
            "ops",
        ),
    ),
    "Plugins": (
        third(
            "Attempts by plugin",
            "other: a name that is not installed.",
            {"{{plugin}}": total_rate("plugin", "imbi_worker_attempts_total")},
            "ops",
        ),
        third(
            "Duration, p95",
            "How long actions run, whatever they come to.",
            {
                "{{plugin}}#{{action}}": percentile(
                    95, "imbi_worker_action_duration_seconds", "plugin, action"
                )
            },
            "s",
        ),
        third(
            "From enqueue to end, p95",
            "What a user sees: waits, lanes, retries and holds included.",
            {"{{plugin}}": percentile(95, "imbi_worker_end_to_end_seconds", "plugin")},
            "s",
        ),
        table(
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
        half(
            "Errors by kind",
            "docs/runbooks/ImbiFailureRate.md says what each of them asks for.",
            {"{{error_class}}": total_rate("error_class", "imbi_worker_attempt_errors_total")},
            "ops",
        ),
        half(
            "Attempts that fail, by plugin",
            "Within ten minutes. Alert: 5 %.",
            {"{{plugin}}": failing("plugin")},
            "percentunit",
            red=0.05,
        ),
        third(
            "Attempts to be repeated",
            "Retries and timeouts, by plugin.",
            {"{{plugin}}": total_rate("plugin", "imbi_worker_attempts_total", REPEATED)},
            "ops",
        ),
        third(
            "Deaths",
            "Jobs that became dead letters within an hour, by plugin; without those that no"
            " attempt has ended.",
            {
                "{{plugin}}": "sum by (plugin) (increase("
                f'imbi_worker_end_to_end_seconds_count{{{PLUGIN}, outcome="dead"}}[1h]))'
            },
            "short",
        ),
        third(
            "Room of dead letters",
            "Beyond 1 GiB, or 10,000 dead letters, the oldest are thrown away.",
            {"{{job}} {{queue}}": f"max by (job, queue) (imbi_queue_dead_letter_bytes{{{QUEUE}}})"},
            "bytes",
            red=0.9 * 1024**3,
        ),
        half(
            "How credentials were come by",
            "ok and cached are well. unavailable: the graph is away.",
            {
                "{{result}}": total_rate(
                    "result", "imbi_worker_credentials_fetch_seconds_count", WORKER
                )
            },
            "ops",
        ),
        half(
            "Lookup of credentials, p95",
            "How long attempts waited for them.",
            {
                "{{result}}": percentile(
                    95, "imbi_worker_credentials_fetch_seconds", "result", WORKER
                )
            },
            "s",
        ),
    ),
    "Workers": (
        third(
            "Slots taken, by worker",
            "Jobs in hand of those it runs at most.",
            {"{{instance}}": f"{RUNNING} / {SLOTS}"},
            "percentunit",
            red=0.9,
        ),
        third(
            "Since the last claim",
            "A worker claims every second or two, a full one too. Draining ones are left out.",
            {
                "{{instance}}": f"time() - imbi_worker_last_poll_timestamp_seconds{{{WORKER}}}"
                f" and (imbi_worker_draining{{{WORKER}}} == 0)"
            },
            "s",
            red=60,
        ),
        third(
            "Calls of Redis that failed",
            "By worker, within five minutes; and who cannot read the queue's figures just now.",
            {
                "{{instance}}": f"increase(imbi_worker_redis_errors_total{{{WORKER}}}[5m])",
                "unanswered scrapes": f"count(imbi_queue_up{{{QUEUE}}} == 0)",
            },
            "short",
        ),
        half(
            "Versions",
            "Workers by version and commit of imbi-worker, and by Python.",
            {
                "{{version}} {{revision}} on {{python}}": "count by (version, revision, python)"
                f" (imbi_worker_build_info{{{WORKER}}})"
            },
            "short",
        ),
        half(
            "Repairs",
            "What the janitor mended within an hour. It should never have to: report it.",
            {"{{kind}}": f"max by (kind) (increase(imbi_queue_repairs_total{{{QUEUE}}}[1h]))"},
            "short",
            red=1,
        ),
    ),
}
