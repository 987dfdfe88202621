from imbi_worker.observability.attempt_traces import (
    AttemptTraces,
)
from imbi_worker.observability.listener import (
    ListenError,
    listen_at,
)
from imbi_worker.observability.logs import (
    configure_logs,
)
from imbi_worker.observability.lookout import (
    Lookout,
    Subject,
)
from imbi_worker.observability.plugin_output import (
    logged_output,
    masked_output,
)
from imbi_worker.observability.queue_port import (
    serve_queue,
)
from imbi_worker.observability.telemetry import (
    Telemetry,
)
from imbi_worker.observability.trace_export import (
    TraceExport,
    open_trace_export,
)
from imbi_worker.observability.vital_signs import (
    Equipment,
)
from imbi_worker.observability.worker_metrics import (
    WorkerMetrics,
)

__all__ = [
    "AttemptTraces",
    "Equipment",
    "ListenError",
    "Lookout",
    "Subject",
    "Telemetry",
    "TraceExport",
    "WorkerMetrics",
    "configure_logs",
    "listen_at",
    "logged_output",
    "masked_output",
    "open_trace_export",
    "serve_queue",
]
