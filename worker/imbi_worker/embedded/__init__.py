"""A Redis and a Bolt server as child processes, for the demo, `run --embedded` and the tests."""

from .arcadedb import ArcadeDB
from .child import EmbeddedServerError
from .servers import Servers, embedded_servers
from .valkey import Valkey

__all__ = ["ArcadeDB", "EmbeddedServerError", "Servers", "Valkey", "embedded_servers"]
