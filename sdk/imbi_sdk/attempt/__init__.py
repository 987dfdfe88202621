"""One attempt of a job, from its texts to its verdict; no queue, no graph, no network.

    run_attempt(Assignment, Tools) -> Verdict(outcome, duration, unfinished, trace)

The worker's dispatch and ``imbi_sdk.testing`` both run actions through here.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "call": ("Interrupted",),
        "classification": ("Standing", "classify", "defer"),
        "config": ("ConfigValidator", "InvalidConfig", "validate_config"),
        "event": ("InvalidEvent", "parse_event"),
        "outcome": (
            "Dead",
            "DeathReason",
            "Deferred",
            "Hold",
            "Outcome",
            "Retry",
            "Skipped",
            "Succeeded",
        ),
        "policy": ("RetryPolicy",),
        "redaction": ("Redactor",),
        "report": ("HandlerOutcome", "handler_outcome"),
        "run": ("Tools", "run_attempt"),
        "verdict": (
            "Action",
            "Assignment",
            "Clock",
            "Limits",
            "Settled",
            "Supplies",
            "Supply",
            "Verdict",
        ),
    },
)
