"""What the worker tells about itself."""

from imbi_worker.observability.logs import configure_logs

__all__ = ["configure_logs"]
