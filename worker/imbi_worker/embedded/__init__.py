"""A Redis and a Bolt server as child processes, for the demo, `run --embedded` and the tests."""

from .child import EmbeddedServerError
from .valkey import Valkey

__all__ = ["EmbeddedServerError", "Valkey"]
