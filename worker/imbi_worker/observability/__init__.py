"""What the worker tells about itself: logs, metrics, traces, probes."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "attempt_traces": ("AttemptTraces",),
        "listener": ("ListenError", "listen_at"),
        "logs": ("configure_logs",),
        "lookout": ("Lookout", "Subject"),
        "queue_port": ("serve_queue",),
        "plugin_output": ("logged_output", "masked_output"),
        "telemetry": ("Telemetry",),
        "trace_export": ("TraceExport", "open_trace_export"),
        "vital_signs": ("Equipment",),
        "worker_metrics": ("WorkerMetrics",),
    },
)
