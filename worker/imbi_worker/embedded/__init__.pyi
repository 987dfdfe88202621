from imbi_worker.embedded.arcadedb import (
    ArcadeDB,
)
from imbi_worker.embedded.child import (
    EmbeddedServerError,
)
from imbi_worker.embedded.servers import (
    Servers,
    embedded_servers,
)
from imbi_worker.embedded.valkey import (
    Valkey,
)

__all__ = [
    "ArcadeDB",
    "EmbeddedServerError",
    "Servers",
    "Valkey",
    "embedded_servers",
]
